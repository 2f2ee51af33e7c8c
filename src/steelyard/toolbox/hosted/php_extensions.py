"""Extensions of a PHP: which are there, whether one loads, and having it loaded by files of our own.

An extension is tried in the settings of the command line and of FPM before any of them is changed.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Callable
from typing import Any

from steelyard.toolbox.hosted import php
from steelyard.toolbox.hosted.here import Failed, Here, shown
from steelyard.toolbox.hosted.php import ALIASES

MACHINES = {"x86_64": (2, 62), "aarch64": (2, 183), "i686": (1, 3), "i386": (1, 3), "armv7l": (1, 40)}
"""Class and machine of ELF files, by what `uname -m` calls them."""

_BUILD = re.compile(rb"API(\d)(\d{8}),(N?TS)")
_INSTALLS = re.compile(r"(?m)^(Inst|Remv) (\S+)(?: \[[^\]]*\])?(?: \(([^\s)]+))?")
_MOST_ARCHIVE = 200_000_000


def extension(here: Here, args: dict[str, Any]) -> Any:
    """`php_extensions.extension`: {name, modules, apt} and args of `php.read` -> what there is of an extension for
    the site's PHP.

    `modules`: the names of its .so files; `apt`: whether to ask it. Answers `there` (modules whose file is there),
    `enabled` (by kind, those that an .ini file loads), `package` (its name) and, where a file is not there, `apt`:
    `{"version", "installs", "removes"}` as it would install it, None where it knows none; `phpenmod`, and `writes`
    (whether the account may put files beside the others).
    """
    found = php.read(here, args)
    folder, package = found["extension_dir"], f"php{found['version']}-{args['name']}"
    there = [each for each in args["modules"] if here.stat(f"{folder}/{each}.so") is not None]
    return {
        "there": there,
        "enabled": {kind: _enabled(here, scan, args["modules"]) for kind, scan in found["ini"].items() if scan},
        "package": package,
        "apt": _package(here, package) if args["apt"] and set(args["modules"]) - set(there) else None,
        "phpenmod": here.stat("/usr/sbin/phpenmod") is not None,
        "writes": php.writable(here, folder),
    }


def loader(here: Here, args: dict[str, Any]) -> Any:
    """`php_extensions.loader`: {archive, sha256, prefix} and args of `php.read` -> {member, bytes}, before anything
    is done.

    `archive`: a tar on the host, whose member is `prefix`, the version, `_ts` for a thread-safe PHP, and `.so`. Answers
    `missing` and `message` where it does not fit: missing, wrong_hash, wrong_loader.
    """
    try:
        found = php.read(here, args)
        wanted = {key: found[key] for key in ("api", "zts", "arch")}
        wanted["member"] = f"{args['prefix']}{found['version']}{'_ts' if found['zts'] else ''}.so"
        library = _checked_loader(here, {**wanted, "archive": args["archive"], "sha256": args["sha256"]})
        return {**wanted, "bytes": len(library)}
    except Failed as failed:
        return {"missing": failed.code, "message": failed.message}


def put_loader(here: Here, args: dict[str, Any]) -> Any:
    """`php_extensions.put_loader`: {archive, sha256, member, api, zts, arch, path} -> {path}. Lays it there, checked
    once more.

    Without a `path` into the run's folder. Raises Failed `missing`, `wrong_hash`, `wrong_loader`.
    """
    path = args["path"] or f"{here.work}/loader.so"
    here.write(path, _checked_loader(here, args), 0o644)
    return {"path": path}


def attempt(here: Here, args: dict[str, Any]) -> Any:
    """`php_extensions.try`: {binary, settings, ini, lines, modules, first} -> {}. Starts PHP with `lines` added to
    what command
    line and FPM load, each in its own settings, and sees that it has `modules` and complains of nothing new.

    `settings`: the php.ini by kind; `ini`: the folders by kind; `first`: before all others, and once alone.
    `{work}` in a line: the run's folder. Raises Failed `not_loadable` with PHP's words.
    """
    folder = f"{here.work}/try"
    here.make_folder(folder, 0o700)
    lines = [line.replace("{work}", here.work) for line in args["lines"]]
    here.write(f"{folder}/00-try.ini", "".join(line + "\n" for line in lines).encode())
    try:
        if args["first"]:
            _loads(here, args, ["-n", *(word for line in lines for word in ("-d", line))], "", "")
        for kind, scan in args["ini"].items():
            if scan:
                settings = args["settings"].get(kind)
                folders = f"{folder}:{scan}" if args["first"] else f"{scan}:{folder}"
                _loads(here, args, ["-c", settings] if settings else [], folders, scan)
    finally:
        here.remove_tree(folder)
    return {}


def enable(here: Here, args: dict[str, Any]) -> Any:
    """`php_extensions.enable`: {files} -> {}. Writes .ini files, `{path: text}`, over nothing but what it wrote
    itself."""
    for path, text in args["files"].items():
        found = here.stat(path)
        if found is not None and (found.kind != "file" or here.read(path, most=100_000) != text.encode()):
            raise Failed("exists", f"{shown(path)} is there already: look at what it loads")
    for path, text in args["files"].items():
        here.write(path, text.encode(), 0o644)
    return {}


def disable(here: Here, args: dict[str, Any]) -> Any:
    """`php_extensions.disable`: {files} -> {left}. Removes the files that `php_extensions.enable` wrote; one changed
    since stays."""
    left: list[str] = []
    for path, text in args["files"].items():
        found = here.stat(path)
        if found is not None and (found.kind != "file" or here.read(path, most=100_000) != text.encode()):
            here.tell("warning", f"{shown(path)} was changed since: it stays as it is")
            left.append(path)
        elif found is not None:
            here.remove(path)
    return {"left": left}


def written(here: Here, args: dict[str, Any]) -> Any:
    """`php_extensions.written`: {files} -> {there}: those of the files that are still as `php_extensions.enable`
    wrote them."""
    there: list[str] = []
    for path, text in args["files"].items():
        found = here.stat(path)
        if found is not None and found.kind == "file" and here.read(path, most=100_000) == text.encode():
            there.append(path)
    return {"there": there}


def _enabled(here: Here, folder: str, modules: list[str]) -> list[str]:
    loaded: set[str] = set()
    for name in here.list(folder):
        if name.endswith(".ini"):
            text = here.read(f"{folder}/{name}", most=1_000_000).decode("utf-8", "replace")
            for value in re.findall(r"(?m)^\s*(?:zend_)?extension\s*=\s*[\"']?([^\s\"';]+)", text):
                loaded.add(re.sub(r"\.so$", "", value.rpartition("/")[2]))
    return [each for each in modules if each in loaded]


def _package(here: Here, name: str) -> Any:
    """What apt would do, tried by itself without root."""
    if here.stat("/usr/bin/apt-get") is None:
        return None
    ran = here.run(["/usr/bin/apt-get", "install", "-s", "-y", "--no-install-recommends", name], env={"LC_ALL": "C"})
    if ran.status != 0:
        return None
    said = ran.out.decode("utf-8", "replace")
    done = _INSTALLS.findall(said)
    versions = {package: version for _, package, version in done}
    return {
        "version": versions.get(name, ""),
        "installs": sorted(package for what, package, _ in done if what == "Inst"),
        "removes": sorted(package for what, package, _ in done if what == "Remv"),
    }


def _checked_loader(here: Here, args: dict[str, Any]) -> bytes:
    archive = here.read(args["archive"], most=_MOST_ARCHIVE)
    digest = hashlib.sha256(archive).hexdigest()
    if digest != args["sha256"]:
        raise Failed("wrong_hash", f"{shown(args['archive'])} is not what was pinned: its SHA-256 is {digest}")
    library = _member(archive, args["member"])
    if library is None:
        raise Failed("wrong_loader", f"{shown(args['archive'])} holds no {args['member']}: get one for this PHP")
    wanted = MACHINES.get(args["arch"])
    header = library[:20].ljust(20, b"\0")
    if header[:4] != b"\x7fELF" or wanted is None or (header[4], header[18] | header[19] << 8) != wanted:
        raise Failed("wrong_loader", f"{args['member']} is not for {args['arch']}: get the archive for this machine")
    built = {found[1:] for found in _BUILD.findall(library)}
    if (args["api"].encode(), b"TS" if args["zts"] else b"NTS") not in built:
        said = ", ".join(sorted(b",".join(each).decode() for each in built)) or "nothing"
        threads = "TS" if args["zts"] else "NTS"
        raise Failed("wrong_loader", f"{args['member']} is for PHP's API {said}; this PHP has {args['api']},{threads}")
    return library


def _member(archive: bytes, name: str) -> bytes | None:
    """A plain file of a tar, by the end of its path; nothing else of the archive is unpacked."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            for member in opened:
                if member.isreg() and member.name.rpartition("/")[2] == name and member.size < _MOST_ARCHIVE:
                    file = opened.extractfile(member)
                    return file.read() if file is not None else None
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Failed("wrong_loader", f"The archive cannot be read: {error}") from error
    return None


