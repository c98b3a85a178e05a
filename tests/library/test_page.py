"""Tables that a page shows."""

import pytest
from matplotlib import pyplot as plt
from scipy.stats import ttest_rel

from course_lib import page, results
from course_lib.errors import CourseError


def test_a_table_is_markdown_with_commas_in_whole_numbers():
    found = page.table(["network", "parameters"], [("a|b", 25_557_032), ("c", "1.5")])
    assert found.data.splitlines() == [
        "| network | parameters |",
        "|---|---|",
        "| a\\|b | 25,557,032 |",
        "| c | 1.5 |",
    ]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(CourseError, match="3 cells, the header 2"):
        page.table(["a", "b"], [(1, 2), (1, 2, 3)])


def test_a_sortable_table_keeps_raw_values_and_writes_them_as_told():
    rows = [("a<b", 1234.5), ("c", None)]
    found = page.sortable({"network": "", "MACs": ",.1f"}, rows).data
    assert found.count("<button") == 2
    assert '<td data-value="a&lt;b" style="text-align: left">a&lt;b</td>' in found
    assert '<td data-value="1234.5" style="text-align: right">1,234.5</td>' in found
    assert '<td data-value=""></td>' in found
    with pytest.raises(CourseError, match="3 cells, the header 2"):
        page.sortable({"a": "", "b": ""}, [(1, 2, 3)])


def test_paired_differences_have_the_interval_of_scipy_s_paired_test():
    first, second = [40.0, 42.5, 47.0, 41.0, 44.5], [39.0, 42.0, 43.5, 41.5, 40.0]
    low, high = ttest_rel(first, second).confidence_interval()
    mean, half = (low + high) / 2, (high - low) / 2
    assert page.paired(first, second) == f"{mean:+.1f} ± {half:.1f}"


def test_gains_are_drawn_with_a_dot_a_seed_and_their_interval():
    first, second = [40.0, 42.5, 47.0, 41.0, 44.5], [39.0, 42.0, 43.5, 41.5, 40.0]
    figure, ax = plt.subplots()
    page.gains(ax, {"forward": (first, second), "back": (second, first)})
    low, high = ttest_rel(first, second).confidence_interval()
    (bar, mirrored) = (drawn.get_segments()[0] for drawn in ax.collections)
    assert bar[:, 0] == pytest.approx([low, high], abs=1e-5)
    assert mirrored[:, 0] == pytest.approx([-high, -low], abs=1e-5)
    assert [list(line.get_xdata()) for line in ax.lines[:1]] == [
        [a - b for a, b in zip(first, second, strict=True)]
    ]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["forward", "back"]
    plt.close(figure)


def test_a_record_is_shown_or_it_is_said_how_to_make_it(capsys):
    name = "05_vgg-vgg_small-cifar10-long-seed0"
    top1 = results.read(results.RESULTS / f"{name}.json").test_top1
    page.record(name)
    assert f"test top-1 {top1:.1%}" in capsys.readouterr().out
    page.record("05_vgg-none-seed3")
    assert "`course records run 05_vgg-none`" in capsys.readouterr().out
