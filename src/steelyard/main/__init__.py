"""The composition root: the only place that knows every room and every adapter, and makes processes of them.

Nothing is imported here: whoever needs a part imports its file, and what it does not need costs it no time.
"""
