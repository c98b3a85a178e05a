"""Read a notebook as anyone may have saved it; make the zip that a student hands in."""
