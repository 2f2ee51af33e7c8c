"""PHP gets extensions, tried before they are loaded, and loses them. The loader is a stub that PHP really loads."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.setup import services_held
from tests.toolbox.carrying import Carrying, VerbFailed, asked_for, hints_of

from steelyard.demo.hosting import Hosting, Site
from steelyard.toolbox.catalog.install_php_extension.runbook import RUNBOOK
from steelyard.toolbox.model import Plan, Refused
from steelyard.toolbox.runbook import Asked
from steelyard.toolbox.tools import php

LOADER = """
typedef struct { int api; const char *build; } version_info;
typedef struct {
    const char *name, *version, *author, *url, *copyright;
    int (*startup)(void *); void *unused[13]; void *handle; int number; void *more[8];
} extension;
static int startup(void *self) { return 0; }
version_info extension_version_info = { 420220829, "API420220829,THREADS" };
extension zend_extension_entry = { "the ionCube PHP Loader", "13.0", "stub", "", "", startup };
"""


@pytest.fixture(scope="module")
def loaders(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Builds the library of a stub: `loaders(threads="NTS")`."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler is missing: apt install gcc")
    folder = tmp_path_factory.mktemp("loader")

    def build(threads: str = "NTS") -> bytes:
        (folder / "loader.c").write_text(LOADER.replace("THREADS", threads))
        subprocess.run([compiler, "-shared", "-fPIC", "-o", "loader.so", "loader.c"], cwd=folder, check=True)
        return (folder / "loader.so").read_bytes()

    return build


@pytest.fixture
def carrying(hosting: Hosting) -> Iterator[Carrying]:
    before = settings(hosting)
    carrying = Carrying(hosting)
    yield carrying
    carrying.stop()
    for name in ("redis", "igbinary", "intl"):
        hosting.php.uninstall(name)
    if settings(hosting) != before:
        for path in hosting.php.folder.rglob("*"):
            if path.name not in {each.rpartition("/")[2] for each in before} and path.parent.name == "conf.d":
                path.unlink()
        hosting.php.reload()
    hosting.owner.run(["rm", "-rf", hosting.folder / "home/.steelyard"])


def settings(hosting: Hosting) -> dict[str, bytes]:
    folders = [hosting.php.folder / kind / "conf.d" for kind in ("cli", "fpm")] + [hosting.php.folder / "extensions"]
    return {str(path): path.read_bytes()[:200] for folder in folders for path in folder.iterdir() if path.exists()}


def planned(carrying: Carrying, site: Site, name: str, hints: dict[str, Any] | None = None) -> tuple[Asked, Plan]:
    asked = asked_for(site, hints_of(site.hosting) | (hints or {}), {"extension": name})
    return asked, carrying.plan(RUNBOOK, asked)


def archive(site: Site, library: bytes, member: str = "ioncube_loader_lin_8.2.so") -> dict[str, Any]:
    """An archive on the host and the hint that pins it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as opened:
        for name, data in (("ioncube/README.txt", b"read me"), (f"ioncube/{member}", library), ("../evil.so", b"no")):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            opened.addfile(entry, io.BytesIO(data))
    path = site.home / "loaders.tar.gz"
    path.write_bytes(packed.getvalue())
    return {"ioncube": {"archive": str(path), "sha256": hashlib.sha256(packed.getvalue()).hexdigest()}}


def loaded(carrying: Carrying, asked: Asked, name: str) -> bool:
    """Whether FPM has it, once it stopped being the one of before."""
    time.sleep(0.3)
    return carrying.do(php.loaded(asked.site, [name]))["fpm"]


