"""Grades one submission in two processes: S runs the student's code, T the tests.

`launcher.Engine` is what the rest of the grader uses. It starts `zygote`, a warm process
that forks for each notebook a T (`judge`, `remote`, `modules`) and an S (`student`,
`shell`), which talk over a socket (`wire`, `plain`, `shared`, `folder`). `plan` says,
once an assignment, which cell runs where and whose each name is.
"""
