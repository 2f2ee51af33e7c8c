"""`steelyard host` and `steelyard site` against a real sshd, nginx, PHP and WordPress."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import SecretStr

from steelyard.adapters.ssh import SshReach
from steelyard.config import Settings
from steelyard.demo.hosting import Hosting, Site
from steelyard.kit.errors import ConfigError, KeyFileError
from steelyard.kit.ids import WorkspaceId
from steelyard.main.hosts import Hosts
from steelyard.operations import hosts, secrets, sites
from steelyard.operations.findings import State
from steelyard.operations.host_findings import of_hosts
from steelyard.operations.hosts import Wanted
from steelyard.operations.pinning import Pin
from steelyard.store.database import Database
from steelyard.store.keys import WEB, WORKER, Keys, key_file, number_of
from steelyard.toolbox.access import Keyring
from steelyard.toolbox.host_secrets import read_host_secrets, read_sealed_secrets
from steelyard.toolbox.keys import fingerprint, read_sealed_keys
from steelyard.toolbox.looking import Looking
from steelyard.toolbox.model import Token
from steelyard.toolbox.reach import Errand, HostError
from steelyard.toolbox.registry import RegistryError, host_named, read_sites
from steelyard.toolbox.registry_rows import HostRow

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


def keygen(*words: object) -> None:
    subprocess.run(["ssh-keygen", "-q", *map(str, words)], check=True)


HAS_HOME = os.geteuid() == 0


def authorized(hosting: Hosting) -> Path:
    """Where the host's account has its keys, in the way of OpenSSH."""
    folder = Path(pwd.getpwnam(hosting.owner.name).pw_dir) / ".ssh"
    if HAS_HOME:
        hosting.owner.make_folder(folder, 0o700)
    return folder / "authorized_keys"


def is_shell(text: str) -> bool:
    return subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0


def real(path: Path) -> str:
    return os.path.realpath(path)


@pytest.fixture
def keys(keys: Path, tmp_path: Path) -> Path:
    """Key files of this test's own, since it changes them."""
    return Path(shutil.copytree(keys, tmp_path / "keys"))


class Ground(NamedTuple):
    settings: Settings
    database: Database
    workspace: WorkspaceId
    hosting: Hosting

    async def host(self, name: str = "web1") -> HostRow:
        async with self.database.transaction(self.workspace) as conn:
            return await host_named(conn, name)

    async def add(self, name: str = "web1", **wanted: Any) -> HostRow:
        """A host whose sshd knows the key "main" of the registry."""
        sshd = self.hosting.sshd
        known = [each.name for each in await hosts.keys(self.settings, None) if each.revoked_at is None]
        if "main" not in known:
            made = await hosts.make_key(self.settings, None, "main")
            with sshd.authorized_keys.open("a") as out:
                out.write(f"restrict {' '.join(made.public.split()[:2])} steelyard-main\n")
        if HAS_HOME:  # the home of a system user of its own: sshd reads the other file
            self.hosting.owner.write(authorized(self.hosting), sshd.authorized_keys.read_text(), 0o600)
        asked = Wanted("127.0.0.1", sshd.port, sshd.user, **{"key": "main", **wanted})
        return await hosts.add(self.settings, None, name, asked, Pin(line=sshd.host_key))

    async def reach(self, row: HostRow) -> None:
        async with Hosts(self.database, self.workspace, self.settings.keys).open(row.host, Errand(Token("0a1b2c3d"))):
            pass


@pytest.fixture
async def ground(app_url: str, keys: Path, database: Database, make_workspace: MakeWorkspace, hosting: Hosting) -> Any:
    workspace = await make_workspace()
    before = hosting.sshd.authorized_keys.read_bytes(), hosting.sshd.authorities.read_bytes()
    yield Ground(Settings(cell="eu1", database_url=SecretStr(app_url), keys=keys), database, workspace, hosting)
    hosting.sshd.authorized_keys.write_bytes(before[0])
    hosting.sshd.authorities.write_bytes(before[1])
    if HAS_HOME:
        shutil.rmtree(authorized(hosting).parent)


