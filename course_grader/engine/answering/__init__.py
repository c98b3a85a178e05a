"""The student's side: it runs the student's code, and judges nothing."""
