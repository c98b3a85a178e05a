"""Grades one submission in two processes: one runs the student's code, one the tests.

Read in this order. `launcher.Engine` is what the rest of the grader uses. It starts
`zygote`, which forks for each notebook a warm judge and, through `nursery`, a warm
process for the student; `plan` says which cell runs on which side, and `remarks` what
the model solution's run says of the tests.

`common` is what both sides use: frames over a socket (`wire`), plain data and tensors
(`plain`), other data (`kinds`, `arrays`, `subclasses`, `records`), what changed in an
object that both have (`shared`) and in their files (`folder`), a kernel's shell
(`shell`, `kernel`), what is imported (`warm`), who waited for a CPU (`waiting`).

`judging` is the judge's side. `judge` walks through the notebook. `link` asks the
student's process over a `line`; `crossing` sends and reads values. `proxies` and
`modules` stand for the student's objects and ask through what `asking` promises;
`gradients` differentiates, `raised` makes exceptions. `held`, `names`, `draws` and
`terms` are what is remembered of objects, names, the random state and the test at hand;
`oracles`, `guard`, `programs` and `shipped` keep it fair.

`answering` is the student's side. `student` answers, `crossing` reads and sends,
`objects` and `gradients` remember, `operations` says what may be asked, and `telling`
what was raised.
"""
