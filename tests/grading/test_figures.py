"""The page of figures tells of the suites as they are."""

from .figures import PAGE, counts, page


def test_the_page_is_what_the_command_writes():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run `python -m tests.grading.figures`"
    )


def test_every_suite_has_cases():
    assert all(hostile + honest > 0 for _, hostile, honest in counts())
