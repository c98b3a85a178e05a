"""Ways to the points without the work: five for each answer, and none earns anything.

For each solution cell: another body for its function, a class or function that stands
below the solution and takes its name, or the reason why that way does not exist.
"""

from __future__ import annotations

from . import first, last, middle

KINDS = (
    "spec",  # calling the given specification
    "notebook",  # the notebook's own class or function
    "torch",  # PyTorch's, torchvision's or another library's function
    "counter",  # the course's counter or checker, or a thing that is built to be counted
    "constant",  # brute force, or a constant
)
# assignment: cell: kind: body, or why there is none
SHORTCUTS = first.SHORTCUTS | middle.SHORTCUTS | last.SHORTCUTS
