"""A simulated Intercom: an HTTP service with its calls, errors, limits and webhooks, whose people act on command.

async with running(Config(webhook="http://127.0.0.1:8000/hooks/intercom/eu")) as simulator:
    ...  # simulator.base_url, simulator.workspace, simulator.record
"""

from steelyard.demo.intercom.simulator import Config, Simulator, running, serve

__all__ = ["Config", "Simulator", "running", "serve"]
