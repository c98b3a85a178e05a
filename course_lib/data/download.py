"""Where data sets are, and how they get there: resumed, verified, all or nothing.

What a user put there by hand is verified, too, and stays as it is.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import shutil
import sys
import tarfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from course_lib.errors import CourseError
from course_lib.files import ROOT

CHUNK = 1 << 18  # bytes


class DataError(CourseError, ValueError):
    """Data that cannot be used: names the file, and says what to do."""


class Known(NamedTuple):
    """What to know of a data set before it is here."""

    places: tuple[str, ...]  # below the root; the first that exists is read
    size: int  # of the download, bytes
    terms: str


KNOWN = {
    "digits": Known((), 0, "UCI's handwritten digits, CC BY 4.0"),
    "fashion-mnist": Known(("FashionMNIST/raw",), 30_878_645, "MIT licence"),
    "cifar10": Known(
        ("cifar10.npz", "cifar-10-batches-py"),
        170_498_071,
        "no licence stated; for research, cite Krizhevsky 2009",
    ),
    "imagenette": Known(
        ("imagenette160", "imagenette2-160"),
        99_003_388,
        "images under ImageNet's terms: research and teaching, not commerce",
    ),
}


class Available(NamedTuple):
    """A known data set, as `course data --list` shows it."""

    name: str
    path: Path | None  # None: not here
    size: int  # bytes: on disk when here, else of the download
    terms: str
    how: str  # to get it


def data_root(root: str | Path | None = None) -> Path:
    """Return where data sets are: `root`, or $COURSE_DATA, or data/ of the course."""
    root = root or os.environ.get("COURSE_DATA")
    return Path(os.path.expanduser(root)) if root else ROOT / "data"


def find(name: str, root: Path) -> Path | None:
    """Return where the known data set lies below `root`, or None."""
    if name == "digits":
        sklearn = find_spec("sklearn")  # without importing it
        files = "datasets/data/digits.csv.gz"
        return Path(sklearn.origin).parent / files if sklearn else None
    places = (root / place for place in KNOWN[name].places)
    return next((place for place in places if os.path.exists(place)), None)


def available(root: str | Path | None = None) -> list[Available]:
    """List the known data sets: where each is, or how to get it."""
    rows = []
    for name, known in KNOWN.items():
        path = find(name, data_root(root))
        how = "here" if path else f"course data {name}"
        how = "comes with scikit-learn" if name == "digits" else how
        size = _bytes(path) if path else known.size
        rows.append(Available(name, path, size, known.terms, how))
    return rows


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def fetch(name: str, root: str | Path | None = None) -> Path:
    """Return where the known data set lies, after downloading it if it is not there.

    A download that was cut off or killed goes on where it stopped, with the same call.
    Addresses and checksums are those of torchvision. DataError says what went wrong.
    """
    if name not in KNOWN:
        raise DataError(f"no data set {name!r} to fetch: there are {', '.join(KNOWN)}")
    root = data_root(root)
    if path := find(name, root):
        return path
    from filelock import FileLock

    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(root / f".{name}.lock"):  # a killed process lets go of it
            if find(name, root) is None:  # another process may have been quicker
                _FETCH[name](root)
    except OSError as error:
        raise DataError(
            f"{name} is not in {root} and cannot be written there ({error}): set "
            "COURSE_DATA to a folder of yours with space"
        ) from error
    return find(name, root)


def _fetch_cifar10(root: Path) -> None:
    from torchvision.datasets import CIFAR10

    archive, folder = root / CIFAR10.filename, root / CIFAR10.base_folder
    _fetch_archive(CIFAR10.url, archive, CIFAR10.tgz_md5, folder)


def _fetch_imagenette(root: Path) -> None:
    from torchvision.datasets import Imagenette

    url, md5 = Imagenette._ARCHIVES["160px"]
    archive = root / url.rsplit("/", 1)[1]
    _fetch_archive(url, archive, md5, root / archive.stem)


def _fetch_archive(url: str, archive: Path, md5: str, folder: Path) -> None:
    """Make `folder` of an archive, which goes if it was not there before."""
    fetched = download(url, archive, md5)
    unpack(archive, folder)
    if fetched:
        archive.unlink()


def _fetch_fashion_mnist(root: Path) -> None:
    from torchvision.datasets import FashionMNIST

    raw = root / "FashionMNIST" / "raw"
    part = raw.with_name("raw.part")  # becomes raw when all four files are in it
    for filename, md5 in FashionMNIST.resources:
        archive = part / filename
        if not archive.with_suffix("").exists():
            download(FashionMNIST.mirrors[0] + filename, archive, md5)
            gunzip(archive)
    os.replace(part, raw)


_FETCH = {
    "cifar10": _fetch_cifar10,
    "fashion-mnist": _fetch_fashion_mnist,
    "imagenette": _fetch_imagenette,
}


def download(url: str, path: Path, checksum: str, attempts: int = 3) -> bool:
    """Bring `url` to `path`, through `path`.part, which a later call continues.

    `path` appears when it is complete and its checksum holds, and not before. What is
    there already must hold it, and is left as it is. Say whether it was brought.
    checksum: an md5, or the first digits of a sha256, 8 or more but not 32.
    """
    kind = "md5" if len(checksum) == 32 else "sha256"
    if path.exists():
        if (found := _checksum(path, kind, checksum)) != checksum:
            raise DataError(
                f"{path}, which was there, is damaged or another file: its {kind} is "
                f"{found} and not {checksum}. Replace it, or move it away and start "
                "the same command again to download it"
            )
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    for attempt in range(1, attempts + 1):
        try:
            _continue(url, part)
            break
        except HTTPError as error:
            raise _failed(url, path, error) from error
        except (OSError, http.client.HTTPException) as error:
            if attempt == attempts:
                raise _failed(url, path, error) from error
    if (found := _checksum(part, kind, checksum)) != checksum:
        part.unlink()
        raise DataError(
            f"the download of {path} is damaged, its {kind} is {found} and not "
            f"{checksum}: it has been deleted, so start the same command again"
        )
    os.replace(part, path)
    return True


def _checksum(path: Path, kind: str, like: str) -> str:
    """Return as many digits of a file's checksum as `like` has."""
    found = hashlib.new(kind, usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()[: len(like)]


def _continue(url: str, part: Path) -> None:
    """Append to `part` what is missing; a server without ranges sends all again."""
    here = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"User-Agent": "course-lib"})
    if here:
        request.add_header("Range", f"bytes={here}-")
    try:
        response = urlopen(request, timeout=30)
    except HTTPError as error:
        if here and error.code == 416:  # nothing is missing
            return
        raise
    with response:
        if not response.headers.get("Content-Range", "").startswith(f"bytes {here}-"):
            here = 0
        rest = response.headers.get("Content-Length")
        total = here + int(rest) if rest else None
        with (
            open(part, "ab" if here else "wb") as file,
            _bar(part, here, total) as show,
        ):
            while chunk := response.read(CHUNK):
                file.write(chunk)
                show(len(chunk))
            got = file.tell()
    if total is not None and got < total:
        raise ConnectionError(f"the connection ended at {got:,} of {total:,} bytes")


