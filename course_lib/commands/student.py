"""For everyone: is this machine ready, the data sets, the demo, an assignment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import filesize

from course_lib.commands import complete
from course_lib.commands.shared import (
    Assignment,
    Incomplete,
    Json,
    aside,
    console,
    line,
    print_json,
    show_findings,
    shown,
)


def doctor(
    grading: Annotated[
        bool, typer.Option("--grading", help="What grading can lock in here.")
    ] = False,
    as_json: Json = False,
):
    """Look whether this machine is ready; every line says what to do if it is not.

    Example: course doctor

    Example: course doctor --grading
    """
    if grading:
        import course_grader

        show_findings(course_grader.findings(), as_json)
        return
    from course_lib.doctor import examine

    show_findings(examine(), as_json)
    if not as_json:
        line("[green]Ready.[/] Next: `make lab`, or `course train 04_alexnet`")


def data(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="`list`, or data sets to fetch",
            autocompletion=complete.data_words,
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="The same as list.")] = False,
    as_json: Json = False,
):
    """Fetch data sets, verified; a download that was cut off goes on where it stopped.

    They go to $COURSE_DATA, or to data/ of this checkout.

    Example: course data list

    Example: course data cifar10 imagenette
    """
    from course_lib import data

    wanted = [name for name in names or () if name != "list"]
    with aside(as_json):
        for name in wanted:
            line(f"{name}: {shown(data.fetch(name))}")
    rows = data.available()
    if not show and wanted == names:
        rows = [row for row in rows if row.name in wanted] if as_json else []
    if as_json:
        print_json(rows)
        return
    for row in rows:
        line(f"[bold]{row.name}[/] {filesize.decimal(row.size)}, {row.terms}")
        line(f"  {shown(row.path or f'not here: {row.how}')}")


def shards(
    folder: Annotated[Path, typer.Argument(help="of images; with --verify, of shards")],
    out: Annotated[Path | None, typer.Argument(help="folder for the shards")] = None,
    images: Annotated[int, typer.Option(help="of each shard", min=1)] = 1000,
    skip: Annotated[
        int, typer.Option(help="how many broken images may be left out", min=0)
    ] = 100,
    workers: Annotated[
        int | None, typer.Option(help="processes; default: one a core", min=1)
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare shards with their checksums.")
    ] = False,
):
    """Write a folder of images as WebDataset shards: for what memory cannot hold.

    Training reads them as a stream, in constant memory: name the new folder as
    --data. Broken images are named and left out. After an interruption, the same
    command goes on.

    Example: course shards ~/imagenet ~/imagenet-shards

    Example: course shards --verify ~/imagenet-shards
    """
    from course_lib import data

    if verify == (out is not None):
        raise typer.BadParameter("give FOLDER and OUT, or --verify and one folder")
    if verify:
        made, what = data.verify_shards(folder), "as they were written"
    else:
        options = {"images": images, "skip": skip, "workers": workers}
        made, what = data.write_shards(folder, out, **options), f"in {out}"
    for shard in made:
        for _, reason in shard.skipped:
            line(f"[yellow]left out[/] {shown(reason)}")
    size = filesize.decimal(sum(shard.bytes for shard in made))
    count = sum(shard.images for shard in made)
    line(f"{count:,} images in {len(made):,} shards, {size}, {shown(what)}")


def demo(
    out: Annotated[
        Path | None, typer.Option(help="folder for all that is made; default: demo/")
    ] = None,
):
    """Show the whole course in two minutes: train, count, release, grade, hand back.

    Example: course demo --out /tmp/demo
    """
    from course_lib.demo import FOLDER, demo

    demo(out or FOLDER, console)


def start(
    assignment: Assignment,
    again: Annotated[
        bool, typer.Option("--again", help="Begin anew; what is there is put aside.")
    ] = False,
):
    """Lay a working copy of an assignment into work/, where git never touches it.

    A copy that is there stays as it is.

    Example: course start a04_alexnet
    """
    from course_lib.hand_in.work import start

    found = start(assignment, again)
    if found.aside:
        line(f"your copy so far: {shown(found.aside)}")
    line(f"{'yours' if found.is_new else 'there already'}: {shown(found.notebook)}")
    line(
        f"Open it in JupyterLab (`make lab`). Then: `course check {shown(assignment)}`"
    )


def check(
    assignment: Assignment,
    folder: Annotated[
        Path | None, typer.Option(help="with the notebook; default: it is looked for")
    ] = None,
    seconds: Annotated[int, typer.Option(help="that a cell may take", min=1)] = 300,
    as_json: Json = False,
):
    """Run your notebook from the top and say what its visible tests say.

    A row for each test: passed, or the reason why not. Your file is not changed.
    Hidden tests ask the same of other inputs after you hand in. The exit status is 3
    while something is open.

    Example: course check a04_alexnet
    """
    from rich.progress import Progress

    from course_lib.hand_in.checked import check_notebook, table
    from course_lib.hand_in.submit import find, named

    path = named(folder or find(assignment), assignment)
    with aside(as_json), Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"running {shown(path)}")

        def on_cell(done: int, cells: int) -> None:
            progress.update(task, completed=done, total=cells)

        rows = check_notebook(path, seconds, on_cell)
    if as_json:
        print_json(rows)
    else:
        console.print(table(rows))
    left = sum(row.status in ("failed", "unanswered") for row in rows)
    if left:
        raise Incomplete(f"{left} of {len(rows)} are open in {path}")
    if not as_json:
        line(f"All visible tests pass. Next: `course submit {shown(assignment)}`")


def progress(as_json: Json = False):
    """Say how far you are with each assignment: answered, handed in, due.

    Your copy in work/ comes first. `course check` says whether an answer is right.

    Example: course progress
    """
    from rich.table import Table

    from course_lib.hand_in.overview import overview

    rows = overview()
    if as_json:
        print_json(rows)
        return
    dated = any(row.due for row in rows)
    table = Table("assignment", "answered", "handed in", *["due"] * dated)
    for row in rows:
        answered = f"{row.answered} of {row.answers}" if row.notebook else "not begun"
        made = row.handed_in + " (changed since then)" * row.changed
        table.add_row(row.assignment, row.problem or answered, made, *[row.due] * dated)
    console.print(table)


def submit(
    assignment: Assignment,
    student: Annotated[
        str, typer.Option(help="you, as your instructor knows you; default: login")
    ] = "",
    folder: Annotated[
        Path | None, typer.Option(help="with the notebook; default: it is looked for")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="folder for the zip; default: work/")
    ] = None,
):
    """Make the zip that you hand in, after a look at what is still missing.

    It holds the notebook and what lies beside it: code, records, weights, pictures, but
    no data sets and no checkpoints. A warning keeps nobody from handing in.

    Example: course submit a04_alexnet --student "Ada Byron"
    """
    from course_lib.hand_in.submit import submit

    made = submit(assignment, student, folder, out)
    for text in made.warnings:
        line(f"[yellow]note[/] {shown(text)}")
    for inside, size in made.files.items():
        line(f"  {shown(inside)}  {filesize.decimal(size)}")
    if made.left_out:
        line(f"  left out: {shown(', '.join(made.left_out))}")
    if made.earlier:
        line(f"your earlier one is kept: {shown(made.earlier)}")
    line(f"receipt: {made.time}, sha256 {made.sha256}")
    line(f"hand in: {shown(made.path)}")