@pytest.mark.parametrize("name", ["redis", "intl"])
def test_an_extension_that_is_there_is_loaded_by_both_and_no_more_after_the_undo(
    carrying: Carrying, wordpress: Site, name: str
) -> None:
    hosting = wordpress.hosting
    hosting.php.install(name, enable=False)
    before = settings(hosting)
    asked, plan = planned(carrying, wordpress, name)
    assert [step.name for step in plan.steps] == ["try", "enable", "check_settings", "reload_php"]
    carrying.carry_out(plan)
    assert carrying.prove(plan) == []
    assert name in hosting.php.modules()
    assert planned(carrying, wordpress, name)[1].nothing is not None
    carrying.undo(RUNBOOK, asked, plan)
    assert settings(hosting) == before
    assert not loaded(carrying, asked, name)
    assert wordpress.get("/").status == 200
    assert carrying.undo(RUNBOOK, asked, plan).steps == ()


def test_what_php_cannot_load_changes_nothing(carrying: Carrying, wordpress: Site) -> None:
    hosting = wordpress.hosting
    hosting.owner.write(hosting.php.folder / "extensions/intl.so", "this is no library")
    before = settings(hosting)
    try:
        _, plan = planned(carrying, wordpress, "intl")
        with pytest.raises(VerbFailed, match="not_loadable") as failed:
            carrying.carry_out(plan)
        assert "intl.so" in str(failed.value)
        assert settings(hosting) == before
    finally:
        (hosting.php.folder / "extensions/intl.so").unlink()


def test_ioncube_is_loaded_before_all_others(
    carrying: Carrying, wordpress: Site, loaders: Callable[..., bytes]
) -> None:
    hosting, hints = wordpress.hosting, archive(wordpress, loaders())
    before = settings(hosting)
    asked, plan = planned(carrying, wordpress, "ioncube", hints)
    assert [step.name for step in plan.steps] == ["try", "put_loader", "enable", "check_settings", "reload_php"]
    carrying.carry_out(plan)
    assert carrying.prove(plan) == []
    first = hosting.owner.run([hosting.php.binary, "-r", "echo get_loaded_extensions(true)[0];"])
    assert first == "the ionCube PHP Loader"
    carrying.undo(RUNBOOK, asked, plan)
    assert settings(hosting) == before
    assert not loaded(carrying, asked, "ioncube")


def for_another_machine(library: bytes) -> bytes:
    return library[:18] + (183).to_bytes(2, "little") + library[20:]


def for_another_php(library: bytes) -> bytes:
    return library.replace(b"API420220829,", b"API420230831,")


@pytest.mark.parametrize(
    ("change", "member", "code"),
    [
        (for_another_machine, "ioncube_loader_lin_8.2.so", "wrong_loader"),
        (for_another_php, "ioncube_loader_lin_8.2.so", "wrong_loader"),
        ("TS", "ioncube_loader_lin_8.2.so", "wrong_loader"),
        (None, "ioncube_loader_lin_8.1.so", "wrong_loader"),
        (lambda _: b"\x7fELF", "ioncube_loader_lin_8.2.so", "wrong_loader"),
        ("hash", "ioncube_loader_lin_8.2.so", "wrong_hash"),
        ("gone", "ioncube_loader_lin_8.2.so", "missing"),
        ("no hint", "ioncube_loader_lin_8.2.so", "no_archive"),
    ],
)
def test_a_loader_that_does_not_fit_is_refused_before_anything(
    carrying: Carrying, wordpress: Site, loaders: Callable[..., bytes], change: Any, member: str, code: str
) -> None:
    library = loaders("TS" if change == "TS" else "NTS")
    hints = archive(wordpress, change(library) if callable(change) else library, member)
    if change == "hash":
        hints["ioncube"]["sha256"] = "0" * 64
    if change == "gone":
        Path(hints["ioncube"]["archive"]).unlink()
    with pytest.raises(Refused) as refused:
        planned(carrying, wordpress, "ioncube", {} if change == "no hint" else hints)
    assert refused.value.code == code


def test_a_loader_that_php_does_not_start_with_is_found_out_beside(
    carrying: Carrying, wordpress: Site, loaders: Callable[..., bytes]
) -> None:
    library = loaders()
    symbol = library.replace(b"zend_extension_entry", b"zend_extension_other")
    before = settings(wordpress.hosting)
    _, plan = planned(carrying, wordpress, "ioncube", archive(wordpress, symbol))
    with pytest.raises(VerbFailed, match="not_loadable"):
        carrying.carry_out(plan)
    assert settings(wordpress.hosting) == before
    assert wordpress.get("/").status == 200


