"""The sandbox, attacked for real: a warm process forks boxes that run what is here.

This file is also that process's program: `python test_sandbox.py` reads jobs, a line of
JSON each, and answers them. So boxes start from one thread, whatever pytest does.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import mmap
import os
import resource
import select
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from course_grader import sandbox
from course_grader.sandbox import kernel, limits, users
from course_lib.errors import CourseError

MB = 1 << 20
pytestmark = pytest.mark.slow
TOKEN = "c0ffee-" + "1234567890"  # in the warm process's environment, for nobody


# The warm process ------------------------------------------------------------------


def serve() -> None:
    """Answer jobs until the input ends: which function, in which box, ended how."""
    print("text in the buffer when boxes are forked", end="\n\n")
    for line in sys.stdin:
        job = json.loads(line)
        try:
            answer = run_job(**job)
        except CourseError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


def run_job(
    name: str, arguments: list, level: str, policy: dict, seconds: float
) -> dict:
    """Run a function of this file in a box; `alive` if the box did not let go."""
    if name == "import torch":
        import torch  # noqa: F401

        return {}
    if name == "trouble":
        return {"error": sandbox.trouble(level)}
    read, write = os.pipe()
    os.set_inheritable(write, True)

    def run() -> None:
        try:
            value = globals()[name](*arguments)
        except Exception as error:
            os.write(write, json.dumps(f"raised {error!r}").encode())
            raise
        os.write(write, json.dumps(value).encode())

    policy["read"] = tuple(policy.get("read", ()))
    with sandbox.start(sandbox.Policy(**policy), run, [write], level) as box:
        os.close(write)
        status = box.wait(seconds)
    with open(read) as file:
        alive = not select.select([file], [], [], 5)[0]  # somebody holds the other end
        text = "" if alive else file.read()
    return {
        "status": status,
        "value": json.loads(text) if text else None,
        "alive": alive,
        **box.usage()._asdict(),
    }


class Warm:
    """The warm process, from pytest's side."""

    def __init__(self):
        env = os.environ | {"OMP_NUM_THREADS": "1", "SECRET_TOKEN": TOKEN}
        env.pop("PYTHONUNBUFFERED", None)  # or nothing would be in the buffer
        self.heard = False
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )

    def __call__(self, name, *arguments, level="namespaces", seconds=30, **policy):
        """Run a function in a box and return how that went; CourseError as there."""
        name = getattr(name, "__name__", name)
        job = (name, arguments, level, policy, seconds)
        names = ("name", "arguments", "level", "policy", "seconds")
        self.process.stdin.write(json.dumps(dict(zip(names, job, strict=True))) + "\n")
        self.process.stdin.flush()
        if not self.heard:  # the buffer is written with the first answer, and once
            assert self.process.stdout.readline().startswith("text in the buffer")
            assert self.process.stdout.readline() == "\n"
            self.heard = True
        answer = json.loads(self.process.stdout.readline())
        if answer.get("error"):
            raise CourseError(answer["error"])
        return SimpleNamespace(**answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def warm():
    process = Warm()
    yield process
    process.close()


def skip_without(warm, level: str) -> str:
    if sys.platform != "linux":
        pytest.skip("the sandbox is Linux's")
    try:
        warm("trouble", level=level)
    except CourseError as error:
        pytest.skip(str(error))
    return level


@pytest.fixture(params=["namespaces", "landlock"])
def level(request, warm) -> str:
    return skip_without(warm, request.param)


@pytest.fixture
def namespaces(warm) -> str:
    return skip_without(warm, "namespaces")


@pytest.fixture
def landlock(warm) -> str:
    return skip_without(warm, "landlock")


@pytest.fixture
def course(tmp_path) -> Path:
    """A folder with a solution that no box may see, and a release that it may read."""
    course = tmp_path / "course"
    (course / "release").mkdir(parents=True)
    (course / "release" / "task.txt").write_text("the task")
    (course / "release" / "way_out").symlink_to("../solution.txt")
    (course / "release" / "far_out").symlink_to(course / "solution.txt")
    (course / "solution.txt").write_text("the solution")
    return course


# Files -----------------------------------------------------------------------------


def attempt(action, *arguments) -> str:
    """Return the name of the error that an action meets, or its result as text."""
    try:
        return str(action(*arguments))
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)


