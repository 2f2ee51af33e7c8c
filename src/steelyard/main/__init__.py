"""The composition root: the only place that knows every room and every adapter, and makes processes of them."""

from steelyard.main.clients import CONNECTION_KNOWN, Clients, clients_of
from steelyard.main.console import Site, console, console_routes
from steelyard.main.ground import ROOMS, acts, adopt_policy, ledger, now, shipped_policy, unseal_with
from steelyard.main.logs import log_as
from steelyard.main.runs import run_acts, runbooks_of
from steelyard.main.web import run_web, uvicorn_config, web_app
from steelyard.main.worker import Routing, routing, run_worker_process

__all__ = [
    "CONNECTION_KNOWN",
    "ROOMS",
    "Clients",
    "Routing",
    "Site",
    "acts",
    "adopt_policy",
    "clients_of",
    "console",
    "console_routes",
    "ledger",
    "log_as",
    "now",
    "routing",
    "run_acts",
    "run_web",
    "run_worker_process",
    "runbooks_of",
    "shipped_policy",
    "unseal_with",
    "uvicorn_config",
    "web_app",
]
