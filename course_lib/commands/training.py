"""Networks outside Jupyter: train them, count them, show their records."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from course_lib.commands import complete
from course_lib.commands.shared import (
    Incomplete,
    Json,
    aside,
    console,
    line,
    plain,
    print_json,
    shown,
)
from course_lib.errors import CourseError
from course_lib.terminal import best_device


def train(
    unit: Annotated[
        str,
        typer.Argument(
            help="a notebook, e.g. 04_alexnet", autocompletion=complete.units
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            help="a data set's name, a folder or an .npz",
            autocompletion=complete.data_sets,
        ),
    ] = "digits",
    network: Annotated[
        str | None,
        typer.Option(
            help="constructor; default: the unit's …_small",
            autocompletion=complete.networks,
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="passes over the images", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="of weights, order, dropout", min=0)] = 0,
    size: Annotated[int, typer.Option(help="pixels a side", min=1)] = 32,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 …")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="another field of the recipe, e.g. learning_rate=0.02"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="folder for checkpoint, weights and record")
    ] = None,
    note: Annotated[str, typer.Option(help="a sentence to keep in the record")] = "",
    profile: Annotated[
        bool,
        typer.Option("--profile", help="Say where the time of a step goes; stop then."),
    ] = False,
):
    """Train a notebook's network outside Jupyter and write a training record.

    The recipe is the notebook's own for this data set. Stop it when you like: the same
    command goes on from the last checkpoint, at most a minute back.

    Example: course train 04_alexnet --data cifar10

    Example: course train 08_resnet --network "resnet_small(56)" --set momentum=0.8

    Example: course train 05_vgg --profile

    Example: torchrun --nproc-per-node 4 -m course_lib train 08_resnet --data cifar10
    """
    from course_lib.networks import prepared, train_unit
    from course_lib.recipe_fields import assignment

    changes = {} if epochs is None else {"epochs": epochs}
    changes |= dict(assignment(text) for text in set_ or [])
    device = device and str(best_device(device))
    choices = (network, size, seed, changes, device, out, note)
    try:
        if profile:
            ready = prepared(unit, data, network, size, {"seed": seed} | changes)
            return show_profile(ready, device)
        path, record = train_unit(unit, data, *choices, say=console.print)
    except KeyboardInterrupt as stop:
        message = "stopped; the same command goes on from the last checkpoint"
        raise CourseError(message) from stop
    except RuntimeError as error:  # PyTorch's: of shapes, or of memory
        reason = str(error).partition("\n")[0]
        raise CourseError(
            f"{unit} cannot be trained on {data} at {size} pixels: {reason}"
        ) from error
    if record:
        line(shown(record.summary))
        line(f"record: {shown(path)}")


def show_profile(ready, device: str | None) -> None:
    """Print where the time of a training step goes."""
    from course_lib.profiling import in_words, multiplies, profile

    found = profile(ready.model, ready.images["train"], ready.recipe, device)
    step, images = sum(found.phases.values()), ready.images["train"].name
    title = f"A step of {ready.name} on {images}, {ready.recipe.batch_size} images"
    table = Table("part", "ms", "share", "what happens", title=title)
    for name, time in found.phases.items():
        table.add_row(name, f"{time:.1f}", f"{time / step:.0%}", PARTS[name])
    console.print(table)
    console.print(f"{step:.1f} ms a step, {found.images_per_second:,.0f} images/s")
    table = Table("operation", "PyTorch's name", "share", "", title="The computing")
    for name, share in list(found.operations.items())[:8]:
        kind = "multiplies" if multiplies(name) else "moves memory"
        table.add_row(in_words(name), name, f"{share:.0%}", kind)
    console.print(table)
    longest = max(found.phases, key=found.phases.get)
    line(f"Most time goes to {longest}. {ADVICE[longest == 'data']}")
    line(
        f"{found.memory_bound:.0%} of the computing mostly moves memory: smaller "
        "tensors (bfloat16) make it faster, faster arithmetic does not"
    )


PARTS = {
    "data": "a batch is chosen, augmented and normalised",
    "forward": "images go through the network to logits",
    "backward": "loss, and gradients of all weights",
    "optimiser": "the weights take a step",
}
ADVICE = (
    "A smaller network or a faster device makes a step shorter.",
    "The network waits for images: a faster device makes nothing shorter.",
)


def cost(
    units: Annotated[
        list[str],
        typer.Argument(
            help="units, or unit.network", autocompletion=complete.units_and_networks
        ),
    ],
    size: Annotated[
        int | None,
        typer.Option(help="pixels a side; default: the network's own", min=1),
    ] = None,
    layers: Annotated[bool, typer.Option(help="Show every layer.")] = False,
    as_json: Json = False,
):
    """Print what networks cost: parameters, multiply-accumulates, memory, by layer.

    Example: course cost 04_alexnet 08_resnet

    Example: course cost 04_alexnet.alexnet_small --layers
    """
    from course_lib import flops
    from course_lib.networks import costs

    found = {name: row for unit in units for name, row in costs(unit, size).items()}
    if as_json:
        left_out = () if layers else ("layers",)
        rows = [{"network": name} | plain(row) for name, row in found.items()]
        print_json([without(row, *left_out) for row in rows])
        return
    if layers:
        for name, row in found.items():
            console.rule(name)
            console.print(row)
    console.print(flops.compare(found))


def without(row: dict, *names: str) -> dict:
    return {key: value for key, value in row.items() if key not in names}


results = typer.Typer(invoke_without_command=True)
Records = Annotated[
    list[Path] | None, typer.Argument(help="default: all in data/results")
]


@results.callback()
def results_shown(ctx: typer.Context):
    """Show the training records; `verify` measures their weights again.

    Example: course results list

    Example: course results verify
    """
    if ctx.invoked_subcommand is None:
        results_list()


@results.command("list")
def results_list(paths: Records = None, as_json: Json = False):
    """Show each record in two lines; of one that cannot be read, the reason.

    Example: course results list --json
    """
    found = {path: opened(path) for path in chosen(paths)}
    if as_json:
        print_json([facts(path, *one) for path, one in found.items()])
    for path, (record, why) in found.items() if not as_json else ():
        show_record(path, record)
        if why:
            line(f"  {shown(why)}")
    if wrong := sum(record is None for record, _ in found.values()):
        raise Incomplete(f"{wrong} of {len(found)} records cannot be read")


@results.command("verify")
def results_verify(paths: Records = None, as_json: Json = False):
    """Measure the weights of each record again, on the images that it names.

    One that cannot be measured is listed with the reason, and stops no other. Runs that
    were kept without weights, as those of a grid, are listed only if named.

    Example: course results verify data/results/05_vgg-vgg_small-cifar10-seed0.json
    """
    rows, records = [], {path: opened(path) for path in chosen(paths)}
    if not paths:
        records = {path: found for path, found in records.items() if kept(found[0])}
    for path, (record, why) in records.items():
        if not as_json:
            show_record(path, record)
        with aside(as_json):
            found = measure(path)
        rows.append(facts(path, record, why) | found)
        if not as_json:
            line(f"  {shown(found['verdict'])}")
    if as_json:
        print_json(rows)
    if wrong := sum(not row["confirmed"] for row in rows):
        raise Incomplete(f"{wrong} of {len(rows)} records were not confirmed")


def kept(record) -> bool:
    """Say whether there should be weights: a damaged record may have had them."""
    return record is None or bool(record.weights)


def chosen(paths: list[Path] | None) -> list[Path]:
    """Return the records that are asked for: by path, or by a name in data/results."""
    from course_lib.results import RESULTS

    known = {path.stem: path for path in sorted(RESULTS.glob("*.json"))}
    return [known.get(str(path), path) for path in paths or known.values()]


def opened(path: Path) -> tuple:
    """Return a record and "", or None and what is wrong with a file that is there."""
    from course_lib.results import ResultsError, read

    try:
        return read(path), ""
    except ResultsError as error:
        if not path.with_suffix(".json").exists():
            raise
        return None, str(error)


def show_record(path: Path, record) -> None:
    line(f"[bold]{shown(path.stem)}[/]")
    if record:
        line(f"  {shown(record.summary)}")


def facts(path: Path, record, why: str) -> dict:
    """Return a record for JSON, without its curve, which the file holds."""
    more = without(plain(record), "history") if record else {"damaged": why}
    return {"name": path.stem, "path": str(path)} | more


def measure(path: Path) -> dict:
    """Verify a record; return what was measured and a verdict in words."""
    from course_lib.results import verify

    try:
        found = verify(path)
    except CourseError as error:
        return {"measured": None, "confirmed": False, "verdict": str(error)}
    verdict = "confirmed" if found.ok else "NOT confirmed"
    if not found.same_images:
        verdict = "other images than the record's, so not comparable"
    verdict = f"measured here: {found.measured.top1:.2%}, {verdict}"
    score = plain(found.measured)
    return {"measured": score, "confirmed": found.ok, "verdict": verdict}


def records(
    action: Annotated[str, typer.Argument(help="show or run")] = "show",
    names: Annotated[
        list[str] | None, typer.Argument(help="default: the whole table")
    ] = None,
    as_json: Json = False,
):
    """Show the queue of training records; `run` computes what is missing or stale.

    It takes only time that nobody else wants; kill it when you like, the same command
    goes on. Checkpoints are in $COURSE_RUNS, or else in data/runs/.

    Example: course records --json

    Example: course records run 04_alexnet-alexnet_small-cifar10-long
    """
    from course_lib.records import queue, view

    if action not in ("show", "run"):
        raise CourseError(f"course records {action}: expected show or run")
    with aside(as_json):
        failed = run_queue(names) if action == "run" else ""
    if as_json:
        print_json(view.rows(queue.jobs(names)))
    elif action == "show":
        show_queue(view.rows(queue.jobs(names)))
    if failed:
        raise Incomplete(failed)


def run_queue(names: list[str] | None) -> str:
    """Compute the queue; return which records could not be made, or nothing."""
    from course_lib.records import queue

    try:
        made = queue.run(names, say=partial(print, flush=True))
    except KeyboardInterrupt as stop:
        message = "stopped; the same command goes on from the last checkpoint"
        raise CourseError(message) from stop
    except queue.Unfinished as error:
        return str(error)
    line(f"{made} records made")
    return ""


def show_queue(rows: list[dict]) -> None:
    from course_lib.records.view import table

    console.print(table(rows))
    for row in rows:
        if row["state"] == "damaged":
            line(shown(row["why"]))
