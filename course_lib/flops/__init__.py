"""What a network costs: parameters, multiply-accumulates, memory, receptive field.

Read in this order: counter (what runs, and what is noted of it) · rules (what an
operation costs) · receptive (what it sees) · table (what is shown).
"""

from course_lib.flops.counter import CountError, count
from course_lib.flops.table import Cost, compare

__all__ = ["Cost", "CountError", "compare", "count"]
