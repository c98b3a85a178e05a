"""The course folder, an assignment, its source, its release and a sample class."""
