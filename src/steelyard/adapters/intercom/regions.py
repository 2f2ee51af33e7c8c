"""Where Intercom keeps each region's workspaces. No default: data must not reach another region by accident."""

from types import MappingProxyType
from typing import Final

from steelyard.kit.errors import ConfigError

REGIONS: Final = MappingProxyType(
    {
        "us": "https://api.intercom.io",
        "eu": "https://api.eu.intercom.io",
        "au": "https://api.au.intercom.io",
    }
)


def api_url(region: str) -> str:
    """The address of Intercom's API in `region` (us, eu or au, in any case). Raises ConfigError for another."""
    try:
        return REGIONS[region.lower()]
    except KeyError:
        known = ", ".join(REGIONS)
        raise ConfigError(f"Intercom has no region {region!r}: name the workspace's own, one of {known}") from None


def region_of(spelled: str) -> str | None:
    """The region that Intercom spells so, in whatever case and with whatever follows (`EU`, `eu-west-1`); else None."""
    return next((region for region in REGIONS if spelled.strip().lower().startswith(region)), None)