def _failed(url: str, path: Path, error: Exception) -> DataError:
    reason = getattr(error, "reason", None) or error
    code = f"{error.code} " if isinstance(error, HTTPError) else ""
    return DataError(
        f"{url} could not be downloaded ({code}{reason}): start the same command again "
        f"to go on, or put {path.name} into {path.parent} by hand, or set COURSE_DATA "
        "to a folder that has the data"
    )


@contextmanager
def _bar(part: Path, here: int, total: int | None):
    """Yield a function that takes how many bytes have come; a bar on a terminal."""
    if not sys.stdout.isatty():
        print(f"downloading {part.stem} to {part.parent}")
        yield lambda _: None
        return
    from rich import progress as rich

    columns = (
        "{task.description}",
        rich.BarColumn(),
        rich.DownloadColumn(),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns) as bar:
        task = bar.add_task(part.stem, total=total, completed=here)
        yield lambda more: bar.advance(task, more)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the `folder` in a verified .tgz, which appears when complete."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            inside = (part / member.name).resolve().is_relative_to(part.resolve())
            if not (inside and (member.isfile() or member.isdir())):
                raise tarfile.TarError(f"{archive} holds {member.name!r}: not unpacked")
        # Python before 3.11.4 knows no filters; the loop above stands in for it
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        tar.extractall(part, **safe)
    os.replace(part / folder.name, folder)
    shutil.rmtree(part)


def gunzip(archive: Path) -> None:
    """Replace a verified .gz by the file in it, which appears when complete."""
    part = archive.with_suffix(".part")
    with gzip.open(archive) as source, open(part, "wb") as target:
        shutil.copyfileobj(source, target)
    os.replace(part, archive.with_suffix(""))
    archive.unlink()
