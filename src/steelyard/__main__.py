"""`python -m steelyard` is `steelyard`."""

from steelyard.cli import run

run()
