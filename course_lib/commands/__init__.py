"""The commands of `course`, each a few lines over the library.

A command imports what it needs when it is called: help and completion import nothing.
"""
