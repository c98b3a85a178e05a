"""Landlock: what a process may open, connect to and signal, by the kernel's own rules.

On top of namespaces it is a second wall. Alone it is the level for machines that forbid
user namespaces (most containers), and there it does not hide names: a path outside can
be tested for existence and size, but neither opened nor listed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable

from . import kernel

OLDEST = 3  # alone, from Linux 6.2: before, files are truncated without being opened
SCOPED = 6  # Linux 6.12; from here on signals stay inside
VERSION, RULE_PATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHAR, MAKE_BLOCK, TRUNCATE = 1 << 6, 1 << 11, 1 << 14
READ = EXECUTE | READ_FILE | READ_DIR
ON_FILES = EXECUTE | READ_FILE | WRITE_FILE | TRUNCATE
DEVICES = ("/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero")


def abi() -> int:
    """Return the version of Landlock's interface, 0 if this kernel has none."""
    try:
        return kernel.call("landlock_create_ruleset", None, 0, VERSION)
    except OSError:
        return 0


def rights(version: int) -> tuple[int, int, int]:
    """Return all that a version can govern: files, network, scopes (bit masks)."""
    files = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    network = 0b11 if version >= 4 else 0  # bind and connect of TCP
    scopes = 0b11 if version >= SCOPED else 0  # abstract sockets and signals
    return files, network, scopes


def restrict(read: Iterable[str], write: Iterable[str], version: int) -> None:
    """Let this process, and all it will start, open only what is named.

    read: files and folders, read and executed; write: folders for anything but devices.
    version: of the interface, at most this kernel's. Needs no_new_privs.
    """
    files, network, scopes = rights(version)
    size = (
        8 if version < 4 else 16 if version < SCOPED else 24
    )  # bytes of the structure
    handled = kernel.words(files, network, scopes)
    ruleset = kernel.call("landlock_create_ruleset", handled, size, 0)
    try:
        for path in read:
            allow(ruleset, path, READ)
        for path in write:
            allow(ruleset, path, files & ~(MAKE_CHAR | MAKE_BLOCK))
        for path in DEVICES:
            with contextlib.suppress(FileNotFoundError):
                allow(ruleset, path, READ_FILE | WRITE_FILE)
        kernel.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def allow(ruleset: int, path: str, access: int) -> None:
    """Add the rights on a path, and on all under it if it is a folder."""
    file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        access &= -1 if os.path.isdir(path) else ON_FILES
        rule = struct.pack("=Qi", access, file)
        buffer = ctypes.create_string_buffer(rule, len(rule))
        kernel.call("landlock_add_rule", ruleset, RULE_PATH, buffer, 0)
    finally:
        os.close(file)