async def test_a_hosts_key_is_read_compared_and_pinned(ground: Ground) -> None:
    sshd, asked = ground.hosting.sshd, list[tuple[str, str]]()
    await hosts.make_key(ground.settings, None, "main")

    def compare(answer: bool) -> Callable[[str, str], bool]:
        return lambda kind, shown: asked.append((kind, shown)) or answer

    wanted = Wanted("127.0.0.1", sshd.port, sshd.user)
    for refused in (Pin(compare=compare(False)), Pin(), Pin(fingerprint="SHA256:another")):
        with pytest.raises(ConfigError, match=r"nothing was pinned|do not go on"):
            await hosts.add(ground.settings, None, "web1", wanted, refused)
    row = await hosts.add(ground.settings, None, "web1", wanted, Pin(compare=compare(True)))
    pinned = " ".join(sshd.host_key.split()[:2])
    assert asked == [("ssh-ed25519", fingerprint(sshd.host_key))] * 2
    assert row.host_key == pinned
    assert (row.host.address, row.host.port, row.host.account) == ("127.0.0.1", sshd.port, sshd.user)
    again = await hosts.add(ground.settings, None, "web2", wanted, Pin(fingerprint=fingerprint(pinned)))
    assert again.host_key == pinned
    with pytest.raises(ConfigError, match="no host key can be read at 127"):
        await hosts.add(ground.settings, None, "web3", wanted._replace(port=9), Pin(compare=compare(True)))


async def test_another_key_than_the_pinned_one_is_never_spoken_to(ground: Ground, tmp_path: Path) -> None:
    row = await ground.add()
    await ground.reach(row)
    keygen("-t", "ed25519", "-N", "", "-f", tmp_path / "other")
    other = (tmp_path / "other.pub").read_text()
    row = await hosts.rekey(ground.settings, None, "web1", Pin(line=other))
    with pytest.raises(HostError) as refused:
        await ground.reach(row)
    assert refused.value.code == "host_key"
    await ground.reach(await hosts.rekey(ground.settings, None, "web1", Pin(line=ground.hosting.sshd.host_key)))


async def test_jump_hosts_lead_through_and_never_in_a_circle(ground: Ground) -> None:
    await ground.add("jump")
    open_jump = ground.hosting.sshd.authorized_keys
    open_jump.write_text(open_jump.read_text().replace("restrict ", "restrict,port-forwarding "))
    await ground.reach(await ground.add("inner", via="jump"))
    with pytest.raises(RegistryError, match="in a circle"):
        await hosts.change(ground.settings, None, "jump", Wanted(via="inner"))
    with pytest.raises(RegistryError, match="in a circle"):
        await hosts.change(ground.settings, None, "jump", Wanted(via="jump"))
    with pytest.raises(RegistryError, match="on the way to: inner"):
        await hosts.remove(ground.settings, None, "jump")
    _, what = await hosts.prepare(ground.settings, None, "jump", [], "")
    assert f'permitopen="127.0.0.1:{ground.hosting.sshd.port}"' in what.authorized_keys
    await hosts.change(ground.settings, None, "inner", Wanted(via=""))
    await hosts.remove(ground.settings, None, "jump")


async def test_a_key_is_read_by_way_of_the_host_before_compared_and_pinned(ground: Ground) -> None:
    sshd = ground.hosting.sshd
    await ground.add("jump")
    asked: list[tuple[str, str]] = []

    def compared(kind: str, shown: str) -> bool:
        asked.append((kind, shown))
        return len(asked) > 1

    inner = Wanted("127.0.0.1", sshd.port, sshd.user, via="jump")
    with pytest.raises(ConfigError, match="nothing was pinned"):
        await hosts.add(ground.settings, None, "inner", inner, Pin(compare=compared))
    with pytest.raises(ConfigError, match="do not go on"):
        await hosts.add(ground.settings, None, "inner", inner, Pin(fingerprint="SHA256:other"))
    row = await hosts.add(ground.settings, None, "inner", inner, Pin(compare=compared))
    assert row.host_key == " ".join(sshd.host_key.split()[:2])
    assert asked == [("ssh-ed25519", fingerprint(row.host_key))] * 2
    with pytest.raises(ConfigError, match=r"jump finds no SSH server at 127.0.0.1:1: is it on"):
        await hosts.add(ground.settings, None, "off", inner._replace(port=1), Pin(compare=compared))
    without = ground.settings.model_copy(update={"keys": ground.settings.keys / "none"})
    with pytest.raises(ConfigError, match=r"by way of jump .*give it with --host-key"):
        await hosts.add(without, None, "inner2", inner, Pin(compare=compared))


async def test_one_command_revokes_everything(ground: Ground) -> None:
    row = await ground.add()
    await ground.reach(row)
    revoked = await hosts.revoke(ground.settings, None, None, remove=True)
    assert [key.name for key in revoked.keys] == ["main"]
    (left,) = revoked.left
    assert (left.host, left.removed, left.why) == ("web1", HAS_HOME, "")
    if HAS_HOME:
        lines = authorized(ground.hosting).read_text().splitlines()
        assert len(lines) == 1  # the other one's stays
        assert revoked.keys[0].public.split()[1] not in lines[0]
    with pytest.raises(HostError) as refused:
        await ground.reach(row)
    assert refused.value.code == "revoked"
    assert (await sites.check(ground.settings, None, []))[0].findings[0].state == "missing"
    assert "was revoked" in (await of_hosts(ground.database, ground.workspace, datetime.now(UTC)))[0].said
    # A fresh key opens it again, once it is authorized.
    await ground.reach(await _with_new_key(ground))


