"""Answers that a person reads: which there are, what is given for them, and by whom."""
