"""The simulated Intercom put together and served on loopback."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from steelyard.demo.intercom import control, conversations
from steelyard.demo.intercom.faults import Faults
from steelyard.demo.intercom.inbox import pages as inbox
from steelyard.demo.intercom.inbox_app import InboxApp
from steelyard.demo.intercom.limits import Limit
from steelyard.demo.intercom.model import Workspace
from steelyard.demo.intercom.record import Record
from steelyard.demo.intercom.seed import Seed, settle
from steelyard.demo.intercom.service import application
from steelyard.demo.intercom.webhooks import Sender, Timing

_WAKE_EVERY = 0.25
"""Seconds between two looks at what is snoozed."""


@dataclass(frozen=True, slots=True)
class Config:
    """What a simulation is made of. Port 0 takes any free one; without `webhook` nothing is sent until one is set."""

    port: int = 0
    webhook: str | None = None
    seed: Seed = field(default_factory=Seed)
    app_id: str = "demo1234"
    package_code: str = "steelyard-demo"
    region: str = "EU"
    calls_per_window: int = 1_666
    timing: Timing = field(default_factory=Timing)
    first_id: int = 215_470_000_001
    """Where conversations begin to count: a database that is kept wants another one at each start."""
    token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    client_secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)


class Simulator:
    """A workspace with all around it. `base_url` is known while it runs; deeds on `workspace` publish webhooks."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.base_url = ""
        self.record = Record()
        self.faults = Faults(config.seed.seed)
        self.limit = Limit(config.calls_per_window, config.timing.window)
        self.sender = Sender(
            app_id=config.app_id,
            secret=config.client_secret,
            record=self.record,
            faults=self.faults,
            timing=config.timing,
        )
        self.workspace = Workspace(
            app_id=config.app_id,
            package=config.package_code,
            region=config.region,
            first_id=config.first_id,
            record=self.record,
            publish=self.sender.publish,
        )
        self.inbox_app = InboxApp(self.workspace, config.client_secret)
        settle(self.workspace, config.seed)
        self.app = application(
            self.workspace,
            token=config.token,
            limit=self.limit,
            faults=self.faults,
            slow=config.timing.slow,
            control=[
                *control.routes(control.Board(self.workspace, self.sender, self.faults, self.limit, self.inbox_app)),
                *inbox.routes(self.workspace),
            ],
        )


class _Protocol(HttpToolsProtocol):
    """Lets the application close the connection instead of answering, for which ASGI has no word."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"] = {**self.app_state, "hang_up": self.transport.abort}


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the event loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@contextlib.asynccontextmanager
async def running(config: Config) -> AsyncGenerator[Simulator]:
    """Serves on 127.0.0.1 until the block is left; `base_url` is reachable when it is entered."""
    simulator = Simulator(config)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", config.port))
        simulator.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = uvicorn.Config(
            simulator.app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            date_header=False,  # the workspace has a clock of its own
        )
        server = _Server(settings)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        tasks = [asyncio.create_task(simulator.sender.run()), asyncio.create_task(_wake(simulator.workspace))]
        try:
            while not (server.started or serving.done()):  # noqa: ASYNC110 - uvicorn offers nothing to wait for
                await asyncio.sleep(0.01)
            if config.webhook is not None:
                await simulator.sender.subscribe(config.webhook)
            yield simulator
        finally:
            server.should_exit = True
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(serving, *tasks, return_exceptions=True)
        for error in ended:
            if error is not None and not isinstance(error, asyncio.CancelledError):
                raise error


async def serve(config: Config) -> None:
    """Serves until cancelled."""
    async with running(config):
        await asyncio.Event().wait()


async def _wake(workspace: Workspace) -> None:
    while True:
        await asyncio.sleep(_WAKE_EVERY)
        conversations.wake(workspace)
