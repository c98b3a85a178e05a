"""Grades one submission in two processes: S runs the student's code, T the tests.

`launcher.Engine` is what the rest of the grader uses. It starts `zygote`, a process
that forks for each notebook a warm T (`judge`, `remote`, `modules`) and S (`student`,
`shell`), which talk over a socket (`wire`, `plain`, `shared`, `folder`). `plan` says,
once an assignment, which cell runs where and whose each name is.
"""
