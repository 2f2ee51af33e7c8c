"""Builders of actions, one module for what each works on: they say what is to be done on the host, and do nothing."""