def read(path: str) -> str:
    return attempt(lambda: Path(path).read_text())


def look_around(release: str, course: str) -> dict[str, str]:
    os.chdir(release)
    ways = {
        "task": "task.txt",
        "beside": f"{course}/solution.txt",
        "parent": "../solution.txt",
        "link": "way_out",
        "absolute link": "far_out",
        "own process": f"/proc/self/root{course}/solution.txt",
        "root's parent": f"/../../..{course}/solution.txt",
        "gradebook": str(Path.cwd() / "../gradebook.db"),
        "host": "/etc/shadow",
    }
    return {name: read(path) for name, path in ways.items()}


def test_what_is_not_named_cannot_be_read(warm, level, course):
    release = str(course / "release")
    seen = warm(look_around, release, str(course), level=level, read=[release]).value
    assert seen.pop("task") == "the task"
    assert set(seen.values()) <= {"ENOENT", "EACCES"}


def own_link(target: str) -> list[str]:
    os.symlink(target, "mine")
    hard = attempt(os.link, target, "hard")
    return [read("mine"), hard, attempt(os.rename, target, "moved")]


def test_links_that_a_box_makes_lead_nowhere(warm, level, course):
    found = warm(own_link, str(course / "solution.txt"), level=level).value
    assert set(found) <= {"ENOENT", "EACCES", "EPERM", "EXDEV"}
    assert (course / "solution.txt").read_text() == "the solution"


def names(folder: str) -> str:
    return attempt(lambda: sorted(os.listdir(folder)))


def test_folders_of_its_own_show_only_what_is_read(warm, namespaces, course):
    release = str(course / "release")
    seen = warm(names, str(course), read=[release, f"{release}/task.txt", release])
    assert seen.value == "['release']"


def test_a_path_through_a_link_is_read_by_both_names(warm, level, course, tmp_path):
    (tmp_path / "short").symlink_to(course / "release")
    path = f"{tmp_path}/short/task.txt"
    assert warm(read, path, level=level, read=[path]).value == "the task"
    other = f"{course}/release/task.txt"
    assert warm(read, other, level=level, read=[path]).value == "the task"


def test_what_a_box_may_not_read_is_known_before(warm, namespaces, course):
    if users.strangers() is None:
        pytest.skip("boxes are the user that made the files")
    release = course / "release"
    paths = [release, release / "task.txt"]
    assert sandbox.closed(map(str, paths)) == []
    for path in paths:
        before = stat.S_IMODE(path.stat().st_mode)
        path.chmod(0o700)
        assert sandbox.closed(map(str, paths)) == [str(path)]
        seen = warm(read, f"{release}/task.txt", read=[str(release)]).value
        assert seen == "EACCES"
        path.chmod(before)


def spoil(folder: str) -> list[str]:
    file = f"{folder}/task.txt"
    return [
        attempt(lambda: Path(file).write_text("mine")),
        attempt(lambda: Path(f"{folder}/new.txt").write_text("mine")),
        attempt(os.unlink, file),
        attempt(os.rename, file, f"{folder}/other.txt"),
        attempt(os.truncate, file, 0),
        attempt(os.mkdir, f"{folder}/new"),
        attempt(os.open, file, os.O_RDONLY | os.O_TRUNC),
    ]


def test_what_is_read_cannot_be_changed(warm, level, course):
    release = course / "release"
    for path in (release, release / "task.txt"):
        path.chmod(0o777)
    before = (release / "task.txt").stat()
    errors = warm(spoil, str(release), level=level, read=[str(release)]).value
    assert set(errors) <= {"EROFS", "EACCES"}
    assert (release / "task.txt").read_text() == "the task"
    assert sorted(path.name for path in release.iterdir()) == [
        "far_out",
        "task.txt",
        "way_out",
    ]
    assert (release / "task.txt").stat().st_mtime_ns == before.st_mtime_ns


def change_metadata(path: str) -> None:
    for change in (
        lambda: os.chmod(path, 0o600),
        lambda: os.utime(path, (0, 0)),
        lambda: os.fchmod(os.open(path, os.O_RDONLY), 0o600),
        lambda: os.setxattr(path, "user.mark", b"mine"),
    ):
        attempt(change)


