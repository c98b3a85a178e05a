"""The sandbox's parts: what the filter answers, what is laid out, what is advised."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import signal
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

from course_grader import sandbox
from course_grader.sandbox import (
    container,
    folder,
    kernel,
    landlock,
    machine,
    paths,
    seccomp,
)
from course_lib.doctor import Finding
from course_lib.errors import CourseError

linux = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's")
ALLOWED, KILLED = "allowed", "killed"
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def answer(machine: str, call: str | int, *arguments: int, **options) -> str:
    """Run the filter as the kernel would; return "allowed", "killed" or the error."""
    number = kernel.NUMBERS[machine][call] if isinstance(call, str) else call
    data = {0: number, 4: seccomp.ARCHITECTURES[options.pop("kind", machine)]}
    data |= {16 + 8 * i: value & 0xFFFFFFFF for i, value in enumerate(arguments)}
    lines, place, held = seccomp.program(machine, **options), 0, 0
    while True:
        code, value, then, other = lines[place]
        place += 1
        if code == seccomp.RETURN:
            break
        if code == seccomp.LOAD:
            held = data.get(value, 0)
        elif code == seccomp.AND:
            held &= value
        else:
            holds = {
                seccomp.EQUAL: held == value,
                seccomp.ANY_BIT: held & value,
                seccomp.AT_LEAST: held >= value,
            }[code]
            place += then if holds else other
    if value in (seccomp.ALLOW, seccomp.KILL):
        return ALLOWED if value == seccomp.ALLOW else KILLED
    assert value & 0xFFFF0000 == seccomp.REFUSE
    return errno.errorcode.get(value & 0xFFFF, "pretended")


@pytest.mark.parametrize("machine", kernel.MACHINES)
class TestFilter:
    def test_ordinary_calls_pass(self, machine):
        named = set(kernel.NUMBERS[machine].values())
        for number in set(range(seccomp.LATEST + 1)) - named:
            assert answer(machine, number, landlock=True, own_signals=7) == ALLOWED

    def test_what_is_newer_than_the_list_does_not_exist(self, machine):
        """A program then does as on an older kernel."""
        assert max(kernel.NUMBERS[machine].values()) == seccomp.LATEST
        for number in (seccomp.LATEST + 1, 600, 4096, seccomp.X32 - 1):
            for alone in (False, True):
                assert answer(machine, number, landlock=alone) == "ENOSYS"

    def test_what_is_denied_is_denied(self, machine):
        for name in set(seccomp.DENIED.split()) & set(kernel.NUMBERS[machine]):
            assert answer(machine, name) == "EPERM"

    def test_a_process_may_be_made_but_no_namespace(self, machine):
        assert answer(machine, "clone", 0x01200000 | signal.SIGCHLD) == ALLOWED
        for flag in (0x80, 0x8000, *(1 << bit for bit in (17, 25, 26, 27, 28, 29, 30))):
            assert answer(machine, "clone", flag | signal.SIGCHLD) == "EPERM"
        assert answer(machine, "clone3") == "ENOSYS"

    def test_sockets_are_local(self, machine):
        stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
        for name in ("socket", "socketpair"):
            assert answer(machine, name, socket.AF_UNIX, stream) == ALLOWED
            assert answer(machine, name, socket.AF_INET, stream) == "EPERM"
            assert answer(machine, name, 16, datagram) == "EPERM"  # netlink

    def test_other_conventions_kill(self, machine):
        other = next(name for name in kernel.MACHINES if name != machine)
        assert answer(machine, 1, kind=other) == KILLED
        assert answer(machine, 1 | seccomp.X32) == KILLED

    def test_without_namespaces_more_is_refused(self, machine):
        unix, stream, datagram = socket.AF_UNIX, socket.SOCK_STREAM, socket.SOCK_DGRAM
        flags = socket.SOCK_CLOEXEC
        for name in ("socket", "connect", "setsid", "setpgid"):
            assert answer(machine, name, unix, stream, landlock=True) == "EPERM"
        pairs = {unix: "EPERM", socket.AF_INET: "EPERM"}
        for family, said in pairs.items():
            kind = datagram | flags
            assert answer(machine, "socketpair", family, kind, landlock=True) == said
        kind = stream | flags
        assert answer(machine, "socketpair", unix, kind, landlock=True) == ALLOWED
        assert answer(machine, "fchmodat", landlock=True) == "pretended"
        for process, said in {0: ALLOWED, 7: "EPERM"}.items():
            assert answer(machine, "prlimit64", process, landlock=True) == said

    def test_signals_stay_inside_where_landlock_does_not_see_to_it(self, machine):
        for name in ("kill", "tgkill"):
            assert answer(machine, name, 8) == ALLOWED
            for process, said in {
                7: ALLOWED,
                0: ALLOWED,
                8: "EPERM",
                -1: "EPERM",
            }.items():
                assert answer(machine, name, process, own_signals=7) == said
        assert answer(machine, "fcntl", 3, seccomp.F_SETOWN, own_signals=7) == "EPERM"
        assert answer(machine, "fcntl", 3, 1, own_signals=7) == ALLOWED

    def test_numbers_are_the_kernels(self, machine):
        if not HEADERS[machine].exists():
            pytest.skip(f"{HEADERS[machine]} is not installed")
        pattern = r"#define __NR(?:3264)?_(\w+)\s+(\d+)"
        found = re.findall(pattern, HEADERS[machine].read_text())
        theirs = {name: int(number) for name, number in found}
        for name, number in kernel.NUMBERS[machine].items():
            if name in theirs:
                assert theirs[name] == number, name
        assert len(theirs.keys() & kernel.NUMBERS[machine].keys()) > 80


@linux
class TestLayout:
    def test_nested_and_repeated_paths_are_one(self, tmp_path):
        (tmp_path / "a").mkdir()
        read = tuple(f"{tmp_path}{end}" for end in ("/a", "", "/", "/../", "/a/../a"))
        read = read[:3] + read[4:]
        found = [path for path in paths.layout(read).paths if str(tmp_path) in path]
        assert found == [str(tmp_path)]

    def test_a_neighbour_with_a_longer_name_is_another(self):
        assert paths.outermost({"/a/b", "/a/b-c", "/a/b/c", "/a/bc"}) == (
            "/a/b",
            "/a/b-c",
            "/a/bc",
        )

    @pytest.mark.parametrize("path", ["/", "/tmp", "/proc", "/tmp/.."])
    def test_what_a_box_has_for_itself_is_not_read(self, path):
        with pytest.raises(CourseError, match=f"^{path} cannot be read"):
            paths.layout((path,))

    def test_the_course_is_no_part_of_python(self):
        """Its folder may be on sys.path, or even be the environment's."""
        here = Path(__file__).resolve()
        for path in paths.layout(()).paths:
            assert not paths.contains(path, str(here))
            assert path != sys.prefix


