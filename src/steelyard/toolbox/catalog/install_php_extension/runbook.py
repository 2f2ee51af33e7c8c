"""Gives a site's PHP an extension: from the distribution, or the ionCube Loader; tried before it is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from steelyard.toolbox.model import Action, Check, Json, Plan, Refused, Risk, Row, Site, Size, Step
from steelyard.toolbox.runbook import Asked, Facts, Left, Parameter, Read, Runbook
from steelyard.toolbox.tools import files, http, php
from steelyard.toolbox.tools import php_extensions as extensions
from steelyard.web.said import N_, Said
from steelyard.web.tables import Choice

OFFERED = (
    *(
        "apcu",
        "bcmath",
        "bz2",
        "curl",
        "gd",
        "gmp",
        "imagick",
        "imap",
        "intl",
        "ldap",
        "mbstring",
        "memcached",
        "mysql",
    ),
    *("opcache", "redis", "soap", "sqlite3", "tidy", "xml", "xsl", "yaml", "zip"),
)


def reads(asked: Asked) -> tuple[Read, ...]:
    name = str(asked.values["extension"])
    of_loader = (extensions.read_loader(asked.site),) if name == extensions.IONCUBE and _archive(asked) else ()
    return php.read(asked.site), extensions.read(asked.site, name), *of_loader


def plan(asked: Asked, facts: Facts) -> Plan:
    name, of_php = str(asked.values["extension"]), facts["php"]
    modules = extensions.modules_of(name)
    if all(set(modules) <= set(of_php["extensions"][kind]) for kind in _kinds(facts)):
        says = Said(N_("PHP %(version)s has %(name)s already."), {"version": of_php["version"], "name": name})
        return Plan((), nothing=says, undoable=False)
    keeps: dict[str, Json] = {"name": name, "files": {}, "library": "", "root": [], "loader": False}
    enabling = _ioncube(asked, facts, keeps) if name == extensions.IONCUBE else _packaged(asked, facts, keeps)
    says = Said(N_("The command line and PHP-FPM have %(names)s"), {"names": ", ".join(modules)})
    has = Check(says, php.loaded(asked.site, list(modules)), {"cli": True, "fpm": True}, tries=25)
    affected = Said(N_("All sites of PHP %(version)s on this host get it."), {"version": of_php["version"]})
    return Plan(
        (*enabling, *_reload(asked.site, facts)),
        checks=(has, http.answers(asked.site, tries=25)),
        concerns=_concerns(asked, facts),
        warnings=(affected,),
        keeps=keeps,
    )


def undo(left: Left, facts: Facts) -> Plan:
    steps = tuple(_back(left, facts))
    if not steps:
        return Plan((), nothing=Said(N_("PHP loads what it loaded before.")))
    return Plan((*steps, *_reload(left.site, facts)), checks=(http.answers(left.site, tries=25),))


def undo_reads(left: Left) -> tuple[Read, ...]:
    keeps = left.keeps
    library = Read("library", files.stat([keeps["library"]] if keeps["library"] else []))
    return php.read(left.site), extensions.read(left.site, keeps["name"]), extensions.written(keeps["files"]), library


def erase(left: Left) -> tuple[Action, ...]:
    return (files.clear_work(),)


def _archive(asked: Asked) -> Mapping[str, Json] | None:
    return asked.site.hints.get("ioncube")


def _kinds(facts: Facts) -> list[str]:
    return ["cli", "fpm"] if facts["php"]["fpm"] else ["cli"]


def _packaged(asked: Asked, facts: Facts, keeps: dict[str, Json]) -> tuple[Step, ...]:
    """The steps to an extension of the distribution; what undo has to know goes into `keeps`."""
    found, of_php = facts["extension"], facts["php"]
    modules = extensions.modules_of(keeps["name"])
    if set(modules) - set(found["there"]):
        return _installed(facts, keeps)
    lacking = {kind: [each for each in modules if each not in found["enabled"][kind]] for kind in _kinds(facts)}
    added = sorted({each for kind in lacking for each in lacking[kind]}, key=modules.index)
    if not added:
        return ()  # its settings load it already: FPM has only to read them
    lines = [_line(each) for each in added]
    attempt = _attempt(facts, (extensions.attempt(facts, lines, modules),))
    if all(of_php["writes"][kind] for kind in _kinds(facts)):
        for kind, names in lacking.items():
            for each in names:
                path = f"{of_php['ini'][kind]}/{extensions.ORDER.get(each, '20')}-steelyard-{each}.ini"
                keeps["files"][path] = f"; set by the run {asked.token}\n{_line(each)}\n"
        return attempt, _enable(keeps["files"])
    if not found["phpenmod"]:
        raise _closed(of_php["ini"]["cli"])
    keeps["root"] = [[kind, each] for kind in lacking for each in lacking[kind]]
    actions = tuple(extensions.switch(of_php["version"], kind, each, on=True) for kind, each in keeps["root"])
    listed = ", ".join(f"{kind} {each}" for kind, each in keeps["root"])
    says = Said(N_("phpenmod for PHP %(version)s: %(names)s"), {"version": of_php["version"], "names": listed})
    return attempt, Step("enable", Said(N_("Have PHP load it")), says, actions, seconds=1.0)


def _installed(facts: Facts, keeps: dict[str, Json]) -> tuple[Step, ...]:
    found, of_php = facts["extension"], facts["php"]
    if found["apt"] is None:
        says = N_("The distribution has no package %(name)s: add a source that has it, such as the one of this PHP.")
        raise Refused("no_package", Said(says, {"name": found["package"]}))
    if found["apt"]["removes"]:
        says = N_("Installing %(name)s would remove %(names)s: install it by hand.")
        removed = ", ".join(found["apt"]["removes"])
        raise Refused("removes", Said(says, {"name": found["package"], "names": removed}))
    before = found["enabled"]
    keeps["root"] = [
        [kind, each]
        for kind in _kinds(facts)
        for each in extensions.modules_of(keeps["name"])
        if each not in before[kind]
    ]
    packages = ", ".join(found["apt"]["installs"]) or found["package"]
    says = Said(N_("%(names)s, for PHP %(version)s"), {"names": packages, "version": of_php["version"]})
    install = extensions.install(found["package"])
    return (Step("install_package", Said(N_("Install the package")), says, (install,), seconds=15.0),)


def _ioncube(asked: Asked, facts: Facts, keeps: dict[str, Json]) -> tuple[Step, ...]:
    """The steps to the ionCube Loader: before all other extensions, or PHP does not start."""
    if _archive(asked) is None:
        says = N_("No archive of the ionCube Loader is known: put one on the host, then name it in the hint “ioncube”.")
        raise Refused("no_archive", Said(says))
    loader, of_php = facts["loader"], facts["php"]
    if "missing" in loader:
        raise Refused(
            loader["missing"], Said(N_("The ionCube Loader cannot be used: %(why)s"), {"why": loader["message"]})
        )
    tried = (
        extensions.put_loader(asked.site, loader),
        extensions.attempt(facts, ["zend_extension={work}/loader.so"], [extensions.IONCUBE], first=True),
    )
    if not (facts["extension"]["writes"] and all(of_php["writes"][kind] for kind in _kinds(facts))):
        keeps["loader"] = True
        argv = f"{extensions.LOADER} {of_php['version']} on"
        switch = extensions.switch_loader(of_php["version"], on=True)
        says = Said(N_("As root: %(command)s"), {"command": argv})
        return _attempt(facts, tried), Step("enable", Said(N_("Have PHP load it first")), says, (switch,), seconds=1.0)
    keeps["library"] = f"{of_php['extension_dir']}/steelyard-{asked.token}-{loader['member']}"
    for kind in _kinds(facts):
        text = f"; set by the run {asked.token}\nzend_extension={keeps['library']}\n"
        keeps["files"][f"{of_php['ini'][kind]}/00-ioncube.ini"] = text
    says = Said(N_("%(path)s, %(size)s"), {"path": keeps["library"], "size": Size(loader["bytes"])})
    put = extensions.put_loader(asked.site, loader, keeps["library"])
    lay = Step("put_loader", Said(N_("Lay the loader beside PHP's extensions")), says, (put,), touches=False)
    return _attempt(facts, tried), lay, _enable(keeps["files"])


def _attempt(facts: Facts, actions: tuple[Action, ...]) -> Step:
    says = Said(N_("PHP is started beside, with the settings of: %(kinds)s"), {"kinds": ", ".join(_kinds(facts))})
    return Step("try", Said(N_("Try whether PHP starts with it")), says, actions, seconds=0.3, touches=False)


def _enable(written: Mapping[str, str]) -> Step:
    says = Said(N_("%(paths)s"), {"paths": ", ".join(written)})
    return Step("enable", Said(N_("Have PHP load it")), says, (extensions.enable(written),))


def _reload(site: Site, facts: Facts) -> Iterator[Step]:
    check, reload = php.check(site, facts), php.reload(site, facts)
    if check is None or reload is None:
        return
    version = {"version": facts["php"]["version"]}
    says = Said(N_("PHP-FPM %(version)s reads them without using them"), version)
    yield Step("check_settings", Said(N_("Test PHP-FPM's settings")), says, (check,), touches=False)
    says = Said(N_("PHP-FPM %(version)s: requests that are being answered are finished first"), version)
    yield Step("reload_php", Said(N_("Reload PHP-FPM")), says, (reload,), seconds=0.5)


def _back(left: Left, facts: Facts) -> Iterator[Step]:
    keeps, of_php = left.keeps, facts["php"]
    mine = {path: keeps["files"][path] for path in facts["written"]["there"]}
    library = [path for path, seen in facts["library"].items() if seen]
    if mine or library:
        says = Said(N_("%(paths)s"), {"paths": ", ".join([*mine, *library])})
        actions = (extensions.disable(mine), *([files.remove(library)] if library else []))
        yield Step("disable", Said(N_("Have PHP load it no more")), says, actions)
    enabled = facts["extension"]["enabled"]
    on = [(kind, each) for kind, each in keeps["root"] if each in enabled.get(kind, ())]
    if on:
        actions = tuple(extensions.switch(of_php["version"], kind, each, on=False) for kind, each in on)
        listed = ", ".join(f"{kind} {each}" for kind, each in on)
        says = Said(N_("phpdismod for PHP %(version)s: %(names)s"), {"version": of_php["version"], "names": listed})
        yield Step("disable", Said(N_("Have PHP load it no more")), says, actions, seconds=1.0)
    if keeps["loader"] and any(extensions.IONCUBE in of_php["extensions"][kind] for kind in _kinds(facts)):
        command = {"command": f"{extensions.LOADER} {of_php['version']} off"}
        off = extensions.switch_loader(of_php["version"], on=False)
        yield Step("disable", Said(N_("Have PHP load it no more")), Said(N_("As root: %(command)s"), command), (off,))


def _line(module: str) -> str:
    return f"{'zend_extension' if module == 'opcache' else 'extension'}={module}.so"


def _closed(path: str) -> Refused:
    says = N_("%(path)s is closed to the site's account, and there is no phpenmod on the host: enable it by hand.")
    return Refused("closed", Said(says, {"path": path}))


def _concerns(asked: Asked, facts: Facts) -> tuple[Row, ...]:
    of_php, found = facts["php"], facts["extension"]
    threads = N_("thread-safe") if of_php["zts"] else N_("not thread-safe")
    kind = {"full": of_php["full"], "api": of_php["api"], "arch": of_php["arch"], "threads": Said(threads)}
    version = found["apt"]["version"] if found["apt"] else ""
    return (
        Row(Said(N_("PHP")), Said(N_("%(full)s, API %(api)s, %(threads)s, %(arch)s"), kind)),
        Row(Said(N_("PHP-FPM's pool")), of_php["fpm"]["pool"] if of_php["fpm"] else Said(N_("none"))),
        *([Row(Said(N_("Package")), f"{found['package']} {version}".strip())] if found["apt"] else []),
        *([Row(Said(N_("Loader")), facts["loader"]["member"])] if "loader" in facts else []),
    )


RUNBOOK = Runbook(
    name="install_php_extension",
    title=N_("Install a PHP extension"),
    summary=N_("Gives the site's PHP an extension of the distribution, or the ionCube Loader."),
    risk=Risk.CHANGES,
    minutes=15,
    plan=plan,
    reads=reads,
    parameters=(
        Parameter(
            "extension",
            N_("Extension"),
            "choice",
            required=True,
            choices=(*(Choice(each, each) for each in OFFERED), Choice(extensions.IONCUBE, "ionCube Loader")),
        ),
    ),
    undo=undo,
    undo_reads=undo_reads,
    erase=erase,
    topics=("php",),
)
