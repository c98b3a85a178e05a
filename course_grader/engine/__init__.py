"""Grades one submission in two processes: S runs the student's code, T the tests.

`launcher.Engine` is what the rest of the grader uses. It starts `zygote`, which forks
for each notebook a warm T and, through `nursery`, a warm S. They talk over a socket
(`wire`), in plain data and tensors (`plain`) and files (`folder`).

T: `judge` walks through the notebook as `plan` says; `link` asks S, `crossing_t` sends
and reads values, `proxies` and `modules` stand for the student's objects, `raised` for
exceptions; `oracles` and `guard` keep it fair. S: `student` answers, `crossing_s` reads
and sends, `operations` says what may be asked, `shell` runs cells as a kernel does.
`shared` tells the other side what has changed in an object that both have.
"""
