"""What both sides use: frames, plain data, files, shared objects, a shell."""
