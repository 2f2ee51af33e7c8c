"""The scanner: the same beside the worker and on hosts that have yara-x, which are sent it as text. Python 3.7."""
