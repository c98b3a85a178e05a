"""Submissions: into place, read as a stranger's, and restored to what was asked."""
