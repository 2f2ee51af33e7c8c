"""Intercom's REST calls: what each reads from a call, does, and answers."""
