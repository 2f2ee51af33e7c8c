"""The runbooks that ship: a folder each, with what it says (README.md), what it does (runbook.py) and its cases."""