def test_where_the_settings_are_root_s_only_prepared_commands_are_root_s(carrying: Carrying, wordpress: Site) -> None:
    wordpress.hosting.php.install("redis", enable=False)
    asked = asked_for(wordpress, hints_of(wordpress.hosting), {"extension": "redis"})
    facts = carrying.facts(RUNBOOK.reads(asked))
    facts["php"]["writes"] = {"cli": False, "fpm": False}
    plan = RUNBOOK.plan(asked, facts)
    carrying.carry_out(plan)
    assert carrying.by_root == [
        ["/usr/sbin/phpenmod", "-v", "8.2", "-s", kind, each]
        for kind in ("cli", "fpm")
        for each in ("igbinary", "redis")
    ]


def test_a_package_is_planned_with_all_that_comes_with_it(carrying: Carrying, wordpress: Site) -> None:
    if shutil.which("apt-get") is None:
        pytest.skip("apt is missing")
    asked = asked_for(wordpress, hints_of(wordpress.hosting), {"extension": "imagick"})
    facts = carrying.facts(RUNBOOK.reads(asked))
    if facts["extension"]["apt"] is None:
        pytest.skip("apt knows no php8.2-imagick")
    plan = RUNBOOK.plan(asked, facts)
    install = plan.steps[0]
    assert install.name == "install_package"
    assert install.actions[0].args["argv"][-1] == "php8.2-imagick"
    facts["extension"]["apt"] = {"version": "1", "installs": ["php8.2-imagick"], "removes": ["php8.2-fpm"]}
    with pytest.raises(Refused, match="remove php8\\.2-fpm"):
        RUNBOOK.plan(asked, facts)
    facts["extension"]["apt"] = None
    with pytest.raises(Refused) as refused:
        RUNBOOK.plan(asked, facts)
    assert refused.value.code == "no_package"


@pytest.mark.slow
def test_a_package_of_the_distribution_is_really_installed(wordpress: Site, hosting: Hosting) -> None:
    """Debian's own PHP on this machine, of which the hosting's is made, gets a small package and loses it again."""
    if os.geteuid() != 0 or shutil.which("phpenmod") is None or Path("/usr/lib/php/20220829/soap.so").exists():
        pytest.skip("only root installs packages, and only one that is not there")
    hints = {
        "php": "/usr/bin/php8.2",
        "fpm_pools": str(hosting.folder / "none"),
        "http_to": hints_of(hosting)["http_to"],
    }
    # What was switched off stays so when the package comes again: here it is as if it had never been there.
    for kind in ("cli", "fpm"):
        Path(f"/var/lib/php/modules/8.2/{kind}/disabled_by_admin/soap").unlink(missing_ok=True)
    carrying = Carrying(hosting)
    asked = asked_for(wordpress, hints, {"extension": "soap"})
    plan = carrying.plan(RUNBOOK, asked)
    assert [step.name for step in plan.steps] == ["install_package"]
    carrying.carry_out(plan)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        with services_held():
            for argv in carrying.by_root:
                subprocess.run(argv, check=True, capture_output=True, env=environment, timeout=300)
        assert carrying.prove(plan) == []
        carrying.by_root.clear()
        carrying.undo(RUNBOOK, asked, plan)
        assert carrying.by_root == [["/usr/sbin/phpdismod", "-v", "8.2", "-s", "cli", "soap"]]
        for argv in carrying.by_root:
            subprocess.run(argv, check=True, capture_output=True, timeout=60)
        assert not carrying.do(php.loaded(asked.site, ["soap"]))["cli"]
    finally:
        carrying.stop()
        subprocess.run(["apt-get", "purge", "-y", "php8.2-soap"], capture_output=True, env=environment, timeout=300)
