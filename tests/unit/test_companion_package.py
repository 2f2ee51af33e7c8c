"""The packed extension: small, whole, the same each time, and without code from elsewhere."""

from __future__ import annotations

import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

import pytest

from steelyard.companion.bare import bare
from steelyard.companion.package import ROOT, pack
from steelyard.kit.errors import ConfigError

EXTENSION = ROOT / "extension"
MOST_BYTES = 150_000
FROM_ELSEWHERE = re.compile(
    r"\beval\(|new Function\b|\b(?:inner|outer)HTML\s*\+?=(?!=)|insertAdjacentHTML|document\.write\("
    r"|importScripts|setHTMLUnsafe"
)
IMPORTED = re.compile(r"""^(?:import|export|\}) [^;"']*?\bfrom ["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']""", re.M)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(EXTENSION, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def files(archive: Path) -> dict[str, bytes]:
    with ZipFile(archive) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def test_it_is_small(archive: Path) -> None:
    assert archive.stat().st_size < MOST_BYTES


def test_the_same_files_give_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    copy = tmp_path / "extension"
    for path in sorted(EXTENSION.rglob("*"), reverse=True):
        if path.is_file():
            target = copy / path.relative_to(EXTENSION)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    assert pack(copy, tmp_path / "dist").read_bytes() == archive.read_bytes()


def test_it_holds_what_runs_and_nothing_else(files: dict[str, bytes]) -> None:
    assert {"manifest.json", "background/worker.js", "composer/start.js", "rules/hosts.json"} <= set(files)
    assert not [name for name in files if "test" in name or name.endswith((".ts", ".map", "tsconfig.json", ".md"))]
    assert "package.json" not in files


def test_everything_that_the_manifest_names_is_there(files: dict[str, bytes]) -> None:
    manifest = json.loads(files["manifest.json"])
    named = [text for text in _texts(manifest) if re.fullmatch(r"[\w/]+\.(js|html|png|json)", text)]
    assert len(named) >= 10
    assert set(named) <= set(files)
    assert manifest["default_locale"] == "en"


def test_every_import_leads_to_a_file_of_the_package(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        if not name.endswith(".js"):
            continue
        for found in IMPORTED.finditer(content.decode()):
            target = found[1] or found[2]
            assert target.startswith("."), f"{name} imports {target}"
            assert _joined(name, target) in files, f"{name} imports {target}"


def test_scripts_and_styles_lose_nothing_but_comments_and_spaces(files: dict[str, bytes], tmp_path: Path) -> None:
    esbuild = ROOT / "node_modules/.bin/esbuild"
    if not esbuild.exists():
        pytest.skip("no esbuild: npm ci")
    scripts = sorted(name for name in files if name.endswith((".js", ".css")))
    for name in scripts:
        (tmp_path / "packed" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "packed" / name).write_bytes(files[name])
        if name.endswith(".js"):
            assert files[name].count(b"\n") == (EXTENSION / name).read_bytes().count(b"\n"), name
    assert _minified(esbuild, tmp_path / "packed", scripts) == _minified(esbuild, EXTENSION, scripts)
    assert sum(map(len, files.values())) < 0.9 * sum((EXTENSION / name).stat().st_size for name in files)


@pytest.mark.parametrize(
    ("script", "made"),
    [
        ("a(); // why", "a();"),
        ('const url = "// x";', 'const url="// x";'),
        ("const glob = /a *[/*]/u.exec(b) ?? c * d / e / f;", "const glob=/a *[/*]/u.exec(b)??c*d/e/f;"),
        ("// @ts-check\n/**\n * Why `this`.\n */\n  a();\n", "\n\n\n\na();\n"),
        (
            "const a = `\n  // ${ b ? `{ ${ {c} } }` : 1 } stays\n`;\n  c();",
            "const a=`\n  // ${b?`{ ${{c}} }`:1} stays\n`;\nc();",
        ),
        ("b = /** @type {X} */ (a).b(); return /x y/.test(b)", "b=(a).b();return/x y/.test(b)"),
        ("a = b + +c - -d; e = f in g", "a=b+ +c- -d;e=f in g"),
        ("a = [1] / 2 / (3) / 4; '/ /'", "a=[1]/2/(3)/4;'/ /'"),
    ],
)
def test_only_what_says_nothing_is_left_out(script: str, made: str) -> None:
    assert bare(script) == made


def test_no_code_comes_from_elsewhere(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        if name.endswith(".js"):
            assert not FROM_ELSEWHERE.search(content.decode()), name
    policy = json.loads(files["manifest.json"])["content_security_policy"]["extension_pages"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy


def test_pages_hold_no_script_and_no_style_of_their_own(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        if name.endswith(".html"):
            page = _Page()
            page.feed(content.decode())
            assert page.inline == [], name
            assert {_joined(name, each) for each in page.loads} <= set(files), name


def test_a_folder_that_is_no_extension_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no manifest"):
        pack(tmp_path, tmp_path / "dist")


def _minified(esbuild: Path, folder: Path, scripts: list[str]) -> dict[str, bytes]:
    how = ["--minify", "--legal-comments=none", "--outbase=.", "--log-level=error", "--tsconfig-raw={}"]
    with TemporaryDirectory() as out:
        command = [str(esbuild), *scripts, *how, f"--outdir={out}"]
        subprocess.run(command, check=True, cwd=folder)
        return {name: (Path(out) / name).read_bytes() for name in scripts}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.inline.append(tag)
        source = given.get("src") if tag in ("script", "img") else given.get("href") if tag == "link" else None
        if source:
            self.loads.append(source)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


def _joined(name: str, target: str) -> str:
    parts: list[str] = []
    for part in [*name.split("/")[:-1], *target.split("/")]:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
