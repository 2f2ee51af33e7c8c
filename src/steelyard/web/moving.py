"""Times that go by: left out of what is drawn and kept, written as it goes out, and kept up by the browser."""

import re
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from steelyard.web.language import age

_TIME = re.compile(r'<time data-(age|local)="([^"]*)"></time>')
"""How long ago something was, or what time it is in a zone. Text cannot look like it: there `<` is escaped."""


def with_times(html: str, now: datetime) -> str:
    """`html` with the times in it as they are `now`."""

    def write(found: re.Match[str]) -> str:
        kind, value = found.groups()
        written = _age(value, now) if kind == "age" else _local(value, now)
        return f'<time data-{kind}="{value}">{written}</time>'

    return _TIME.sub(write, html)


def _age(since: str, now: datetime) -> str:
    return age((now - datetime.fromisoformat(since)).total_seconds())


def _local(zone: str, now: datetime) -> str:
    return f"{now.astimezone(_zone(zone)):%H:%M}"


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