async def _with_new_key(ground: Ground) -> HostRow:
    made = await hosts.make_key(ground.settings, None, "second")
    with ground.hosting.sshd.authorized_keys.open("a") as out:
        out.write(made.public + "\n")
    return await hosts.change(ground.settings, None, "web1", Wanted(key="second"))


async def test_what_is_revoked_while_a_host_is_away_names_the_line_to_remove(ground: Ground) -> None:
    await ground.add()
    await hosts.change(ground.settings, None, "web1", Wanted(port=9))
    revoked = await hosts.revoke(ground.settings, None, ["main"], remove=True)
    (left,) = revoked.left
    assert not left.removed
    assert "cannot be reached" in left.why
    assert left.line in {key.public for key in revoked.keys}


async def test_certificates_open_until_they_end(ground: Ground, tmp_path: Path) -> None:
    made = await hosts.make_key(ground.settings, None, "main")
    sshd = ground.hosting.sshd
    row = await hosts.add(ground.settings, None, "web1", Wanted("127.0.0.1", sshd.port, sshd.user), Pin(sshd.host_key))
    with pytest.raises(HostError):
        await ground.reach(row)
    keygen("-t", "ed25519", "-N", "", "-f", tmp_path / "ca")
    sshd.authorities.write_text((tmp_path / "ca.pub").read_text())
    (tmp_path / "main.pub").write_text(made.public)
    keygen("-s", tmp_path / "ca", "-I", "x", "-n", sshd.user, "-V", "+1h", tmp_path / "main.pub")
    certificate = (tmp_path / "main-cert.pub").read_text()
    said = await hosts.certify(ground.settings, None, "main", certificate)
    await ground.reach(row)
    assert said.until is not None
    _, what = await hosts.prepare(ground.settings, None, "web1", [], "")
    assert what.authorized_keys.startswith(f'restrict,cert-authority,principals="{sshd.user}" ssh-ed25519 ')
    (checked,) = await sites.check(ground.settings, None, [])
    ends = next(each for each in checked.findings if each.name == "certificate")
    assert ends.state == "odd"  # an hour is soon
    (soon,) = await of_hosts(ground.database, ground.workspace, datetime.now(UTC))
    assert (soon.state, "ends at" in soon.said) == (State.WARN, True)
    (ended,) = await of_hosts(ground.database, ground.workspace, datetime.now(UTC) + timedelta(hours=2))
    assert (ended.state, "ended at" in ended.said) == (State.BAD, True)
    later = Keyring(ground.database, ground.workspace, Keys(key_file(ground.settings.keys, WORKER)),
                    lambda: datetime.now(UTC) + timedelta(hours=2))  # fmt: skip
    with pytest.raises(HostError, match="so web1 was not asked"):
        await later.of(row.host)


async def test_a_host_without_python_is_looked_at_by_plain_commands(ground: Ground, wordpress: Site) -> None:
    row = await ground.add()
    worker = Keys(key_file(ground.settings.keys, WORKER))
    keyring = Keyring(ground.database, ground.workspace, worker, lambda: datetime.now(UTC))
    looking = Looking(ground.database, ground.workspace, SshReach(keyring, ()), lambda: datetime.now(UTC))
    checked = await looking.check_host(row)
    assert {each.name: each.state for each in checked.findings}["python"] == "odd"
    assert {each.name: each.state for each in checked.findings}["clock"] == "ok"
    found = await looking.discover(row, places=[real(wordpress.docroot)])
    assert [each["wordpress"]["version"] for each in found["sites"] if each["docroot"] == real(wordpress.docroot)] == [
        "7.1.1"
    ]


async def test_a_process_with_the_webs_keys_only_signs_in_nowhere(ground: Ground) -> None:
    row = await ground.add()
    web = Keyring(
        ground.database, ground.workspace, Keys(key_file(ground.settings.keys, WEB)), lambda: datetime.now(UTC)
    )
    with pytest.raises(KeyFileError):
        await web.of(row.host)


