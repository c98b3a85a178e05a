"""The queue that makes the training records: `rows` lists them, `queue` computes them.

`speed` measures which precision is fastest here; `view` is what `course records` shows.
"""
