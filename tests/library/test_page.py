"""Tables that a page shows."""

import pytest

from course_lib import page
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