async def test_secrets_of_hosts_are_sealed_for_workers_and_outlive_a_rotation(ground: Ground) -> None:
    row = await ground.add()
    await hosts.keep_secret(ground.settings, None, "web1", "redis_password", "open sesame")
    worker = Keys(key_file(ground.settings.keys, WORKER))
    async with ground.database.transaction(ground.workspace) as conn:
        with pytest.raises(KeyFileError):
            await read_host_secrets(conn, ground.workspace, row.host.id, Keys(key_file(ground.settings.keys, WEB)))
    rotation = await secrets.rotate(ground.settings, only_add=False, forget_old=True)
    assert rotation.sealed == 4  # the workspace's two, the key, this
    async with ground.database.transaction(ground.workspace) as conn:
        found = await read_host_secrets(conn, ground.workspace, row.host.id, worker)
        sealed = [*(await read_sealed_keys(conn)).values(), *(await read_sealed_secrets(conn)).values()]
    assert {number_of(each) for each in sealed} == {worker.newest}
    assert found == {"redis_password": "open sesame"}
    await ground.reach(row)
    await hosts.drop_secret(ground.settings, None, "web1", "redis_password")
    with pytest.raises(ConfigError, match="it has none"):
        await hosts.drop_secret(ground.settings, None, "web1", "redis_password")
    with pytest.raises(RegistryError, match="cannot name a secret"):
        await hosts.keep_secret(ground.settings, None, "web1", "Redis password", "x")
    async with ground.database.transaction(ground.workspace) as conn:
        told = "SELECT kind, data FROM ledger WHERE kind LIKE 'host.secret%' ORDER BY position"
        facts = await (await conn.execute(told)).fetchall()
    assert facts == [(kind, {"host": row.host.id}) for kind in ("host.secret_kept", "host.secret_removed")]


async def test_sites_are_found_added_and_looked_at(ground: Ground, wordpress: Site) -> None:
    hosting = ground.hosting
    await ground.add(
        hints=json.dumps({"php": str(hosting.php.binary), "fpm_pools": f"{hosting.php.folder}/fpm/pool.d"})
    )
    place = str(Path(real(wordpress.docroot)).parent)
    found = await sites.discover(ground.settings, None, "web1", [place])
    (site, known) = next(each for each in found.sites if each[0]["docroot"] == real(wordpress.docroot))
    assert not known
    assert (site["account"], site["wordpress"]["version"]) == (hosting.owner.name, "7.1.1")
    with pytest.raises(ConfigError, match="was not found on web1"):
        await sites.add_found(ground.settings, None, found, ["other.example"])
    wanted = wanted_of(wordpress, hosting)
    row = await sites.add(ground.settings, None, wordpress.name, wanted)
    assert (await sites.discover(ground.settings, None, "web1", [place])).sites[0][1] is True
    of_host, of_site = await sites.check(ground.settings, None, [wordpress.name])
    states = {each.name: each.state for each in of_site.findings}
    assert states.pop("php") in ("ok", "odd")
    assert states == {"docroot": "ok", "wordpress": "ok", "database": "ok", "disk": "ok"}
    assert {each.name: each.state for each in of_host.findings}["reach"] == "ok"
    kept = await sites.shown(ground.settings, None, wordpress.name)
    assert kept.facts["wordpress"]["version"] == "7.1.1"
    assert kept.facts["wordpress"]["database"] == wordpress.database
    assert wordpress.password not in json.dumps(dict(kept.facts))
    (wordpress.docroot / "wp-config.php").write_text("<?php define('DB_NAME', 'gone'); define('DB_USER', 'x');"
        " define('DB_PASSWORD', 'y'); define('DB_HOST', 'localhost:/nowhere'); $table_prefix = 'wp_';")  # fmt: skip
    _, of_site = await sites.check(ground.settings, None, [wordpress.name])
    assert {each.name: each.state for each in of_site.findings}["database"] == "missing"
    await sites.change(ground.settings, None, row.site.name, sites.Wanted(docroot="/nowhere/at/all"))
    _, of_site = await sites.check(ground.settings, None, [wordpress.name])
    assert [(each.name, each.state) for each in of_site.findings] == [("docroot", "missing")]
    removed = await sites.remove(ground.settings, None, wordpress.name)
    assert removed.site.id == row.site.id
    async with ground.database.transaction(ground.workspace) as conn:
        assert await read_sites(conn) == []
        kinds = await (
            await conn.execute("SELECT kind FROM ledger WHERE kind LIKE 'site.%%' ORDER BY position")
        ).fetchall()
    assert [kind for (kind,) in kinds] == ["site.added", "site.changed", "site.removed"]


def wanted_of(wordpress: Site, hosting: Hosting) -> sites.Wanted:
    return sites.Wanted("web1", real(wordpress.docroot), hosting.owner.name, wordpress.url)