def test_mode_and_time_of_files_outside_stay(warm, level, course):
    """Landlock does not govern them, and the box may be the files' owner."""
    path = course / "release" / "task.txt"
    before = path.stat()
    warm(change_metadata, str(path), level=level, read=[str(path)])
    after = path.stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert os.listxattr(path) == []


def leave_files(*more: str) -> list[str]:
    found = []
    for folder in (".", tempfile.gettempdir(), os.environ["HOME"], *more):
        found += os.listdir(folder)
    for folder in (".", tempfile.gettempdir(), *more):
        Path(folder, "for_the_next.txt").write_text("answers")
    return found


def test_a_box_starts_empty(warm, level):
    more = ["/dev/shm"] if level == "namespaces" else []
    for _ in range(2):
        found = set(warm(leave_files, *more, level=level).value)
        assert found <= set(Path(sys.prefix).parts), "beside where Python lies"


def leave_a_maze() -> bool:
    os.mkdir("closed", 0o000)
    os.mkdir("lists", 0o300)
    os.symlink("/", "lists/root")
    for _ in range(700):  # deeper than a path may be long
        os.mkdir("deeper")
        os.chdir("deeper")
    Path("end").write_text("deep")
    return True


def test_nothing_is_left_on_disk(warm, landlock):
    before = folders()
    assert warm(leave_a_maze, level="landlock").value
    assert gone(folders() - before)


def folders() -> set[Path]:
    """The folders of boxes on disk, those of other tests at this moment included."""
    return set(Path(tempfile.gettempdir()).glob("course-box-*"))


def gone(left: set[Path], seconds: float = 60) -> bool:
    """Wait for what other tests may have made meanwhile; what is ours would stay."""
    end = time.monotonic() + seconds
    while any(path.exists() for path in left) and time.monotonic() < end:
        time.sleep(0.1)
    return not any(path.exists() for path in left)


# Processes and signals -------------------------------------------------------------


