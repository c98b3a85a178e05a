"""The one exception that is a sentence for the user, not a bug."""


class CourseError(Exception):
    """Say what is wrong, what was expected and what to do: `course` prints that."""