async def test_imports_are_all_or_nothing_and_the_same_twice(ground: Ground) -> None:
    await ground.add()
    good = "name,host,docroot,account\nshop.example,web1,/srv/shop,shop\n"
    bad = good + "x.example,nowhere,/srv/x,x\n"
    take = sites.take_in
    imported, done = await take(ground.settings, None, bad, partly=False, dry=False)
    assert (len(imported.added), len(imported.refused), done) == (1, 1, False)
    assert await sites.listed(ground.settings, None) == []
    _, done = await take(ground.settings, None, good, partly=False, dry=True)
    assert not done
    assert await sites.listed(ground.settings, None) == []
    _, done = await take(ground.settings, None, bad, partly=True, dry=False)
    assert done
    imported, _ = await take(ground.settings, None, good, partly=False, dry=False)
    assert (imported.added, imported.changed, imported.same) == ((), (), 1)
    imported, _ = await take(ground.settings, None, good.replace("/srv/shop", "/srv/new"), partly=False, dry=False)
    assert len(imported.changed) == 1
    assert await sites.set_group(ground.settings, None, "vip", ["shop.example"]) == 1
    (row,) = await sites.listed(ground.settings, None, "vip")
    assert (row.site.docroot, row.site.group) == ("/srv/new", "vip")


async def command(ground: Ground, *words: str, stdin: bytes = b"") -> tuple[int, str, str]:
    url = ground.settings.database_url
    assert url is not None
    environment = {
        "STEELYARD_CELL": "eu1",
        "DATABASE_URL": url.get_secret_value(),
        "STEELYARD_KEYS": str(ground.settings.keys),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "steelyard", *words, stdin=-1, stdout=-1, stderr=-1,
        env={**os.environ, **environment, "COLUMNS": "200"},
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(stdin), 60)
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_the_command_line_says_it_to_people_and_machines(ground: Ground) -> None:
    sshd = ground.hosting.sshd
    status, public, err = await command(ground, "host", "key", "make", "main")
    assert (status, err) == (0, "")
    with sshd.authorized_keys.open("a") as out:
        out.write(public)
    if HAS_HOME:
        ground.hosting.owner.write(authorized(ground.hosting), public, 0o600)
    at = ["127.0.0.1", "--port", str(sshd.port), "--account", sshd.user]
    status, _, err = await command(ground, "host", "add", "web1", *at)
    assert status == 1
    assert "--fingerprint" in err
    status, out_text, err = await command(
        ground, "host", "add", "web1", *at, "--fingerprint", fingerprint(sshd.host_key)
    )
    assert (status, err) == (0, "")
    assert "steelyard host prepare web1" in out_text
    status, out_text, _ = await command(ground, "host", "list", "--json")
    assert json.loads(out_text)[0]["fingerprint"] == fingerprint(sshd.host_key)
    status, out_text, err = await command(ground, "host", "prepare", "web1")
    assert (status, err) == (0, "")
    assert is_shell(out_text)
    status, out_text, _ = await command(ground, "host", "prepare", "web1", "--check", "--json")
    (checked,) = json.loads(out_text)
    found = {each["name"]: each for each in checked["findings"]}
    assert found["reach"]["state"] == "ok"
    if HAS_HOME:
        assert found["key"]["state"] == "odd"  # it was put there without `restrict`
        assert found["key"]["command"].startswith("restrict ssh-ed25519 ")
    sites_csv = b"name,host,docroot,account\nshop.example,web1,/srv/none,%s\n" % sshd.user.encode()
    status, out_text, _ = await command(ground, "site", "import", "-", "--json", stdin=sites_csv)
    assert (status, json.loads(out_text)["added"]) == (0, ["shop.example"])
    status, out_text, _ = await command(ground, "site", "check")
    assert status == 1
    assert "There is nothing at /srv/none" in out_text
    status, out_text, _ = await command(ground, "site", "list")
    assert "something is missing" in out_text
    status, out_text, _ = await command(ground, "site", "show", "shop.example")
    assert "There is nothing at /srv/none" in out_text
    status, _, err = await command(ground, "site", "show", "shp.example")
    assert (status, "Is it one of these: shop.example?" in err) == (1, True)
    status, out_text, _ = await command(ground, "site", "import", "-", stdin=b"name\n\xff")
    assert status == 1
    status, out_text, _ = await command(ground, "host", "revoke", "--all")
    assert status == 0
    assert "remove this line from" in out_text
    assert " ".join(public.split()[:2]) in out_text.replace("\n", " ")
