"""Hairline cuts the subject out of every picture in a catalog, down to the hair.

The code lives in the folders beside this one (`stages/`, `pipeline/`, ...); the links here only give
it one import name, `hairline.stages`, `hairline.pipeline`, so that nothing generic is installed.
"""

__version__ = "0.1.0"
