"""Are two networks the same, whatever their layers are called? `matches` answers.

Read in this order: matching (the two runs, and the answer) · record (the reference) ·
hand (the candidate), with fill (which steps make one of its layers), plan (what to try
next) and words (what is said where the two part). Below them: watch (operations, as
PyTorch's dispatcher sees them) · weights · steps · compare.
"""

from course_lib.check.same.matching import Match, matches

__all__ = ["Match", "matches"]
