"""The judge's side: it runs the tests, and no line of a student's."""
