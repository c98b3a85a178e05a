"""The report says what happened, escapes what students are called, and stays small."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from course_grader import summarise
from course_grader.report.facts import facts
from course_grader.report.figure import draw
from course_grader.report.page import html, markdown, students
from course_grader.store.gradebook import Writer
from course_grader.store.outcomes import as_result
from course_lib.errors import CourseError

NAME = "tiny"
NASTY = "<script>alert(1)</script>|[x](javascript:1)`$\\frac{"


@pytest.fixture
def graded(tiny, bundle, verdict) -> Path:
    """Three students of one class: one right, one wrong, one refused."""
    cost = {"wall": 2.0, "cpu": 1.0, "memory": 300 * 2**20}
    with Writer(tiny, NAME, bundle) as writer:
        times = {"double": 0.5, "double_hidden": 0.125}
        writer.write(verdict("ada", seconds=times, cost=cost))
        notes = ("tampered: locked but edited: double_visible", "repaired: a mark")
        failed = ("double_visible", "double_hidden")
        times = {"double": 1.5, "double_hidden": 0.25}
        more = {"failed": failed, "notes": notes, "seconds": times}
        writer.write(verdict("bo", cost=cost | {"wall": 4.0}, **more))
        writer.write(verdict("cy", reason="tiny.ipynb is empty"))
    return tiny


def test_the_facts_are_plain_data(graded):
    found = json.loads((summarise(NAME, graded).parent / "report.json").read_text())
    assert found == facts(NAME, graded)
    assert found["students"] == [
        {
            "student": "ada",
            "points": {"double": 5, "share": 4, "why": 0, "drawing": 0},
            "waiting": ["why", "drawing"],
            "score": 9,
            "penalty": 0,
            "total": 9,
        },
        {
            "student": "bo",
            "points": {"double": 0, "share": 4, "why": 0, "drawing": 0},
            "waiting": ["why", "drawing"],
            "score": 4,
            "penalty": 0,
            "total": 4,
        },
    ]
    assert found["exercises"][0] == {
        "exercise": "double",
        "max_score": 5,
        "share": 0.5,
        "waiting": 0,
    }
    assert found["refused"] == [{"student": "cy", "reason": "tiny.ipynb is empty"}]
    what = ["locked but edited: double_visible"]
    assert found["tampered"] == [{"student": "bo", "what": what}]
    assert found["repaired"] == [{"student": "bo", "what": ["a mark"]}]
    assert found["cells"] == [
        {"cell": "double", "median": 1.0, "longest": 1.5, "student": "bo"},
        {"cell": "double_hidden", "median": 0.1875, "longest": 0.25, "student": "bo"},
    ]
    assert found["cost"] == {
        "submissions": 2,
        "wall": 3.0,
        "cpu": 1.0,
        "memory": 300 * 2**20,
    }


def test_the_page_says_it(graded):
    page = summarise(NAME, graded)
    text = page.with_suffix(".md").read_text("utf-8")
    assert "| bo | 0 | 4 | 0 … | 0 … | 4 |" in text
    assert "Hardest exercise: double, 50% of its points." in text
    assert "cy was refused: tiny.ipynb is empty." in text
    assert "bo changed what was locked; it was put back before grading" in text
    assert "A submission took 3 s, and 1 s of computing" in text
    whole = page.read_text("utf-8")
    assert "<td>double_hidden</td><td>0.188</td><td>0.25</td><td>bo</td>" in whole
    assert (page.parent / "points.png").read_bytes().startswith(b"\x89PNG")


def test_a_class_of_which_all_are_refused_has_a_report(tiny, bundle, verdict):
    with pytest.raises(CourseError, match="run `course grade tiny"):
        summarise(NAME, tiny)
    with Writer(tiny, NAME, bundle) as writer:
        writer.write(verdict("ada", reason="tiny.ipynb is empty"))
    text = summarise(NAME, tiny).with_suffix(".md").read_text("utf-8")
    assert "ada was refused" in text


def test_points_lost_for_being_late_are_shown():
    found = large(3)
    found["students"][1]["penalty"] = 1.5
    header, rows = students(found)
    assert header[-2] == "late"
    assert [row[-2] for row in rows] == ["−0", "−1.5", "−0"]


class Tags(HTMLParser):
    """The names of a page's tags and attributes, and how deep it ends."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.attributes, self.open = set(), set(), 0
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}
        self.open += tag not in ("img", "meta")

    def handle_endtag(self, tag):
        self.open -= 1


def test_names_are_text_wherever_they_stand(tmp_path):
    found = large(2, NASTY)
    for kind in ("tampered", "rule", "repaired"):
        found[kind] = [{"student": NASTY, "what": [NASTY]}]
    found["refused"] = [{"student": NASTY, "reason": NASTY}]
    found["cells"] = [{"cell": NASTY, "median": 1, "longest": 2, "student": NASTY}]
    draw(found, tmp_path / "points.png")
    page = Tags(html(found, b""))
    assert "script" not in page.tags
    assert page.attributes == {"charset", "lang", "http-equiv", "content", "alt", "src"}
    assert page.open == 0
    text = markdown(found)
    assert "<script" not in text
    assert not re.search(r"(?<!\\)[`\[]", text.replace("![points by exercise]", ""))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


def large(number: int, name: str = "student") -> dict:
    """The facts of a class, two exercises of 4 points each."""
    return {
        "assignment": NAME,
        "students": [
            {
                "student": f"{name} {n}",
                "points": {"a": n % 5, "b": 4},
                "waiting": [],
                "score": 4 + n % 5,
                "penalty": 0,
                "total": 9,
            }
            for n in range(number)
        ],
        "exercises": [
            {"exercise": "a", "max_score": 4, "share": 0.5, "waiting": 0},
            {"exercise": "b", "max_score": 4, "share": 1.0, "waiting": 0},
        ],
        "refused": [
            {"student": f"late {n}", "reason": "x"} for n in range(number // 9)
        ],
        "tampered": [],
        "rule": [],
        "repaired": [],
        "cells": [],
        "cost": {},
    }


@pytest.mark.slow
def test_a_large_class_is_folded_and_its_picture_small(tmp_path):
    found = large(5000)
    draw(found, tmp_path / "points.png")
    picture = (tmp_path / "points.png").read_bytes()
    assert len(picture) < 100_000
    page = html(found, picture)
    assert Tags(page).open == 0
    assert page.count("<details>") == 51  # of a hundred students each; the refused
    assert "<summary>student 0 to student 99</summary>" in page
    assert "The points of 5,000 students are in report.json." in markdown(found)


def test_no_name_reaches_a_terminal_or_turns_a_line(tiny, bundle, verdict):
    odd = "a\x1b[2Jb\x9bc\u202ed\u2066e"
    with Writer(tiny, NAME, bundle) as writer:
        writer.write(verdict(odd, notes=(f"repaired: {odd}",)))
        writer.write(verdict(f"z{odd}", reason=f"{odd} is no notebook"))
    page = summarise(NAME, tiny)
    for path in (page, page.with_suffix(".md"), page.parent / "report.json"):
        text = path.read_text("utf-8")
        assert not set(text) & set("\x1b\x9b\u202e\u2066"), path
    assert "a?[2Jb?c?d?e" in page.read_text("utf-8")


def test_a_note_of_before_the_word_repaired_is_still_told():
    row = {"student": "bo", "status": "graded", "score": 1.0, "max_score": 2.0}
    old = as_result(row | {"notes": ["mended: a mark", "tampered: it was mended: x"]})
    assert old.notes == ("repaired: a mark", "tampered: it was mended: x")
