"""What is kept of a run: gradebook, autograded/ and each submission's outcome."""
