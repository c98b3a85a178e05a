"""What a box can read: the paths that Python needs and those that a policy names."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from functools import cache, lru_cache
from typing import NamedTuple

from course_lib.errors import CourseError

SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
    "/sys/devices/system/cpu",  # how many there are: OpenMP asks
)
PREFIX = ("bin", "lib", "lib64", "etc", "share", "pyvenv.cfg")  # of an environment
WORK = "/submission"  # the work folder, where the file system is the box's own
OWN = ("/dev", "/proc", "/tmp", WORK)  # folders that such a box has for itself


class Layout(NamedTuple):
    """Paths without links in them, none under another, and the links to them."""

    paths: tuple[str, ...]
    links: tuple[tuple[str, str], ...]  # (where, to what), short ones first


@lru_cache(maxsize=64)
def layout(read: tuple[str, ...]) -> Layout:
    """Lay out what is read: the system's, Python's and the policy's paths.

    CourseError: a path of the policy is missing, or holds what a box has for itself.
    """
    for path in read:
        if not os.path.exists(path):
            raise CourseError(f"{path} is to be read in the sandbox, but is not there.")
        if any(contains(os.path.realpath(path), own) for own in OWN):
            message = "cannot be read in the sandbox as a whole: name what is in it."
            raise CourseError(f"{path} {message}")
    named = {os.path.abspath(path) for path in (*SYSTEM, *python(), *read)}
    real = {path: os.path.realpath(path) for path in named if os.path.exists(path)}
    paths = outermost({*real.values()})
    links = sorted((item for item in real.items() if item[0] != item[1]), key=len_first)
    return Layout(paths, tuple(links))


def len_first(link: tuple[str, str]) -> tuple[int, str]:
    return len(link[0]), link[0]


def outermost(paths: set[str]) -> tuple[str, ...]:
    """Drop the paths that lie under another one."""
    kept: list[str] = []
    for path in sorted(paths, key=lambda path: path.split("/")):
        if not kept or not contains(kept[-1], path):
            kept.append(path)
    return tuple(kept)


def contains(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


@cache
def python() -> tuple[str, ...]:
    """Return what this Python is made of, environment and loaded libraries included.

    Of an environment's folder only its known parts: a course may lie in the same one.
    """
    prefixes = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    paths = {os.path.join(prefix, part) for prefix in prefixes for part in PREFIX}
    paths |= {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    paths |= {sys.executable, os.path.realpath(sys.executable)}
    if site.getusersitepackages() in sys.path:
        paths.add(site.getusersitepackages())
    with open("/proc/self/maps") as maps:
        mapped = {
            line.split(maxsplit=5)[-1].strip() for line in maps if " r-xp " in line
        }
    return (*paths, *(path for path in mapped if path.startswith("/")))
