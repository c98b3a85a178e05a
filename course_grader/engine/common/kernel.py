"""What a notebook may ask of its kernel, where there is none that answers anybody."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace

MAGICS = (  # of a kernel's, which has somebody to talk to
    *("autosave", "connect_info", "qtconsole", "subshell", "store"),
    *("less", "more", "man", "clear", "edit", "rehashx"),
)
PORTS = "shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"
FACTS = {"ip": "127.0.0.1", "key": "", "transport": "tcp", "kernel_name": "python3"}
FACTS |= {"signature_scheme": "hmac-sha256"} | dict.fromkeys(PORTS, 0)


def offer(shell) -> None:
    """Let magics and functions that speak to a kernel do nothing, or what they can."""
    for name in MAGICS:
        shell.register_magic_function(lambda line: None, "line", name)
    with contextlib.suppress(ImportError):
        import ipykernel.connect

        for module in (ipykernel, ipykernel.connect):
            module.get_connection_file = connection_file


def kernel_of(shell) -> SimpleNamespace:
    """Return what a notebook takes for granted of `get_ipython().kernel`."""
    session = SimpleNamespace(session="", username="")
    facts = {"shell": shell, "session": session, "execution_count": 0}
    facts |= {"implementation": "ipython", "language_info": {"name": "python"}}
    facts |= {"user_ns": shell.user_ns, "banner": "", "comm_manager": None}
    with contextlib.suppress(ImportError):
        from ipykernel.comm import CommManager

        facts["comm_manager"] = CommManager()
    return SimpleNamespace(**facts)


def connection_file(app=None) -> str:
    """Return the path of a file like a kernel's; nobody listens at its ports."""
    return _written(os.getpid())


@cache
def _written(pid: int) -> str:
    path = Path(tempfile.gettempdir()) / f"kernel-{pid}.json"
    path.write_text(json.dumps(FACTS))
    return str(path)