@linux
@pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")
@pytest.mark.parametrize("version", range(1, landlock.abi() + 1))
def test_every_version_of_landlock_shuts_files_in(version, tmp_path):
    for name in ("read", "write", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)

    def work() -> str:
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        read, write = [str(tmp_path / "read")], [str(tmp_path / "write")]
        landlock.restrict(read, write, version)
        outcomes = []
        for name in ("read", "write", "other"):
            for how in (os.O_RDONLY, os.O_WRONLY):
                try:
                    os.close(os.open(tmp_path / name / "file", how))
                    outcomes.append("yes")
                except PermissionError:
                    outcomes.append("no")
        return " ".join(outcomes)

    assert machine.in_child(work) == "yes no yes yes no no"


class TestContainer:
    def test_the_command_line_closes_all_doors(self, tmp_path):
        policy = sandbox.Policy(read=(str(tmp_path), str(tmp_path)), memory=1 << 30)
        line = container.command(
            policy, ["python", "-m", "worker"], "course:1", program="docker", jobs=2
        )
        text = " ".join(line)
        assert line[:2] == ["docker", "run"]
        assert line[-4:] == ["course:1", "python", "-m", "worker"]
        for option in (
            "--network none",
            "--read-only",
            "--cap-drop ALL",
            "--security-opt no-new-privileges",
            "--pids-limit 296",
            f"--memory {5 << 30} --memory-swap {5 << 30}",
            f"--tmpfs /tmp:rw,nosuid,nodev,size={1 << 30}",
            "--user 65534:65534",
        ):
            assert option in text
        bind = f"type=bind,source={tmp_path},target={tmp_path},readonly"
        assert line.count(bind) == 1

    def test_a_path_that_would_add_options_is_refused(self):
        policy = sandbox.Policy(read=("/data,readonly=false",))
        with pytest.raises(CourseError, match="cannot be mounted"):
            container.command(policy, ["python"], program="podman")

    def test_without_a_program_it_says_so(self, monkeypatch):
        monkeypatch.setenv("PATH", "")
        with pytest.raises(CourseError, match="Neither docker nor podman"):
            container.command(sandbox.Policy(read=()), ["python"])

    def test_podman_is_preferred(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        for name in ("docker", "podman"):
            (tmp_path / name).write_text("#!/bin/sh\n")
            (tmp_path / name).chmod(0o755)
        assert container.runtime() == str(tmp_path / "podman")


class TestMachine:
    def test_nothing_runs_unprotected_unasked(self, monkeypatch):
        monkeypatch.setattr(sandbox, "best", lambda: "none")
        with pytest.raises(CourseError, match="No sandbox works on this machine"):
            sandbox.start(sandbox.Policy(read=()), pytest.fail)

    @linux
    def test_findings_agree_with_the_best_level(self):
        found = {finding.what: finding for finding in machine.findings()}
        assert all(isinstance(finding, Finding) for finding in found.values())
        assert found["sandbox"].state == machine.LEVEL[sandbox.best()][0]
        parts = [found[f"sandbox: {name}"] for name in machine.PARTS[:4]]
        works = all(part.state == "ok" for part in parts)
        assert works == (sandbox.best() == "namespaces")
        for finding in found.values():
            assert finding.state == "ok" or finding.advice or "not" in finding.found

    @linux
    def test_trying_leaves_this_process_as_it_was(self):
        spaces = ("user", "mnt", "pid_for_children", "net")
        before = [os.readlink(f"/proc/self/ns/{name}") for name in spaces]
        machine.findings()
        assert [os.readlink(f"/proc/self/ns/{name}") for name in spaces] == before

    @linux
    def test_a_forbidding_switch_is_named(self, tmp_path, monkeypatch):
        (tmp_path / "switch").write_text("0\n")
        switches = ((str(tmp_path / "switch"), "0", "turn the switch"),)
        monkeypatch.setattr(machine, "SWITCHES", switches)
        assert machine.advice("user namespace") == "turn the switch"
        (tmp_path / "switch").write_text("1\n")
        assert machine.advice("user namespace") != "turn the switch"

    def test_what_is_unprotected_is_one_sentence(self):
        assert re.fullmatch(r"--no-sandbox: [^.]*\.", machine.UNPROTECTED)


@linux
def test_a_folder_of_very_many_files_is_removed_by_a_process_of_its_own():
    """Nobody waits for it, and it is nobody's child that has to be waited for."""
    left = folder.Folder()
    many = left.path / "work" / "deep" / "deeper"
    many.mkdir(parents=True)
    for number in range(folder.FEW + 5):
        (many / str(number)).touch()
    (many / "shut").mkdir(mode=0)
    before = psutil.Process().children()
    left.remove()
    assert psutil.Process().children() == before
    end = time.monotonic() + 60
    while left.path.exists():
        assert time.monotonic() < end


@linux
def test_a_folder_of_few_files_is_gone_at_once():
    left = folder.Folder()
    (left.path / "work" / "file").touch()
    left.remove()
    assert not left.path.exists()


@linux
@pytest.mark.parametrize("level", ["namespaces", "landlock", "none"])
def test_a_box_that_nobody_lets_in_ends_with_its_parent(level, monkeypatch):
    """Else it holds its parent's pipes open, and who waits for their end waits on."""
    if sandbox.trouble(level):
        pytest.skip(sandbox.trouble(level))
    out, inside = os.pipe()

    def die(control, pid, level):
        os.write(inside, str(pid).encode())
        os._exit(0)

    monkeypatch.setattr(sandbox, "send_off", die)
    parent = os.fork()
    if parent == 0:
        with contextlib.suppress(BaseException):
            sandbox.start(sandbox.Policy(read=()), lambda: None, level=level)
        os._exit(1)
    assert os.waitpid(parent, 0)[1] == 0
    os.close(inside)
    box = int(os.read(out, 20))
    try:
        assert select.select([out], [], [], 10)[0], "it is still there"
        assert os.read(out, 1) == b""  # nobody holds the other end
    finally:
        os.close(out)
        with contextlib.suppress(ProcessLookupError):
            os.kill(box, signal.SIGKILL)
