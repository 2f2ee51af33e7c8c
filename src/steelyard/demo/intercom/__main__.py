"""The simulated Intercom on its own: python -m steelyard.demo.intercom --port 8801 --webhook http://127.0.0.1:8800/...

Prints one line of JSON when it is ready, with what a receiver needs to know, and runs until it is told to end.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys

from steelyard.demo.intercom.seed import Seed
from steelyard.demo.intercom.simulator import Config, Simulator, running
from steelyard.demo.intercom.traffic import People
from steelyard.demo.messages import messages


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m steelyard.demo.intercom", description="A simulated Intercom.")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--webhook", help="where webhooks go, on this machine")
    parser.add_argument("--seed", type=int, default=1, help="of the team and of all chances")
    parser.add_argument("--away", type=int, default=3, help="how many engineers are away at first")
    parser.add_argument("--rate", type=float, default=0.0, help="conversations per second that people begin; 0: none")
    parser.add_argument("--app-id", default="demo1234")
    parser.add_argument("--calls", type=int, default=1_666, help="rate limit, in calls per ten seconds")
    return parser.parse_args()


def _ready(simulator: Simulator) -> str:
    config = simulator.config
    return json.dumps(
        {
            "url": simulator.base_url,
            "app_id": config.app_id,
            "token": config.token,
            "client_secret": config.client_secret,
            "package_code": config.package_code,
            "admin_id": simulator.workspace.owner,
        }
    )


async def _live(simulator: Simulator, seed: int, rate: float) -> None:
    written = messages(random.Random(seed))  # noqa: S311 - repeatable, not secret
    await People(simulator.workspace, written, seed=seed, rate=rate).run()


async def _run(arguments: argparse.Namespace) -> None:
    config = Config(
        port=arguments.port,
        webhook=arguments.webhook,
        seed=Seed(arguments.seed, arguments.away),
        app_id=arguments.app_id,
        calls_per_window=arguments.calls,
    )
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with running(config) as simulator:
        sys.stdout.write(_ready(simulator) + "\n")
        sys.stdout.flush()
        if arguments.rate:
            life = asyncio.create_task(_live(simulator, arguments.seed, arguments.rate))
            life.add_done_callback(lambda _: ended.set())
            await ended.wait()
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life
        else:
            await ended.wait()


if __name__ == "__main__":
    asyncio.run(_run(_arguments()))
