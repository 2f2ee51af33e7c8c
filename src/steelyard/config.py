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


def default_keys() -> Path:
    """Where the key files lie: for root in /etc, else in the user's configuration. Never beside the database."""
    if os.geteuid() == 0:
        return Path("/etc/steelyard/keys")
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "steelyard" / "keys"


class Settings(BaseModel):
    """The settings of one process. `NAME_FILE` instead of `NAME` reads a value from a file, for secrets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: str = Field(description="This cell's name, such as `eu1`: part of every workspace id and webhook address.")
    region: str | None = Field(
        default=None,
        pattern="us|eu|au",
        description="The region this cell is in, `us`, `eu` or `au`: only workspaces of that region can be connected.",
    )
    public_url: str | None = Field(
        default=None,
        pattern="https://[^/?#]+",
        description="The address under which Intercom reaches `/hooks`, such as `https://eu1.example.com`.",
    )
    intercom_url: str | None = Field(
        default=None,
        pattern=r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?",
        description="Another Intercom than the region's, on this machine only: a simulated one to try things out with.",
    )
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
    keys: Path = Field(
        default_factory=default_keys,
        description="The folder of the key files `web.keys` and `worker.keys`, which open the stored secrets.",
    )
    console_url: str | None = Field(
        default=None,
        pattern="https://[^/?#]+",
        description="The address under which people open the console, such as `https://desk.example.com`.",
    )
    host: str = Field(default="127.0.0.1", description="The address the web process listens on.")
    port: int = Field(default=8420, ge=0, le=65535, description="The port the web process listens on.")
    open_to_loopback: bool = Field(
        default=False, description="Whether this machine may do everything without signing in. The demo sets it."
    )
    deliveries: int = Field(default=16, ge=1, le=200, description="Deliveries to Intercom that a worker does at once.")
    runbooks: Path | None = Field(
        default=None, description="The folder of your own runbooks, the same on every machine of the cell."
    )
    slots: Path = Field(
        default_factory=lambda: default_data() / "slots",
        description="The folder of what `steelyard core add` holds, the same on every machine of the cell.",
    )
    wordpress_api: str = Field(
        default="https://api.wordpress.org",
        pattern=r"https://[^/?#]+|http://(127\.0\.0\.1|localhost)(:\d+)?",
        description="Who is asked for the newest version of WordPress, of plugins and of themes.",
    )
    wordpress_downloads: str = Field(
        default="https://downloads.wordpress.org",
        pattern=r"https://[^/?#]+|http://(127\.0\.0\.1|localhost)(:\d+)?",
        description="Where releases of WordPress, of plugins and of themes are fetched.",
    )
    runs: int = Field(default=8, ge=1, le=100, description="Runs at sites that a worker does at once.")
    alarms: SecretStr | None = Field(
        default=None,
        description="Where alarms are told: Apprise addresses, one per line (Slack, Teams, e-mail and others).",
    )
    alarm_undelivered: int = Field(
        default=60,
        ge=5,
        le=86_400,
        description="Seconds that a decision may wait for its delivery before it is an alarm.",
    )
    alarm_drift: int = Field(
        default=20, ge=1, description="Conversations that one reading may find changed unheard before it is an alarm."
    )
    alarm_silence: int = Field(
        default=30,
        ge=5,
        le=1440,
        description="Minutes without a webhook, at a time of the week that usually has some, before it is an alarm.",
    )
    alarm_language: str = Field(default="en", pattern="en|fr", description="The language of alarms, `en` or `fr`.")
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="Where a worker shows its metrics on this machine. 0: nowhere."
    )
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
            raise ValueError("it listens on this machine only; put a proxy that speaks https in front of it")
        return host

    @property
    def alarm_addresses(self) -> str:
        """The lines of `alarms`, in the clear; empty where it is not set."""
        return self.alarms.get_secret_value() if self.alarms is not None else ""


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


def load_anywhere(environment: Mapping[str, str] = os.environ) -> Settings:
    """As `load`, for what no cell is needed for: runbooks are written and tested on machines that are part of none."""
    return load({environment_name("cell"): "none"} | dict(environment))


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
