"""The demo's own site: a shop on a host of this machine, which a browser reaches on loopback."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from steelyard.demo.hosting.host import Hosting
from steelyard.demo.hosting.site import Site, Wanted
from steelyard.demo.hosting.template import Template

NAME = "shop.example"


@contextmanager
def running_shop(folder: Path, template: Template) -> Generator[Site]:
    """Starts a host in `folder`, which it makes and all must be able to pass, with one site; both end with the block.

    Blocks for about a second: enter it in the main thread, or another that lives as long. The site's `url` names
    127.0.0.1 and a port, so that no name must resolve. Raises HostingError where a server is missing or does not start.
    """
    with Hosting.start(folder, template=template) as hosting:
        yield hosting.make_site(NAME, Wanted(url=f"http://127.0.0.1:{hosting.nginx.port}"))
