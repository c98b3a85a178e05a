"""How threads wait for one another: awake for a moment, then asleep.

A thread that only spins keeps a core from the one it waits for: on two cores that one
more program shared, two threads trained 21 images a second, and 176 as they wait here.
One that only sleeps wakes late: 283 on idle cores, not 321. `benchmarks/threads.py`
printed these, in one run, and prints yours.
"""

import os

SPINS = 1000  # of GNU's OpenMP, in PyTorch's wheels for Linux; 300,000 without it
OTHERS = "passive"  # every other OpenMP: asleep at once


def briefly() -> None:
    """Let this process and its children wait so, unless the user has chosen.

    To be called before torch is imported.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = OTHERS
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))
