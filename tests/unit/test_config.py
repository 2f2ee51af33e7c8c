"""Settings: what is wrong is said by the variable's name, and a secret never."""

from __future__ import annotations

import traceback

import pytest

from steelyard.config import load, to_environment
from steelyard.kit.errors import ConfigError

SECRET = "s3cret"


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_OWNER_URL"])
@pytest.mark.parametrize(
    "url",
    [
        f"postgresql//role:{SECRET}@host/db",
        f"postgresql://role:{SECRET}%zz@host/db",
        f"postgresql://role:pass@{SECRET}@host/db",
        f"postgresql://role:{SECRET}/word@host/db",
        f"postgresql://role:{SECRET}@host/db?no_such_option=1",
        f"mysql://role:{SECRET}@host/db",
        f"host=here password={SECRET} nonsense",
    ],
)
def test_a_url_that_cannot_be_read_is_named_and_not_shown(name: str, url: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: it cannot be read as postgresql://") as refused:
        load({"STEELYARD_CELL": "eu1", name: url})
    assert SECRET not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://role:p%40ss@db.example.com:5432/steelyard?sslmode=verify-full",
        "postgresql://role@/steelyard?host=/var/run/postgresql&port=5433",
        "postgresql://role@one:5432,two:5433/steelyard",
        "host=db.example.com user=role password='a b' dbname=steelyard",
    ],
)
def test_a_url_is_handed_on_as_it_is(url: str) -> None:
    settings = load({"STEELYARD_CELL": "eu1", "DATABASE_URL": url})
    assert to_environment(settings)["DATABASE_URL"] == url
    assert "p%40ss" not in repr(settings)
