"""The page of printed numbers says what does not agree, and what is known of it."""

import importlib.util
from pathlib import Path

import pytest

from course_lib import notebook

ROOT = Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("papers", ROOT / "docs/site/papers.py")
papers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(papers)


@pytest.mark.parametrize(
    ("printed", "computed", "agrees"),
    [
        ("138", 138.358, True),  # rounds to it
        ("0.5", 0.470, True),
        ("3800", 3857.97, True),  # 1.5 % more
        ("6.9", 6.109, False),
        ("22", 21.458, False),  # 2.5 % less, and rounds to 21
        ("22.855952", 22.855952, True),
        ("23.626728", 23.834568, False),  # so many digits are no round number
    ],
)
def test_a_number_agrees_when_ours_rounds_to_it_or_is_close(printed, computed, agrees):
    claim = papers.Claim("unit", "table", "what", printed, computed, "")
    assert claim.agrees == agrees


def test_a_network_is_built_from_words_and_a_part_counted_without_biases():
    unit, built = "06_googlenet", "googlenet aux=False"
    assert papers.counted(unit, built, "224", "params").value == 6_998_552 / 1e6
    stem = papers.counted(unit, f"{built} stem.0", "224", "params")
    assert stem == (9_408 / 1024, "1,024 weights")
    macs = papers.counted(unit, f"{built} stem.0", "224", "macs").value
    assert macs == 118_013_952 / 1e6


@pytest.mark.slow
def test_each_number_that_does_not_agree_says_what_is_known():
    every = list(papers.claims())
    assert {claim.unit for claim in every} <= set(notebook.units())
    assert not [claim.what for claim in every if not claim.agrees and not claim.why]
    apart = {claim.what for claim in every if not claim.agrees}
    assert "MobileNetV2 (1.4): million parameters" in apart
    assert "MobileNet: % of the MACs in 3×3 convolutions" in apart
    assert "Xception: million parameters" not in apart


def test_a_printed_number_stands_in_a_table_with_its_source_and_ours():
    claim = papers.Claim("08_resnet", "Table 1", "ResNet-50", "3800", 3857.97, "known")
    link = "[ResNet-50](notebooks/08_resnet.ipynb)"
    assert papers.row(claim) == f"| {link} | 3,800 | 3,858 | +1.5% | Table 1 |"
    apart = claim._replace(computed=4089.2)
    assert papers.row(apart).endswith("| 4,089 | +7.6% | Table 1. known |")
