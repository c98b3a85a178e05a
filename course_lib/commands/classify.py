"""What is on this photo? The course's own networks with published weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from course_lib.commands import complete
from course_lib.commands.shared import Json, aside, line, print_json, shown
from course_lib.errors import CourseError


def classify(
    photo: Annotated[Path, typer.Argument(help="an image, e.g. a .jpg")],
    network: Annotated[
        str,
        typer.Option(
            help="e.g. 08_resnet, 08_resnet.18 or 12_efficientnet.lite0",
            autocompletion=complete.published_networks,
        ),
    ] = "08_resnet",
    out: Annotated[
        Path | None, typer.Option(help="picture; default: PHOTO-NETWORK.png here")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a photo shows: the five likeliest of ImageNet's 1,000 classes.

    The network is the one that the notebook builds. Its weights are those that
    torchvision publishes, downloaded once and verified. Those of 12_efficientnet.lite0
    come with a package, so that it needs no download.

    Example: course classify dog.jpg --network 11_mobilenet_v2

    Example: course classify dog.jpg --network 12_efficientnet.lite0 --out answer.png
    """
    from course_lib import classify as photos

    with aside(as_json):
        answer = photos.classify(photo, network)
    path = out or Path(f"{photo.stem}-{answer.network}.png")
    if path.exists() and path.samefile(photo):
        raise CourseError(f"{path} is the photo itself: name another file with --out")
    photos.draw(answer, path)
    if as_json:
        facts = {"photo": photo, "network": answer.network, "picture": path}
        print_json(facts | {"classes": answer.likely})
        return
    width = max(len(one.name) for one in answer.likely)
    for name, probability in answer.likely:
        bar = "█" * round(40 * probability)
        line(f"{probability:6.1%}  {shown(name):{width}}  [cyan]{bar}[/]")
    line(f"picture: {shown(path)}")
