"""The host of real servers is what tests, benchmarks and the demo take it for."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from pathlib import Path

import asyncssh
import pytest

from hosting import MakeSite
from steelyard.demo.hosting import Hosting, HostingError, Site, Template, running_shop
from steelyard.demo.hosting import wordpress as fetching
from steelyard.demo.hosting.odd import add_odd_files, add_odd_tables, fill_database, fill_files
from steelyard.demo.hosting.root import sudo_rules
from steelyard.demo.hosting.wordpress import tree_digest

ODD: list[dict[str, object]] = [
    {"prefix": "x1_"},
    {"config_above": True},
    {"content": "assets"},
    {"linked_docroot": True},
    {"closed_parent": True},
]


def test_a_site_is_an_installed_wordpress_that_nginx_serves(wordpress: Site) -> None:
    front = wordpress.get("/")
    assert (front.status, front.headers["content-type"]) == (200, "text/html; charset=UTF-8")
    assert "<title>The shop</title>" in front.body
    assert wordpress.get("/hello-world/").status == 200  # permalinks go through index.php
    assert wordpress.get("/nothing-here/").status == 404
    assert wordpress.wp("core", "version") == "7.1.1"
    assert wordpress.wp("option", "get", "siteurl") == wordpress.url
    assert wordpress.wp("user", "list", "--field=user_login") == wordpress.admin[0]


def test_the_sites_files_belong_to_its_user_who_runs_php(wordpress: Site, hosting: Hosting) -> None:
    assert {path.lstat().st_uid for path in wordpress.home.rglob("*")} == {hosting.owner.uid}
    hosting.owner.write(wordpress.docroot / "who.php", "<?php echo posix_geteuid();")
    assert wordpress.get("/who.php").body == str(hosting.owner.uid)


def test_a_sites_database_user_sees_its_own_schema_only(make_site: MakeSite, hosting: Hosting) -> None:
    # `_` stands for any letter where rights are granted, unless it is escaped.
    site, near = make_site("a-b.example"), make_site("axb.example")
    asked = [
        "mariadb",
        f"--socket={hosting.mariadb.socket}",
        f"--user={site.user}",
        f"--password={site.password}",
        "-N",
    ]
    seen = hosting.owner.run([*asked, "-e", "SHOW DATABASES"]).split()
    assert sorted(seen) == [site.database, "information_schema"]
    with pytest.raises(HostingError, match="Access denied"):
        hosting.owner.run([*asked, near.database, "-e", "SELECT 1"])


def test_nobody_is_let_into_the_database_without_a_password(hosting: Hosting) -> None:
    socket, port = f"--socket={hosting.mariadb.socket}", f"--port={hosting.mariadb.port}"
    for way in ([socket], [port, "--host=127.0.0.1"]):
        with pytest.raises(HostingError, match=r"Access denied|is not allowed to connect"):
            hosting.owner.run(["mariadb", "--no-defaults", "--user=root", *way, "-e", "SELECT 1"])


@pytest.mark.parametrize(
    "wanted",
    [
        *(pytest.param(odd, marks=pytest.mark.slow) for odd in ODD),
        {"multisite": True},
        {"prefix": "z_", "config_above": True, "content": "c", "linked_docroot": True, "closed_parent": True},
    ],
    ids=lambda wanted: "+".join(wanted),
)
def test_odd_sites_work_as_well(make_site: MakeSite, wanted: dict[str, object]) -> None:
    site = make_site(**wanted)
    assert (site.get("/").status, site.get("/wp-login.php").status) == (200, 200)
    assert site.wp("user", "get", "1", "--field=roles") == "administrator"
    assert Path(site.wp("eval", "echo WP_CONTENT_DIR;")).resolve() == site.content.resolve()
    assert site.config.is_file()
    assert f"{wanted.get('prefix', 'wp_')}options" in site.tables()
    assert site.docroot.is_symlink() == bool(wanted.get("linked_docroot"))
    assert (site.wp("eval", "echo (int) is_multisite();") == "1") == bool(wanted.get("multisite"))
    if wanted.get("closed_parent"):
        with pytest.raises(HostingError):
            site.hosting.owner.run(["touch", site.home / "new"])


def test_two_installs_share_a_schema(make_site: MakeSite) -> None:
    first = make_site()
    second = make_site(beside=first, prefix="blog_")
    assert (first.get("/").status, second.get("/").status) == (200, 200)
    assert len(first.tables()) == 24
    second.wp("option", "update", "blogname", "Another")
    assert first.wp("option", "get", "blogname") == "The shop"


def test_odd_tables_and_names_are_there(wordpress: Site) -> None:
    assert add_odd_tables(wordpress) == ["wp_order_lines", "wp_order_report", "wp_orders", "wp_visits"]
    assert wordpress.sql("SELECT * FROM wp_order_report") == [["1", "12.00", "2"], ["2", "21.00", "1"]]
    names = add_odd_files(wordpress)
    assert sorted(os.listdir(os.fsencode(wordpress.content / "uploads/odd"))) == names
    assert b"new\nline" in names
    assert wordpress.get("/").status == 200


def test_a_site_grows_as_large_as_it_shall_be(wordpress: Site) -> None:
    fill_files(wordpress, 5_000, 130)
    sizes = [path.stat().st_size for path in wordpress.docroot.rglob("*") if path.is_file()]
    assert len(sizes) == 5_000
    assert abs(sum(sizes) - 130_000_000) < 100_000
    fill_database(wordpress, 20, 12)
    assert len(wordpress.tables()) == 20
    assert wordpress.get("/").status == 200


async def test_ssh_lets_one_key_in_as_the_sites_user(hosting: Hosting) -> None:
    sshd = hosting.sshd
    known = asyncssh.import_known_hosts(f"[127.0.0.1]:{sshd.port} {sshd.host_key}")
    options = {"port": sshd.port, "username": sshd.user, "known_hosts": known, "config": None}
    key = asyncssh.import_private_key(sshd.client_key)
    async with asyncssh.connect("127.0.0.1", client_keys=[key], **options) as connection:
        done = await connection.run('id -u; echo "$HOME"', check=True)
    assert done.stdout == f"{hosting.owner.uid}\n{hosting.folder / 'home'}\n"
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect("127.0.0.1", client_keys=[stranger], **options)


async def test_ssh_trusts_certificates_of_an_authority_until_they_are_revoked(hosting: Hosting) -> None:
    sshd = hosting.sshd
    authority, key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    certificate = authority.generate_user_certificate(key, "a support account", principals=[sshd.user])
    known = asyncssh.import_known_hosts(f"[127.0.0.1]:{sshd.port} {sshd.host_key}")
    options = {"port": sshd.port, "username": sshd.user, "known_hosts": known, "client_keys": [(key, certificate)]}
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect("127.0.0.1", config=None, **options)
    hosting.owner.write(sshd.authorities, authority.export_public_key().decode())
    async with asyncssh.connect("127.0.0.1", config=None, **options) as connection:
        assert (await connection.run("id -un", check=True)).stdout == f"{sshd.user}\n"
    hosting.owner.write(sshd.revoked, key.export_public_key().decode())
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect("127.0.0.1", config=None, **options)
    for file in (sshd.authorities, sshd.revoked):
        hosting.owner.write(file, "")


def test_redis_knows_its_administrator_and_keeps_users(hosting: Hosting) -> None:
    redis = hosting.redis
    assert redis.run("ACL", "SETUSER", "site", "on", ">secret", "~site:*", "+@all") == "OK"
    assert redis.run("ACL", "SAVE") == "OK"
    assert "user site on" in (redis.folder / "users.acl").read_text("ascii")
    refused = hosting.owner.run(["redis-cli", "-h", "127.0.0.1", "-p", str(redis.port), "GET", "a"])
    assert "NOAUTH" in refused


def test_an_extension_comes_and_goes_without_anybody_else_noticing(wordpress: Site, hosting: Hosting) -> None:
    php = hosting.php
    hosting.owner.write(wordpress.docroot / "has.php", "<?php echo (int) extension_loaded('redis');")
    has = lambda: ("redis" in php.modules(), wordpress.get("/has.php").body)  # noqa: E731 - read twice, said once
    assert has() == (False, "0")
    assert not (php.folder / "extensions/redis.so").exists()
    php.install("redis")
    php.reload()
    assert has() == (True, "1")
    php.uninstall("redis")
    php.uninstall("igbinary")
    php.reload()
    assert has() == (False, "0")


def test_a_reload_waits_for_one_that_still_runs(wordpress: Site, hosting: Hosting) -> None:
    number = hosting.php.pid_file
    away = number.rename(number.with_suffix(".away"))  # as FPM does, for a moment
    back = threading.Timer(0.3, away.rename, [number])
    back.start()
    hosting.owner.run(hosting.php.reload_command)
    back.join()
    hosting.php.reload()
    assert wordpress.get("/").status == 200


def test_a_host_that_nginx_does_not_know_is_refused(hosting: Hosting, wordpress: Site) -> None:
    assert wordpress.get("/", headers={"Host": "another.example"}).status == 421


def test_the_demos_shop_is_reached_without_a_name(hosting_folder: Path, hosting_template: Template) -> None:
    with running_shop(hosting_folder / "shop", hosting_template) as site:
        assert site.url == f"http://127.0.0.1:{site.hosting.nginx.port}"
        home = site.get("/")
        assert home.status == 200
        assert "Spring steelyard" in home.body
        pids = [site.hosting.mariadb.server.pid, site.hosting.nginx.server.pid]
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_servers_end_when_who_started_them_is_killed(hosting_folder: Path, hosting_template: Template) -> None:
    program = (
        "import sys, time; from pathlib import Path; from steelyard.demo.hosting import Hosting\n"
        "with Hosting.start(Path(sys.argv[1])) as h:\n"
        "    parts = (h.mariadb, h.php, h.nginx, h.redis, h.sshd)\n"
        "    print(*(part.server.pid for part in parts), flush=True); time.sleep(60)"
    )
    argv = [sys.executable, "-c", program, str(hosting_folder / "killed")]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pids = process.stdout.readline().split()
    assert len(pids) == 5
    assert all(alive(pid) for pid in pids)
    process.kill()
    process.communicate()
    end = time.monotonic() + 15
    while any(alive(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    assert [pid for pid in pids if alive(pid)] == []


def alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_archives_hold_wordpress_and_nothing_else(hosting_template: Template, tmp_path: Path) -> None:
    made = hosting_template.wordpress
    with tarfile.open(made.archive) as archive:
        archive.extractall(tmp_path, filter="data")
    assert tree_digest(tmp_path / "wordpress") == tree_digest(made.core)
    with zipfile.ZipFile(made.zip) as archive:
        assert len(archive.namelist()) == 3_782


@pytest.mark.parametrize("change", ["package", "phar"])
def test_a_package_that_is_not_the_pinned_one_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    package = tmp_path / "package.tgz"
    with tarfile.open(package, "w:gz") as archive:
        phar = tmp_path / "phar"
        phar.write_bytes(b"<?php // another")
        archive.add(phar, "package/dist/cli/wp-files/wp-cli/wp-cli.phar")
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\ncp {package} wp-studio-1.22.0.tgz\n")  # it is run in the folder it shall pack into
    npm.chmod(0o755)
    monkeypatch.setattr(fetching.sys, "executable", str(tmp_path / "python"))
    if change == "phar":
        monkeypatch.setattr(fetching, "_PACKAGE_SHA512", hashlib.sha512(package.read_bytes()).hexdigest())
    what = {"package": r"wp-studio@1\.22\.0", "phar": "WP-CLI"}[change]
    with pytest.raises(HostingError, match=f"{what} is not what is expected"):
        fetching.prepare(tmp_path / "setup")
    assert not (tmp_path / "setup/wordpress").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can say what sudo allows")
def test_sudo_allows_what_its_rules_say_while_they_are_needed(hosting: Hosting) -> None:
    user = hosting.owner.name
    with sudo_rules(f"{user} ALL=(root) NOPASSWD: /usr/bin/id -u"):
        assert hosting.owner.run(["sudo", "-n", "/usr/bin/id", "-u"]) == "0\n"
        with pytest.raises(HostingError, match="password is required"):
            hosting.owner.run(["sudo", "-n", "/usr/bin/id", "-g"])
    with pytest.raises(HostingError, match="password is required"):
        hosting.owner.run(["sudo", "-n", "/usr/bin/id", "-u"])
    with pytest.raises(HostingError, match="does not take"), sudo_rules("this is no rule"):
        pass
