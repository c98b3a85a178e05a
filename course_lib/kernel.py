"""A Jupyter kernel that does not start, or ends: a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from course_lib.errors import CourseError


@contextmanager
def running(name: str) -> Iterator[None]:
    """Raise CourseError if the kernel that runs a notebook is missing or ends.

    name: of the notebook.
    """
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError

    try:
        yield
    except NoSuchKernel as error:
        raise CourseError(
            f"there is no kernel {error.name}: `course doctor` says what to do"
        ) from error
    except DeadKernelError as error:
        raise CourseError(
            f"{name}: Python ended while a cell ran; as a rule the memory was too "
            "small: try smaller batches or images"
        ) from error
    except RuntimeError as error:  # it ended, or said nothing, as it started
        raise CourseError(
            f"{name}: no kernel could be started ({error}): `course doctor` looks at it"
        ) from error
