"""What the notebooks share: data, training, counting, checking and drawing.

Nothing is imported here, so that `import course_lib` is free; each module is imported
where it is used: `from course_lib import check, data, flops, plot, train`.
"""

__version__ = "0.1.0"