def visible_processes() -> list[str]:
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(*os.listdir('/proc'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in child.stdout.split() if name.isdigit()]


@pytest.fixture
def own_proc(warm, namespaces):
    if warm(names, "/proc").value == "ENOENT":
        pytest.skip("/proc cannot be mounted here, so boxes have none")


def test_proc_shows_only_own_processes(warm, own_proc):
    assert warm(visible_processes).value == ["1", "2"]


def attack_process(pid: int) -> list[str]:
    return [
        attempt(os.kill, pid, signal.SIGTERM),
        attempt(os.kill, pid, 0),
        attempt(os.killpg, os.getppid(), signal.SIGTERM) if os.getppid() else "ESRCH",
        attempt(resource.prlimit, pid, resource.RLIMIT_CPU, (1, 1)),
        read(f"/proc/{pid}/environ"),
        attempt(os.open, f"/proc/{pid}/mem", os.O_RDWR),
        attempt(os.listdir, f"/proc/{pid}/fd"),
    ]


def test_the_worker_cannot_be_reached(warm, level):
    errors = warm(attack_process, warm.process.pid, level=level).value
    assert set(errors) <= {"ESRCH", "EPERM", "EACCES", "ENOENT"}
    assert warm(names, ".", level=level).value == "[]"  # it lives


def daemonise(end: bool) -> None:
    """Leave a grandchild that is in no session and heeds no signal."""
    if os.fork():
        time.sleep(0.2 if end else 60)
        return
    attempt(os.setsid)
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(60)


@pytest.mark.parametrize("end", [True, False], ids=["ended", "killed"])
def test_no_grandchild_outlives_its_box(warm, level, end):
    outcome = warm(daemonise, end, level=level, seconds=1)
    assert outcome.status == (0 if end else None)
    assert not outcome.alive


def wait_for_ever() -> None:
    time.sleep(60)


def test_a_box_dies_with_its_worker(level):
    """The box holds the worker's standard error; its end shows that all are dead."""
    program = (
        "import sys, time; from course_grader import sandbox\n"
        "policy = sandbox.Policy(read=())\n"
        f"sandbox.start(policy, lambda: time.sleep(60), [2], {level!r})\n"
        "print('started', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as worker:
        assert worker.stdout.readline() == b"started\n"
        worker.kill()
        assert select.select([worker.stderr], [], [], 5)[0]
        assert worker.stderr.read() == b""


def test_what_a_killed_worker_leaves_the_next_removes(warm, landlock):
    program = (
        "import os, signal; from course_grader import sandbox\n"
        "kill = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
        "box = sandbox.start(sandbox.Policy(read=()), lambda: None, [], 'landlock')\n"
    )
    before = folders()
    subprocess.run([sys.executable, "-c", program + "kill()"])
    left = folders() - before
    assert left
    for path in left:
        os.utime(path, (0, 0))  # an hour later, say
    subprocess.run([sys.executable, "-c", program + "box.kill()"], check=True)
    assert gone(left)


def count_forks() -> int:
    for count in range(200):
        try:
            if os.fork() == 0:
                time.sleep(60)
        except BlockingIOError:
            return count
    return 200


def count_threads() -> int:
    for count in range(200):
        try:
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        except RuntimeError:
            return count
    return 200


def is_everywhere_root() -> bool:
    """Root that can become nobody else: no limit of processes holds for it."""
    return os.geteuid() == 0 and users.strangers() is None


@pytest.mark.parametrize("bomb", [count_forks, count_threads])
def test_a_fork_bomb_is_bounded(warm, level, bomb):
    if is_everywhere_root():
        pytest.skip("the kernel does not limit the number of root's processes")
    outcome = warm(bomb, level=level, processes=20)
    assert outcome.value == 20
    assert not outcome.alive


# Memory, time, disk ----------------------------------------------------------------


def allocate(how: str, size: int) -> str:
    try:
        if how == "heap":
            return f"{len(bytearray(size))} bytes"
        if how == "shared":
            return f"{len(mmap.mmap(-1, size))} bytes"
        code = f"print(len(bytearray({size})))"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.stderr.strip().splitlines()[-1] if done.stderr else done.stdout
    except (MemoryError, OSError) as error:
        return type(error).__name__


@pytest.mark.parametrize("how", ["heap", "shared", "program"])
def test_memory_is_bounded(warm, level, how):
    small = warm(allocate, how, 100 * MB, level=level, memory=300 * MB)
    assert str(100 * MB) in small.value
    large = warm(allocate, how, 2000 * MB, level=level, memory=300 * MB)
    assert large.value in ("MemoryError", "OSError")


def spin() -> None:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while True:
        pass


@pytest.mark.slow
def test_cpu_time_is_bounded(warm, level):
    outcome = warm(spin, level=level, cpu=0.5)
    assert outcome.status == -signal.SIGKILL
    assert 0.9 < outcome.cpu < 3


def fill(folder: str, size: int) -> list:
    """Write a file of `size` bytes after another until refused; bytes and error."""
    written, number, block = 0, 0, bytes(MB)
    while True:
        try:
            with open(f"{folder}/filler{number}", "wb", buffering=0) as file:
                for _ in range(size // MB):
                    written += file.write(block)
        except OSError as error:
            return [written, errno.errorcode[error.errno]]
        number += 1


def fill_all() -> list:
    return [fill(folder, 4 * MB) for folder in (".", "/tmp", "/dev/shm")]


def test_the_scratch_folders_share_one_limit(warm, namespaces):
    filled = warm(fill_all, scratch=20 * MB).value
    assert {error for _, error in filled} == {"ENOSPC"}
    assert 15 * MB < sum(written for written, _ in filled) <= 20 * MB


def count_files() -> list:
    for count in range(100_000):
        try:
            os.close(os.open(f"file{count}", os.O_CREAT | os.O_WRONLY))
        except OSError as error:
            return [count, errno.errorcode[error.errno]]


def test_the_number_of_files_is_bounded(warm, namespaces):
    count, error = warm(count_files, scratch=4 * MB).value
    assert error == "ENOSPC"
    assert 500 < count < 2000


def test_a_file_is_bounded(warm, level):
    written, error = warm(fill, ".", 64 * MB, level=level, file_size=8 * MB).value
    assert (written, error) == (8 * MB, "EFBIG")


def open_many() -> list:
    files = []
    with contextlib.suppress(OSError):
        while True:
            files.append(open("/dev/null"))  # noqa: SIM115
    return [file.fileno() for file in files]


def test_descriptors_are_closed_and_bounded(warm, level):
    """The answer's pipe is one that is kept."""
    numbers = warm(open_many, level=level, files=40).value
    assert len(numbers) == 40 - 4
    assert numbers[0] == 3
    assert max(numbers) == 39


# The kernel's other doors ----------------------------------------------------------


def call(name: str, *arguments) -> str:
    return attempt(kernel.call, name, *arguments)


def try_calls() -> dict[str, str]:
    new_user, new_net = 0x10000000, 0x40000000
    return {
        "ptrace": call("ptrace", 0, 0, 0, 0),
        "process_vm_readv": call("process_vm_readv", 1, None, 0, None, 0, 0),
        "mount": call("mount", b"none", b".", b"tmpfs", 0, None),
        "umount2": call("umount2", b"/usr", 2),
        "open_tree": call("open_tree", -100, b"/", 1),
        "fsopen": call("fsopen", b"tmpfs", 0),
        "unshare": call("unshare", new_user),
        "clone": call("clone", new_user | signal.SIGCHLD, 0, 0, 0, 0),
        "clone network": call("clone", new_net | signal.SIGCHLD, 0, 0, 0, 0),
        "chroot": attempt(os.chroot, "."),
        "pivot_root": call("pivot_root", b".", b"."),
        "clone beside": call("clone", 0x8000 | signal.SIGCHLD, 0, 0, 0, 0),
        "outlive": call("prctl", kernel.PR_SET_PDEATHSIG, 0, 0, 0, 0),
        "bpf": call("bpf", 0, None, 0),
        "keyctl": call("keyctl", 0, -3, 0),
        "io_uring": call("io_uring_setup", 1, None),
        "userfaultfd": call("userfaultfd", 0),
        "perf": call("perf_event_open", None, 0, -1, -1, 0),
        "memfd": attempt(os.memfd_create, "bomb"),
        "shmget": call("shmget", 0, 1 << 30, 0o1600),
        "setsid": attempt(os.setsid),
        "sethostname": attempt(socket.sethostname, "mine"),
        "personality": call("personality", 0x0040000),
        "setuid": attempt(os.setuid, 0),
        "mknod": attempt(os.mknod, "disk", 0o600 | stat.S_IFBLK, os.makedev(254, 0)),
        "chown": attempt(os.chown, "/usr/bin", os.getuid(), -1),
    }


def test_the_kernel_refuses(warm, level):
    errors = warm(try_calls, level=level).value
    if level == "landlock":
        assert errors.pop("chown") == "None"  # it says so and does nothing
    if is_everywhere_root():
        assert errors.pop("setuid") in ("None", "EINVAL")  # of no use: no capability
    others = {"setuid": "EINVAL", "mknod": "EACCES"}  # no such user; Landlock
    assert {
        name: error
        for name, error in errors.items()
        if error not in ("EPERM", "EROFS", others.get(name))
    } == {}


def test_clone3_is_unknown_so_that_libraries_fall_back(warm, level):
    assert warm(call, "clone3", None, 0, level=level).value == "ENOSYS"


def newer_calls() -> list[str]:
    libc = kernel.libc
    answers = [(libc.syscall(470 + n), ctypes.get_errno()) for n in (0, 1, 500)]
    return [errno.errorcode[code] for said, code in answers if said == -1]


def test_a_call_newer_than_the_list_is_unknown(warm, level):
    assert warm(newer_calls, level=level).value == ["ENOSYS"] * 3


def own_priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def test_a_box_may_stand_back_behind_others(warm, level):
    before = os.nice(0)
    assert warm(own_priority, level=level, nice=5).value == min(before + 5, 19)


def spin_for(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def compete(seconds: float) -> list[float]:
    """Two boxes on one CPU: how long each stood in the queue, s."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    boxes = [sandbox.start(sandbox.Policy(()), lambda: spin_for(seconds)) for _ in "12"]
    os.sched_setaffinity(0, before)
    for box in boxes:
        box.wait()
    return [box.usage().waited for box in boxes]


def test_usage_tells_who_was_kept_waiting_and_who_was_killed(warm):
    if not Path("/proc/self/schedstat").exists():
        pytest.skip("this kernel does not count who waits")
    run = (
        "from tests.grading import test_sandbox as here; import json;"
        "print(json.dumps([here.compete(0.3), here.killed()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", run], capture_output=True, text=True, check=True
    )
    waited, taken = json.loads(done.stdout)
    assert min(waited) > 0.1
    assert taken == [True, False, False, False]


def killed() -> list[bool]:
    """Was it taken: killed from outside, by its worker, by its limit, not at all?"""
    found = []
    for run, end in (
        (wait_for_ever, lambda box: os.kill(box.pid, signal.SIGKILL)),
        (wait_for_ever, lambda box: box.kill()),
        (spin_on, lambda box: None),
        (names_of_root, lambda box: None),
    ):
        with sandbox.start(sandbox.Policy((), cpu=1), run) as box:
            end(box)
            box.wait()
            found.append(box.usage().taken)
    return found


def spin_on() -> None:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while True:
        pass


def names_of_root() -> None:
    os.listdir("/")


def status() -> dict[str, str]:
    rows = Path("/proc/self/status").read_text().splitlines()
    fields = dict(row.split(":", 1) for row in rows)
    wanted = ("NoNewPrivs", "CapEff", "CapPrm", "CapBnd", "CapAmb", "Seccomp", "Uid")
    return {name: fields[name].strip() for name in wanted}


def test_no_right_is_left_to_a_program_of_roots(warm, own_proc):
    found = warm(status).value
    assert {found.pop(f"Cap{kind}") for kind in ("Eff", "Prm", "Bnd", "Amb")} == {
        "0" * 16
    }
    assert found == {"NoNewPrivs": "1", "Seccomp": "2", "Uid": "\t".join(["1000"] * 4)}


def set_user_programs() -> list[str]:
    """What `su` and the like say when they do not run as root."""
    folders = ("/usr/bin", "/bin")
    programs = [Path(folder, "su") for folder in folders if Path(folder, "su").exists()]
    return [
        subprocess.run([path, "-c", "id -u"], capture_output=True, text=True).stdout
        for path in programs
    ] + [str(bool(os.statvfs("/usr").f_flag & os.ST_NOSUID))]


def test_a_set_user_program_gives_nothing(warm, namespaces):
    *said, no_set_user = warm(set_user_programs).value
    assert set(said) <= {""}
    assert no_set_user == "True"


def connect(port: int, abstract: str) -> list[str]:
    def internet(family: int, kind: int) -> None:
        with socket.socket(family, kind) as client:
            client.connect(("127.0.0.1", port))

    def local() -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"\0{abstract}")

    return [
        attempt(internet, socket.AF_INET, socket.SOCK_STREAM),
        attempt(internet, socket.AF_INET, socket.SOCK_DGRAM),
        attempt(internet, socket.AF_INET6, socket.SOCK_STREAM),
        attempt(internet, socket.AF_NETLINK, socket.SOCK_RAW),
        attempt(local),
    ]


def test_no_network_and_no_socket_of_the_host(warm, level, tmp_path):
    abstract = f"course-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.socket(socket.AF_UNIX) as local:
            local.bind(f"\0{abstract}")
            local.listen()
            port = server.getsockname()[1]
            errors = warm(connect, port, abstract, level=level).value
    assert set(errors) <= {"EPERM", "ECONNREFUSED"}
    assert set(errors[:4]) == {"EPERM"}


def connect_by_path(path: str) -> str:
    return attempt(lambda: socket.socket(socket.AF_UNIX).connect(path))


def test_a_socket_of_the_host_cannot_be_reached_by_path(warm, level, tmp_path):
    """Like that of docker or of the desktop, which would run any command."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        (tmp_path / "s").chmod(0o777)
        server.listen()
        error = warm(connect_by_path, str(tmp_path / "s"), level=level).value
        assert error == ("ENOENT" if level == "namespaces" else "EPERM")
        assert not select.select([server], [], [], 0)[0]


def talk_to_oneself() -> str:
    ours, theirs = socket.socketpair()
    ours.sendall(b"still there")
    return theirs.recv(100).decode()


def test_a_pair_of_sockets_can_be_made(warm, level):
    assert warm(talk_to_oneself, level=level).value == "still there"


# What is left of the worker ----------------------------------------------------------


def environment() -> list:
    first = read("/proc/self/environ")
    rest = subprocess.run(["env"], capture_output=True, text=True, check=True).stdout
    return [dict(os.environ), first, rest]


def test_the_environment_is_scrubbed(warm, level):
    variables, first, rest = warm(environment, level=level).value
    assert TOKEN not in f"{variables}{first}{rest}"
    assert variables["OMP_NUM_THREADS"] == "1"
    assert variables["HOME"] == variables["TMPDIR"]
    allowed = {*limits.KEPT, "HOME", "TMPDIR", "USER", "PWD"}
    assert {
        name
        for name in variables
        if name not in allowed and not name.startswith(limits.KEPT_FAMILIES)
    } == set()


def fail() -> None:
    raise ValueError("mine")


def leave() -> None:
    sys.exit(0)


@pytest.mark.parametrize(("function", "ends"), [(fail, 1), (leave, 1), (names, 0)])
def test_the_status_says_how_it_ended(warm, level, function, ends):
    arguments = ["."] if function is names else []
    assert warm(function, *arguments, level=level).status == ends


def write_to_everything() -> None:
    print("text")
    sys.stdout.flush()
    sys.stderr.write("text")
    os.write(1, b"text")


def test_nothing_is_written_where_the_worker_writes(warm, level):
    assert warm(write_to_everything, level=level).status == 0  # the answer was one line


def handlers() -> list:
    return [
        signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        signal.pthread_sigmask(signal.SIG_BLOCK, []) == set(),
        os.getsid(0) == os.getpid(),
    ]


def test_signals_and_session_are_its_own(warm, level):
    assert warm(handlers, level=level).value == [True, True, True]


def test_a_box_that_cannot_be_made_says_why(warm, namespaces):
    with pytest.raises(
        CourseError, match=r"namespaces.* could not be made: .*fsconfig"
    ):
        warm(fail, scratch=-1)
    with pytest.raises(CourseError, match=r"/no/where is to be read .* not there"):
        warm(fail, read=["/no/where"])
    with pytest.raises(CourseError, match="run a whole worker in one"):
        warm(fail, level="container")
    with pytest.raises(CourseError, match="thick is no level of the sandbox"):
        warm(fail, level="thick")


def test_usage_counts_what_a_box_did(warm, level):
    outcome = warm(allocate, "heap", 200 * MB, level=level)
    assert outcome.memory > 200 * MB
    assert 0 < outcome.cpu < 10


def test_without_a_sandbox_limits_hold_and_the_folder_goes(warm):
    before = folders()
    assert warm(leave_files, level="none").value == []
    outcome = warm(allocate, "heap", 2000 * MB, level="none", memory=300 * MB)
    assert outcome.value == "MemoryError"
    assert gone(folders() - before)


# The tools that submissions use ------------------------------------------------------


def use_torch() -> list:
    import torch

    images = torch.randn(2, 3, 16, 16)
    net = torch.nn.Conv2d(3, 4, 3, padding=1)
    net(images).sum().backward()
    torch.save(net.state_dict(), "net.pt")
    net.load_state_dict(torch.load("net.pt"))
    product = (torch.eye(64) @ torch.eye(64)).sum().item()
    return [product, list(net(images).shape), torch.get_num_threads()]


def load_with_workers() -> list:
    import torch

    data = torch.utils.data.TensorDataset(torch.arange(8.0))
    loader = torch.utils.data.DataLoader(data, batch_size=4, num_workers=1)
    return [batch.sum().item() for (batch,) in loader]


def draw() -> int:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    pyplot.plot([1, 2, 3])
    pyplot.savefig("line.png")
    return Path("line.png").stat().st_size


def use_tools() -> list:
    import shutil

    import sklearn.svm

    with tempfile.NamedTemporaryFile() as file:
        file.write(b"text")
    Path("a.txt").write_text("a")
    shutil.copy2("a.txt", "b.txt")
    model = sklearn.svm.LinearSVC().fit([[0.0], [1.0]], [0, 1])
    code = subprocess.run(["sleep", "0"], check=True).returncode
    return [code, *map(int, model.predict([[0.0], [1.0]])), os.path.expanduser("~")]


@pytest.mark.slow
def test_torch_and_its_friends_work(warm, level):
    warm("import torch")
    assert warm(use_torch, level=level).value == [64.0, [2, 4, 16, 16], 1]
    assert warm(draw, level=level, seconds=60).value > 1000
    code, *predicted, home = warm(use_tools, level=level, seconds=60).value
    assert (code, predicted) == (0, [0, 1])
    assert home.startswith(tempfile.gettempdir())


@pytest.mark.slow
def test_a_loader_may_have_workers(warm, namespaces):
    warm("import torch")
    assert warm(load_with_workers).value == [6.0, 22.0]


if __name__ == "__main__":
    serve()
