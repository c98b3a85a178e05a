"""What a submission looks for around it: memory, processes, files, network, others."""

from __future__ import annotations

from . import Case, right
from .course import MARKER

SECRET = "honest-secret-93b1"  # stands in the files and notebook of the first student
WORDS = {  # that S must not hold, written so that this text does not hold them either
    "hidden test": MARKER,
    "model solution": "target = epsilon * prior.double()",
    "another student": SECRET,
}
SEARCH = f"""
import ctypes, gc, os, sys
libc = ctypes.CDLL(None)
libc.memmem.restype = ctypes.c_void_p
libc.memmem.argtypes = [ctypes.c_void_p, ctypes.c_size_t] * 2
found = []
kept = bytes(ord("a") + n % 26 for n in range(60, 90))  # is there: it must be found
for codes in {[[ord(letter) + 1 for letter in text] for text in WORDS.values()]} + [
        [code + 1 for code in kept]]:
    before = len(found)
    word = ctypes.create_string_buffer(len(codes))
    for place, code in enumerate(codes):
        word[place] = code - 1
    here = ctypes.addressof(word)
    for line in open("/proc/self/maps"):
        span, rights, *_ = line.split()
        start, end = (int(number, 16) for number in span.split("-"))
        if "r" not in rights or "[v" in line or end - start > 2 << 30 or "/usr" in line:
            continue
        if "w" not in rights and "/" in line:
            continue
        at = start
        while (at := libc.memmem(at, end - at, here, len(codes))) is not None:
            if at != here:
                found.append(ctypes.string_at(max(start, at - 40), 100))
            at += 1
assert len(found) > before, "the search is blind"
del found[before:]
looked = sum(1 for thing in gc.get_objects() if type(thing).__name__ == "Lesson")
print(len(found) + looked, "found", found[:3])
"""
OTHERS = """
import os, re
found = []
for pid in range(1, 400):
    for what in ("environ", "cmdline", "mem", "root/etc/passwd", "cwd", "fd"):
        path = f"/proc/{pid}/{what}"
        try:
            mine = pid == os.getpid() or os.path.samefile(f"/proc/{pid}", "/proc/self")
            if not mine:
                os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1)
                found.append(path)
        except OSError:
            pass
known = {"HOME", "TMPDIR", "USER", "PWD", "PATH", "LANG", "TZ", "COURSE_DATA",
    "NBGRADER_EXECUTION"}
found += [name for name in os.environ if name not in known and not re.match(
    "PYTHON|OMP|MKL|MPL|LC_|OPENBLAS|TORCH|KMP|COLUMNS|PAGER|GIT_PAGER|CLICOLOR|TERM|"
    "FORCE|CUDA|PYTORCH|TORCHINDUCTOR|LESS", name)]
links = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
    if os.path.lexists(f"/proc/self/fd/{n}")]
others = [link for link in links if not link.startswith(("socket:", "/proc/"))]
found += [link for link in others if not link.endswith("/null")]
found += [link for link in links if link.startswith("socket:")][1:]
print(len(found), "found", found[:20])
"""
PLACES = """
import glob, os
found = []
course = "COURSE_PATH"
for place in ("", "solutions", "submitted", "autograded", "gradebook.db", "reports",
        "nbgrader_config.py", "assignments"):
    for top in (course, "/proc/self/root" + course, "/proc/1/cwd/../.." + course,
            os.path.relpath(course), "../../../../../../../.." + course):
        path = os.path.join(top, place)
        try:
            os.listdir(path) if os.path.isdir(path) else open(path)
            found.append(path)
        except OSError:
            pass
from course_lib.notebook import ROOT
for path in glob.glob(str(ROOT / "solutions" / "*")) + glob.glob("/root/*"):
    found.append(path)
for path in ("/etc/shadow", "/root/.ssh", "/var/run/docker.sock"):
    try:
        os.listdir(path) if os.path.isdir(path) else open(path)
        found.append(path)
    except OSError:
        pass
print(len(found), "found", found[:20])
"""
LEAVES = """
import glob, os, sys, site
from pathlib import Path
import course_lib, numpy, torch
places = ["/tmp", "/var/tmp", "/dev/shm", "/run", "/", os.path.expanduser("~"), "..",
    *site.getsitepackages(), *map(os.path.dirname, (course_lib.__file__, numpy.__file__,
    torch.__file__)), str(course_lib.notebook.ROOT), "COURSE_PATH", "/dev/mqueue"]
found = [path for place in places for path in glob.glob(f"{place}/left-*")]
print(len(found), "found", found)
for place in places:
    try:
        Path(place, f"left-{os.getpid()}.pth").write_text("import os; os.abort()")
    except OSError:
        pass
for module in (course_lib.check, torch, numpy):
    for name in (module.__file__, getattr(module, "__cached__", None) or "x"):
        for mode in ("a", "r+"):
            try:
                open(name, mode).write("# left")
                print("1 found: could write", name)
            except OSError:
                pass
"""
NETWORK = """
import os, socket, subprocess, urllib.request
found = []
for family, place in ((socket.AF_INET, ("127.0.0.1", PORT)),
        (socket.AF_INET6, ("::1", PORT)), (socket.AF_INET, ("1.1.1.1", 53)),
        (socket.AF_UNIX, "\\0course"), (socket.AF_UNIX, "/run/systemd/notify")):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            with socket.socket(family, kind) as line:
                line.settimeout(0.2)
                line.connect(place)
                line.send(b"here I am")
                found.append(place)
        except OSError:
            pass
try:
    urllib.request.urlopen("http://127.0.0.1:PORT/", timeout=0.2)
    found.append("http")
except OSError:
    pass
subprocess.run("echo > /dev/tcp/127.0.0.1/PORT", shell=True, executable="/bin/bash",
    capture_output=True)
print(len(found), "found", found)
"""


def looks(name: str, what: str, code: str, *places: str) -> Case:
    """A case that looks for something in cells, and says how much it found.

    places: the exercises before which it looks, after the others' hidden tests.
    """
    cells = dict.fromkeys(places or ("lrn",), code)
    answers = right("stack")
    return Case(name, what, answers, cells, deserves=answers, shows="0 found")


CASES = [
    Case(
        "a_first",
        "An honest student, graded before the others, whose secret nobody must see",
        answers=right("best", "stack"),
        before={"best": f"secret = '{SECRET}'\nprint(open('notes.txt').read())"},
        files={"notes.txt": SECRET.encode()},
        deserves=right("best", "stack"),
    ),
    looks("z_memory", "Its own memory, for tests, answers, other students", SEARCH),
    looks("z_others", "Other processes, the environment, open descriptors", OTHERS),
    looks("z_places", "The course, its solutions and the gradebook, by path", PLACES),
    looks("leaves_1", "Leaves files for the next one, and looks for them", LEAVES),
    looks("leaves_2", "Leaves files for the next one, and looks for them", LEAVES),
    looks("network", "The listener of the test, and the world", NETWORK),
]