def _loads(here: Here, args: dict[str, Any], how: list[str], folders: str, before: str) -> None:
    """Raises Failed where this PHP, started so, has not all modules, or complains of more than it does without them."""
    loud = ["-d", "display_startup_errors=1", "-d", "display_errors=stderr", "-d", "log_errors=0"]
    known = here.run([args["binary"], *how, *loud, "-m"], env={"PHP_INI_SCAN_DIR": before}).err if before else b""
    ran = here.run([args["binary"], *how, *loud, "-m"], env={"PHP_INI_SCAN_DIR": folders})
    lines = ran.out.decode("utf-8", "replace").lower().splitlines()
    listed = {ALIASES.get(line.strip(), line.strip()) for line in lines}
    missing = [each for each in args["modules"] if each not in listed]
    new = [line for line in ran.err.splitlines() if line.strip() and line not in known]
    if ran.status != 0 or missing or new:
        said = ran.said() or f"it does not load {', '.join(missing)}"
        raise Failed("not_loadable", f"PHP was tried with it, and nothing was changed: {said}")


VERBS: dict[str, Callable[[Here, dict[str, Any]], Any]] = {
    "php_extensions.extension": extension,
    "php_extensions.loader": loader,
    "php_extensions.put_loader": put_loader,
    "php_extensions.try": attempt,
    "php_extensions.enable": enable,
    "php_extensions.disable": disable,
    "php_extensions.written": written,
}
