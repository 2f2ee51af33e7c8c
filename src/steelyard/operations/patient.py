"""The checks of one workspace: what is stored of it, what its Intercom says, and what has come of it lately."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from steelyard.adapters.intercom.client import Intercom
from steelyard.adapters.intercom.errors import Unauthorized
from steelyard.config import Settings
from steelyard.kit.errors import ConfigError, KeyFileError, RemoteError
from steelyard.kit.ids import TeamId, WorkspaceId
from steelyard.main import ground
from steelyard.operations.checking import ATTRIBUTES, check_attributes, shown
from steelyard.operations.findings import Finding, bad, good, warn
from steelyard.operations.host_findings import of_hosts
from steelyard.routing import alarms
from steelyard.routing.connections import overview, read_token, secret_place
from steelyard.routing.health import Thresholds, judge
from steelyard.routing.notifications import Notification, Seen, read_notifications, seen_of
from steelyard.routing.rows import one
from steelyard.routing.switch import assigns_itself, read_switch, way_of
from steelyard.routing.watch import read_figures
from steelyard.store.database import Database
from steelyard.store.keys import WEB, WORKER, Keys, key_file
from steelyard.web.language import age

READ_LATELY = 900
"""Seconds since the last reading from which on none is made any more: three are left out by then."""

CLOCK_OFF = 30.0
"""Seconds that this machine's clock may differ from Intercom's, whose times are whole seconds."""

_RECONNECT = "Run `steelyard connect intercom`, which stores it anew."


class Patient:
    """One workspace that is looked at."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        workspace: WorkspaceId,
        thresholds: Thresholds,
        keys: Sequence[str],
    ) -> None:
        """`keys`: the key files that are to be on this machine."""
        self._database = database
        self._settings = settings
        self._workspace = workspace
        self._thresholds = thresholds
        self._keys = keys

    @property
    def checks(self) -> list[tuple[str, Callable[[], Awaitable[list[Finding]]]]]:
        """The checks, by name, in their order."""
        found: list[tuple[str, Callable[[], Awaitable[list[Finding]]]]] = [("secrets", self.secrets)]
        if WORKER in self._keys:
            found.append(("intercom", self.intercom))
        return [
            *found,
            ("teams", self.teams),
            ("webhooks", self.webhooks),
            ("flow", self.flow),
            ("reading", self.reading),
            ("notifications", self.notifications),
            ("hosts", self.hosts),
        ]

    async def hosts(self) -> list[Finding]:
        """Whether the keys that sign in on hosts are open, and for how long."""
        return await of_hosts(self._database, self._workspace, datetime.now(UTC))

    async def secrets(self) -> list[Finding]:
        """The region it was connected in, and whether the stored secrets open."""
        async with self._database.transaction(self._workspace) as conn:
            row = await one(
                conn, "SELECT region, client_secret FROM connection WHERE workspace = %s", (self._workspace,)
            )
            if row is None:
                return [bad("connection", "It is not connected to an Intercom.", "Run `steelyard connect intercom`.")]
            found: list[Finding] = []
            if self._settings.region is not None and row["region"] != self._settings.region:
                mend = "Look whether STEELYARD_REGION or the database is another cell's."
                found.append(bad("region", f"It is in {row['region']}, this cell in {self._settings.region}.", mend))
            if WEB in self._keys:
                found += self._opened("client secret", lambda: self._unseal(WEB)(row["client_secret"], self._place))
        return found

    async def intercom(self) -> list[Finding]:
        """Whether Intercom takes the token, has our attributes, and agrees on the time."""
        async with self._database.transaction(self._workspace) as conn:
            try:
                api_url, token = await read_token(conn, self._workspace, self._unseal(WORKER))
            except (ConfigError, KeyFileError) as error:
                return [bad("secrets", f"{error}.", _RECONNECT)]
        found = [good("secrets", "Its access token can be opened."), *await self._intercom_clock(api_url)]
        async with Intercom(api_url, token) as intercom:
            try:
                me = await intercom.me()
                there = check_attributes(await intercom.conversation_attributes())
            except Unauthorized:
                mend = "Copy the token anew from the app's Authentication page and run `steelyard connect intercom`."
                return [*found, bad("token", "Intercom refuses the access token.", mend)]
            except ConfigError as error:
                return [*found, bad("attributes", f"{error}.", "Then run this again.")]
            except RemoteError as error:
                return [*found, bad("intercom", str(error), "Then run this again.")]
        found.append(good("token", f"Intercom takes the access token, for {shown(me.app.id)}."))
        missing = [name for name, _ in ATTRIBUTES if name not in there]
        if missing:
            mend = "Run `steelyard connect intercom`, which makes them."
            return [*found, bad("attributes", f"Intercom has no conversation attribute {', '.join(missing)}.", mend)]
        return [*found, good("attributes", "Intercom has the conversation attributes that are written.")]

    async def teams(self) -> list[Finding]:
        """Whether it is paused, and whether Intercom itself assigns where Steelyard does."""
        async with self._database.transaction(self._workspace) as conn:
            switch = await read_switch(conn, self._workspace)
            known = (await overview(conn, self._workspace)).teams
        if switch.paused:
            return [warn("teams", "Steelyard is paused here: it decides and writes nothing.", "See the switch page.")]
        both = [each for each in known if assigns_itself(each.distribution) and switch.routes(TeamId(each.team))]
        return [
            warn(
                "teams",
                f"Intercom assigns in team {each.team} ({shown(way_of(each.distribution))}), and so does Steelyard.",
                "Set that team's assignment method in Intercom to manual.",
            )
            for each in both
        ] or [good("teams", "No team is assigned by Intercom and by Steelyard at once.")]

    async def notifications(self) -> list[Finding]:
        """Whether the addresses that people chose can be opened here, and take what they are told."""
        async with self._database.transaction(self._workspace) as conn:
            known = await read_notifications(conn, self._workspace)
        if not known:
            return []
        found: list[Finding] = []
        closed = [each for each in known if not self._seen(each).fingerprint]
        if closed:
            what = f"{len(closed)} of {len(known)} addresses that are told of alarms cannot be opened on this machine."
            mend = (
                f"Copy {key_file(self._settings.keys, WEB)} from a machine that serves the web: workers need it, too."
            )
            found.append(bad("notifications", what, mend))
        failing = [str(each.notification) for each in known if each.failed_at is not None]
        if failing:
            what = f"Nothing goes through to the addresses {', '.join(failing)} that are told of alarms."
            found.append(warn("notifications", what, "The page Settings, Notifications says why."))
        return found or [good("notifications", f"{len(known)} more addresses are told of alarms.")]

    def _seen(self, each: Notification) -> Seen:
        return seen_of(self._workspace, each.notification, each.address, self._unseal(WEB))

    async def webhooks(self) -> list[Finding]:
        """When Intercom was last heard."""
        async with self._database.transaction(self._workspace) as conn:
            row = await one(
                conn,
                """SELECT received_at FROM inbox WHERE workspace = %s AND topic NOT LIKE 'steelyard.%%'
                   ORDER BY received_at DESC LIMIT 1""",
                (self._workspace,),
            )
        if row is None:
            mend = "Enter the address of /hooks in the app's Webhooks in Intercom's Developer Hub and tick the topics."
            return [bad("webhooks", "No webhook has come within 30 days.", mend)]
        seconds = (datetime.now(UTC) - row["received_at"]).total_seconds()
        return [good("webhooks", f"The last webhook came {age(seconds)} ago.")]

    async def flow(self) -> list[Finding]:
        """What waits, and every alarm that holds now."""
        now = ground.now()
        async with self._database.transaction(self._workspace) as conn:
            figures = await read_figures(conn, self._workspace, self._thresholds, now)
        said = (
            f"To handle {figures.unhandled}, to deliver {figures.pending}, set aside {figures.set_aside}."
            f" The last reading found {'nothing yet' if figures.drift is None else f'{figures.drift} changed unheard'}."
        )
        found = [good("flow", said)]
        for alarm in judge(figures, self._thresholds, now):
            words = alarms.words(alarm.kind, alarm.figures, "en")
            found.append(bad(alarm.kind.value, f"{words.title[:1].upper()}{words.title[1:]}.", words.advice))
        return found

    async def reading(self) -> list[Finding]:
        """When Intercom was last read back."""
        async with self._database.transaction(self._workspace) as conn:
            row = await one(
                conn,
                "SELECT max(ended_at) AS ended_at FROM reading WHERE workspace = %s",
                (self._workspace,),
            )
        ended = row["ended_at"] if row is not None else None
        seconds = (datetime.now(UTC) - ended).total_seconds() if ended is not None else None
        mend = "A worker does it every five minutes: look whether one runs and what it logs."
        if seconds is None:
            return [bad("reading", "Intercom was never read back.", mend)]
        if seconds > READ_LATELY:
            return [bad("reading", f"Intercom was last read back {age(seconds)} ago.", mend)]
        return [good("reading", f"Intercom was read back {age(seconds)} ago.")]

    async def _intercom_clock(self, api_url: str) -> list[Finding]:
        local = api_url.startswith("http://")
        try:
            async with httpx.AsyncClient(timeout=5.0, trust_env=not local) as client:
                told = parsedate_to_datetime((await client.head(api_url)).headers["date"])
        except (httpx.HTTPError, KeyError, ValueError):
            return []  # whether it answers at all, the next call says
        off = abs((datetime.now(UTC) - told).total_seconds())
        if off > CLOCK_OFF:
            mend = "Let this machine keep the time by NTP: webhooks are put in order by Intercom's times."
            return [bad("clock", f"This machine's clock and Intercom's differ by {off:.0f} s.", mend)]
        return [good("clock", "This machine's clock and Intercom's agree.")]

    def _opened(self, what: str, unseal: Callable[[], str]) -> list[Finding]:
        try:
            unseal()
        except KeyFileError as error:
            return [bad("secrets", f"{error}.", _RECONNECT)]
        return [good("secrets", f"Its {what} can be opened.")]

    def _unseal(self, name: str) -> Callable[[str, str], str]:
        return Keys(key_file(self._settings.keys, name)).unseal

    @property
    def _place(self) -> str:
        return secret_place(self._workspace)
