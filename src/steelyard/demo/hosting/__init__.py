"""A customer's host for the demo and for tests: real servers with real sites, on loopback, in one folder.

with Hosting.start(folder) as hosting:
    site = hosting.make_site("shop.example")
    assert site.get("/").status == 200
"""

from steelyard.demo.hosting.host import PARTS, Hosting
from steelyard.demo.hosting.processes import HostingError
from steelyard.demo.hosting.shop import running_shop
from steelyard.demo.hosting.site import Answer, Site, Wanted
from steelyard.demo.hosting.template import Template, make_template, prepared

__all__ = [
    "PARTS",
    "Answer",
    "Hosting",
    "HostingError",
    "Site",
    "Template",
    "Wanted",
    "make_template",
    "prepared",
    "running_shop",
]
