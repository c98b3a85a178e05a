"""The map of the units says what the notebooks and the README say."""

import io
import re

import pytest
from PIL import Image

from course_lib import landing, notebook
from course_lib.errors import CourseError
from course_lib.files import ROOT
from tests.rules import rule


def test_every_unit_is_on_the_page_with_all_its_parts():
    every = landing.units()
    assert [one.name for one in every] == notebook.units()
    for one in every:
        assert one.title.startswith(f"{one.name[:2]} · "), rule(
            "The first cell has `# NN · Title`, a claim of one paragraph"
        )
        for text in (one.claim, one.time, one.needs, one.builds, one.reproduces):
            assert text
            assert not {"|", "\n"} & set(text)
    alexnet = next(one for one in every if one.name == "04_alexnet")
    assert alexnet.title == "04 · AlexNet"
    assert alexnet.time == "2 minutes on two CPU cores"
    assert alexnet.needs == "convolution, pooling and gradient descent."
    assert alexnet.claim.endswith("the best pipeline of hand-made features.")
    assert alexnet.assignment == "a04_alexnet"


@pytest.mark.slow
def test_the_page_leads_to_files_and_shows_small_pictures(tmp_path):
    text = landing.write(tmp_path / "START.md").read_text("utf-8")
    links = re.findall(r"\]\(((?:notebooks|work)/[^)]+)\)", text)
    links = [link.replace("work/", "assignments/") for link in links]  # begun by it
    assert len(links) >= 2 * len(notebook.units()) - 2
    assert all((ROOT / link).is_file() for link in links)
    assert text.count("](data:image/png;base64,") == len(notebook.units()), rule(
        "One cell draws the unit's picture: tag it `thumbnail`."
    )
    assert len(text) < 400_000


def test_the_picture_is_of_the_tagged_cell():
    small = Image.open(io.BytesIO(landing.picture("11_mobilenet_v2", width=200)))
    assert (small.format, small.width) == ("PNG", 200)
    assert landing.picture("11_mobilenet_v2", 200) == landing.picture("11", 200)


def test_a_unit_without_a_row_or_a_time_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(landing, "ROOT", tmp_path)
    (tmp_path / "README.md").write_text("# no map\n")
    with pytest.raises(CourseError, match=r"README.md has no row for 04_alexnet"):
        landing.unit("04_alexnet")
    row = "| [04_alexnet](a) | b | c | [a04_alexnet](d) |\n"
    (tmp_path / "README.md").write_text(row)
    text = notebook.source("04_alexnet").read_text("utf-8")
    (tmp_path / "04_alexnet.py").write_text(text.replace("time here", "time there"))
    monkeypatch.setattr(notebook, "NOTEBOOKS", tmp_path)
    with pytest.raises(CourseError, match=r"04_alexnet.py: its first cell.*: time"):
        landing.unit("04_alexnet")
