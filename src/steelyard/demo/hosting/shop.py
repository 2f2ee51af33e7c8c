"""The demo's own site: a shop on a host of this machine, which a browser reaches on loopback."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from steelyard.demo.hosting.host import Hosting
from steelyard.demo.hosting.site import Site, Wanted
from steelyard.demo.hosting.template import Template

NAME = "shop.example"
_GOODS = (
    ("Brass letter scale, 250 g", "Weighs a letter before you queue for a stamp. Polished by hand, no batteries."),
    (
        "Kitchen balance with two pans",
        "For those who like to see both sides. Weights from 1 g to 500 g are in the box.",
    ),
    ("Spring steelyard for the market", "Hooks onto a bag, folds into a pocket, and has settled many an argument."),
)
_POST = (
    "INSERT INTO wp_posts (post_author, post_date, post_date_gmt, post_modified, post_modified_gmt, post_title,"
    " post_content, post_name, post_excerpt, to_ping, pinged, post_content_filtered) VALUES"
    " (1, NOW(), UTC_TIMESTAMP(), NOW(), UTC_TIMESTAMP(), '{title}', '<p>{text}</p>', '{name}', '', '', '', '')"
)
_OPENED = (
    "UPDATE wp_options SET option_value = 'Weights and balances' WHERE option_name = 'blogdescription'",
    "DELETE FROM wp_posts WHERE post_name = 'hello-world'",
    "DELETE FROM wp_comments",
    *(_POST.format(title=title, text=text, name=f"goods-{number}") for number, (title, text) in enumerate(_GOODS)),
)
"""What is in the shop's window: a reset is to be seen."""


@contextmanager
def running_shop(folder: Path, template: Template) -> Generator[Site]:
    """Starts a host in `folder`, which it makes and all must be able to pass, with one site; both end with the block.

    Blocks for about a second: enter it in the main thread, or another that lives as long. The site's `url` names
    127.0.0.1 and a port, so that no name must resolve. Raises HostingError where a server is missing or does not start.
    """
    with Hosting.start(folder, template=template) as hosting:
        site = hosting.make_site(NAME, Wanted(url=f"http://127.0.0.1:{hosting.nginx.port}"))
        site.sql("; ".join(_OPENED))
        yield site
