"""Look at this machine as the course needs it: what works, what to do if not."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from course_lib.errors import Finding
from course_lib.files import ROOT


def examine() -> Iterator[Finding]:
    """Yield the findings, each as soon as it is known."""
    for check in (python, torch, gpu, kernel, path, disk):
        try:
            yield check()
        except Exception as error:  # a check that breaks is a finding, not a crash
            yield Finding(check.__name__, "wrong", f"{type(error).__name__}: {error}")
    yield from data_sets()


def python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", "ok", f"{version} in {sys.prefix}")


def torch() -> Finding:
    """An operator of torchvision's own runs only if it was built for this torch."""
    import torch
    import torchvision

    versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    try:
        torchvision.ops.nms(torch.eye(1, 4), torch.ones(1), 0.5)
    except (RuntimeError, AttributeError, NotImplementedError) as error:
        reason = str(error).splitlines()[0][:80]
        advice = "reinstall both together: remove .venv, then `make demo`"
        return Finding("PyTorch", "wrong", f"{versions} do not fit: {reason}", advice)
    return Finding("PyTorch", "ok", versions)


def gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        name = torch.cuda.get_device_name(0)
        return Finding("GPU", "ok", f"{name}, {memory:.0f} GiB")
    threads = f"none; {torch.get_num_threads()} CPU threads"
    return Finding("GPU", "note", threads, "none needed: notebooks are made for a CPU")


def kernel() -> Finding:
    """Notebooks name the kernel `python3`; it must be this Python."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    install = f"run: {sys.executable} -m ipykernel install --sys-prefix"
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Finding("kernel python3", "wrong", "not found", install)
    program = shutil.which(spec.argv[0]) or spec.argv[0]
    ours = {Path(sys.executable).absolute(), Path(sys.prefix, "bin", "python")}
    same = spec.argv[0] == "python" or Path(program).absolute() in ours
    if not same and Path(program).resolve() != Path(sys.executable).resolve():
        return Finding("kernel python3", "wrong", f"starts {program}", install)
    return Finding("kernel python3", "ok", spec.resource_dir)


def path() -> Finding:
    folder = str(Path(sys.executable).parent)
    if folder in os.environ.get("PATH", "").split(os.pathsep):
        return Finding("PATH", "ok", folder)
    advice = f"for plain nbgrader and jupyter: source {folder}/activate"
    return Finding("PATH", "note", f"{folder} is not on it", advice)


def disk() -> Finding:
    free = shutil.disk_usage(ROOT).free / 1e9
    advice = "" if free > 2 else "make room: data sets and checkpoints take up to 2 GB"
    return Finding("disk", "ok" if free > 2 else "wrong", f"{free:.0f} GB free", advice)


def data_sets() -> Iterator[Finding]:
    from course_lib import data

    for found in data.available():
        state = "ok" if found.path else "note"
        where = str(found.path or "not here")
        yield Finding(
            f"data: {found.name}", state, where, "" if found.path else found.how
        )
