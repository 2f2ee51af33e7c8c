"""Every setting, in one place: its environment name, its default, what it is for. Read once, then frozen."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import CellId, workspace_id
from steelyard.store.embedded import default_data

PREFIX = "STEELYARD_"
PLAIN = ("DATABASE_URL", "DATABASE_OWNER_URL")
"""Settings whose names carry no prefix, since everybody's tools know them."""


class Settings(BaseModel):
    """The settings of one process. `NAME_FILE` instead of `NAME` reads a value from a file, for secrets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: str = Field(description="This cell's name, such as `eu1`: part of every workspace id and webhook address.")
    cells: dict[str, str] = Field(
        default={}, description="Where the other cells answer: `us1=us1.example.com,au1=au1.example.com`."
    )
    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL as the application's role. Without it, Steelyard runs its own server."
    )
    database_owner_url: SecretStr | None = Field(
        default=None, description="PostgreSQL as the owner, to migrate. Without it, a start only checks the schema."
    )
    data: Path = Field(default_factory=default_data, description="The folder of the server that Steelyard runs itself.")
    host: str = Field(default="127.0.0.1", description="The address the web process listens on.")
    port: int = Field(default=8420, ge=0, le=65535, description="The port the web process listens on.")
    open_to_loopback: bool = Field(
        default=False, description="Whether this machine may see the desk without a one-time link. The demo sets it."
    )
    deliveries: int = Field(default=16, ge=1, le=200, description="Deliveries to Intercom that a worker does at once.")
    log_level: str = Field(default="info", pattern="debug|info|warning|error", description="The least that is logged.")

    @field_validator("cell")
    @classmethod
    def _is_cell(cls, cell: str) -> str:
        workspace_id(CellId(cell), "a")
        return cell

    @field_validator("cells", mode="before")
    @classmethod
    def _split(cls, cells: Any) -> Any:
        if not isinstance(cells, str):
            return cells
        pairs = [pair.partition("=") for pair in cells.split(",") if pair.strip()]
        return {name.strip(): host.strip() for name, _, host in pairs}

    @field_validator("database_url", "database_owner_url")
    @classmethod
    def _is_database(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not _can_be_read(url.get_secret_value()):
            raise ValueError(
                "it cannot be read as postgresql://role:password@host:port/database; "
                "write @, / and % in a password as %40, %2F and %25"
            )
        return url

    @field_validator("host")
    @classmethod
    def _is_loopback(cls, host: str) -> str:
        if host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError(
                "people cannot sign in yet, so it listens on 127.0.0.1 only; put a proxy in front of /hooks"
            )
        return host


def environment_name(field: str) -> str:
    """The name of the environment variable of a field."""
    name = field.upper()
    return name if name in PLAIN else PREFIX + name


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of `environment`. Raises ConfigError, naming the variable, what is wrong with it and what to set."""
    values: dict[str, str] = {}
    for field in Settings.model_fields:
        name = environment_name(field)
        file = environment.get(f"{name}_FILE")
        if name in environment:
            values[field] = environment[name]
        elif file is not None:
            values[field] = _read(name, Path(file))
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0])
        help = Settings.model_fields[field].description
        wrong = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{environment_name(field)}: {wrong}. {help}") from None


def to_environment(settings: Settings) -> dict[str, str]:
    """The environment that `load` reads these settings from, for a child process."""
    found: dict[str, str] = {}
    for field in Settings.model_fields:
        value = getattr(settings, field)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if isinstance(value, dict):
            value = ",".join(f"{name}={host}" for name, host in settings.cells.items())
        if value is not None:
            found[environment_name(field)] = str(value)
    return found


def _can_be_read(url: str) -> bool:
    """Whether libpq would find in `url` what was meant. What it takes for a host or a port it shows in its messages."""
    try:
        found = conninfo_to_dict(url)
    except psycopg.Error:
        return False
    return "@" not in str(found.get("host", "")) and re.fullmatch(r"[\d,]*", str(found.get("port", ""))) is not None


def _read(name: str, file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{name}_FILE: {file} cannot be read: {error.strerror}. Name a readable file") from None
