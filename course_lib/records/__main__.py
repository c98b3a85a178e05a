"""Compute the queue where only PyTorch, NumPy and safetensors are.

    python -m course_lib.records [NAME ...]

It is `course records run` without typer and rich, for a bare machine with a GPU.
"""

import sys
from functools import partial

from course_lib.errors import CourseError
from course_lib.records import queue


def main(names: list[str]) -> str | None:
    """Return what went wrong, or None."""
    try:
        made = queue.run(names or None, say=partial(print, flush=True))
    except CourseError as error:
        return f"error: {error}"
    except KeyboardInterrupt:
        return "stopped; the same command goes on from the last checkpoint"
    print(f"{made} records made")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
