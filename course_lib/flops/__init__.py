"""What a network costs: parameters, multiply-accumulates, memory, receptive field."""

from course_lib.flops.counter import *  # noqa: F403
