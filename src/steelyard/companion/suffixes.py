"""Domains under which anybody can have a site: whoever trusts one trusts strangers. Pure.

A list of those that support teams meet; what countries sell names under is refused by `trusting` already. The public
suffix list is longer; what is not here is a matter of looking at the proposal.
"""

from __future__ import annotations

from typing import Final

from steelyard.companion.hosts import BUILT_IN

_SHARED_WORDS: Final = """
000webhostapp.com amplifyapp.com appspot.com awsapprunner.com azurestaticapps.net azurewebsites.net
backblazeb2.com bitbucket.io blogger.com bubbleapps.io carrd.co cloudapp.net codeberg.page codesandbox.io ddns.net
deno.dev digitaloceanspaces.com duckdns.org dweb.link dyndns.org elasticbeanstalk.com firebaseapp.com
free.fr freehostia.com ghost.io gitbook.io github.dev githubusercontent.com gitlab.io glitch.me godaddysites.com
googleusercontent.com hosting.ovh.net hs-sites.com hubspotpagebuilder.com infinityfreeapp.com ipfs.io jimdosite.com
lhr.life linodeobjects.com lovable.app medium.com my-free.website my.id mybluehost.me myftpupload.com neocities.org
ngrok-free.app ngrok-free.dev ngrok.app ngrok.dev ngrok.io no-ip.org notion.site ondigitalocean.app ovh.net
pages.dev plesk.page pythonanywhere.com r2.dev railway.app readthedocs.io repl.co replit.app run.app sharepoint.com
shopifypreview.com site123.me sourceforge.io strikingly.com substack.com supabase.co surge.sh translate.goog
trycloudflare.com tumblr.com up.railway.app web.app webflow.io weebly.com wixstudio.com workers.dev
yolasite.com zapto.org
"""
_SHARED: Final = frozenset(_SHARED_WORDS.split())
_WHOLE: Final = ("amazonaws.com", "azure.com", "googleapis.com", "windows.net")
"""Below these are regions and services, and below those anybody's names: only a host alone can be trusted."""
_EVERYWHERE: Final = "blogspot"
"""The first word of names that a service has in each country."""
_HOSTING: Final = frozenset(
    name.removeprefix("*.") for rule in BUILT_IN["rules"] for name in rule.get("names", ()) if name.startswith("*.")
)
"""What the hosts of the built-in rules give their customers names under."""


def is_shared(domain: str) -> bool:
    """Whether anybody can have a site under this domain. `domain`: as `trusting` makes it.

    `=example.com` stands for one host alone, so that it never is.
    """
    if domain.startswith("="):
        return False
    first, _, rest = domain.partition(".")
    if first == _EVERYWHERE and rest:
        return True
    if any(domain == each or domain.endswith(f".{each}") for each in _WHOLE):
        return True
    return domain in _SHARED or domain in _HOSTING
