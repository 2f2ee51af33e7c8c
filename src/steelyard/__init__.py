"""Steelyard weighs every customer conversation and gives it to the engineer who carries the least."""

__version__ = "0.1.0"
