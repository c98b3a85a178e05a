"""nbgrader's settings: `solutions/` is its source, `assignments/` what it releases.

Every nbgrader command run in this folder reads it, and so does `course grade`. The
other folders (submitted, autograded, feedback) and gradebook.db keep nbgrader's names.
"""

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "image_classification"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignments"

c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.Execute.timeout = 180  # seconds a cell; the longest of ours trains for about ten
