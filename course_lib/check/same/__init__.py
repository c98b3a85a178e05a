"""Are two networks the same, whatever their layers are called? `matches` answers."""

from course_lib.check.same.matching import Match, matches

__all__ = ["Match", "matches"]
