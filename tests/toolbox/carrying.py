"""Does actions on the host of the tests as the engine does, each verb in a process of the site's user."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import steelyard
from steelyard.demo.hosting import Hosting, Site
from steelyard.operations.demo_shop import hints_of as hints_of
from steelyard.toolbox import model
from steelyard.toolbox.journal import agrees
from steelyard.toolbox.model import Action, By, Host, HostId, Plan, Secret, SiteId, Token
from steelyard.toolbox.runbook import Asked, Left, Runbook

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
_CHILD = """
import importlib, json, os, pkgutil, sys
sys.path.insert(0, sys.argv[1])
from steelyard.toolbox import hosted
from steelyard.toolbox.hosted.here import Failed, Here, Place
verbs, resources = {}, {}
for found in pkgutil.iter_modules(hosted.__path__):
    module = importlib.import_module("steelyard.toolbox.hosted." + found.name)
    verbs.update(getattr(module, "VERBS", {}))
    for name in getattr(module, "FILES", ()):
        resources[name] = open(hosted.__path__[0] + "/" + name, "rb").read()
def dying(name, left):  # at a primitive, as kill -9 would have it
    original = getattr(Here, name)
    def counted(self, *args, **kept):
        nonlocal left
        left -= 1
        if left < 0:
            os._exit(9)
        return original(self, *args, **kept)
    setattr(Here, name, counted)
for line in sys.stdin:
    asked, told = json.loads(line), []
    if asked["kill"]:
        dying(*asked["kill"])
    place = Place(asked["account"], asked["home"], asked["home"] + "/.steelyard", asked["token"], resources)
    try:
        answer = {"answer": verbs[asked["verb"]](Here(place, told.append), asked["args"])}
    except Failed as failed:
        answer = {"code": failed.code, "message": failed.message}
    print(json.dumps({**answer, "told": told}), flush=True)
"""


class VerbFailed(Exception):
    """What a verb said: `code`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Killed(Exception):
    """The process of a verb was ended on purpose."""


class Carrying:
    """One run at a site. `given`: secrets by name."""

    def __init__(self, hosting: Hosting, given: Mapping[str, str] | None = None, token: str = "0a1b2c3d") -> None:
        self.hosting, self.token = hosting, Token(token)
        self.secrets = dict(given or {})
        self.said: list[Any] = []
        self.by_root: list[list[str]] = []
        self.kill: tuple[str, int] | None = None
        """After how many calls of which primitive the next verb dies."""
        self._child: subprocess.Popen[str] | None = None

    def do(self, action: Action) -> Any:
        """The verb's answer. Raises VerbFailed. What root would do is noted; it is not done."""
        if action.by is By.ROOT:
            self.by_root.append(list(action.args["argv"]))
            return {"status": 0, "out": "", "err": ""}
        home = str(self.hosting.folder / "home")
        asked = {"verb": action.verb, "args": self._resolved(action.args), "token": self.token, "home": home}
        answer = self._ask(asked | {"account": self.hosting.owner.name, "kill": self.kill})
        self.said += answer["told"]
        if "code" in answer:
            raise VerbFailed(answer["code"], answer["message"])
        return answer["answer"]

    def _ask(self, asked: Mapping[str, Any]) -> Any:
        child = self._child or self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(asked) + "\n")
        child.stdin.flush()
        line = child.stdout.readline()
        if self.kill:
            self.stop()
        if not line and self.kill:
            raise Killed
        assert line, "the verb ended without an answer"
        return json.loads(line)

    def _start(self) -> subprocess.Popen[str]:
        argv = ["/usr/bin/python3", "-I", "-c", _CHILD, str(Path(steelyard.__file__).parents[1])]
        started = subprocess.Popen(
            self.hosting.owner.command(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
        )
        self._child = started
        return started

    def stop(self) -> None:
        """Ends the process that does the verbs."""
        if self._child is not None:
            self._child.communicate()
            self._child = None

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, Secret):
            return self.secrets.setdefault(value.name, secrets.token_hex(value.length // 2))
        if isinstance(value, Mapping):
            return {key: self._resolved(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._resolved(each) for each in value]
        return model.encode(value)

    def facts(self, reads: Any) -> dict[str, Any]:
        return {each.into: json.loads(json.dumps(self.do(each.action))) for each in reads}

    def plan(self, runbook: Runbook, asked: Asked) -> Plan:
        return stored(runbook.plan(asked, self.facts(runbook.reads(asked))))

    def carry_out(self, plan: Plan) -> None:
        for step in plan.steps:
            for action in step.actions:
                self.do(action)

    def prove(self, plan: Plan) -> list[str]:
        """What checks do not find as they expect."""
        return [check.says.message for check in plan.checks if not self._holds(check)]

    def _holds(self, check: model.Check) -> bool:
        for _ in range(check.tries):
            answer = self.do(check.action)
            if agrees(check.expects, answer):
                return True
            time.sleep(0.2)
        return False

    def undo(self, runbook: Runbook, asked: Asked, plan: Plan) -> Plan:
        left = Left(asked.site, asked.values, asked.token, asked.now, plan.keeps)
        assert runbook.undo is not None
        assert runbook.undo_reads is not None
        back = stored(runbook.undo(left, self.facts(runbook.undo_reads(left))))
        self.carry_out(back)
        return back


def empty_redis(hosting: Hosting) -> None:
    """As a Redis that no site was set up in."""
    hosting.redis.run("FLUSHALL")
    for user in hosting.redis.run("ACL", "USERS").splitlines():
        if user not in ("admin", "default"):
            hosting.redis.run("ACL", "DELUSER", user)


def stored(plan: Plan) -> Plan:
    """As it comes back from where it is kept: its actions went through JSON."""
    model.encode(plan.keeps)
    json.dumps([model.encode(step.actions) for step in plan.steps])
    json.dumps([[model.encode(check.action), model.encode(check.expects)] for check in plan.checks])
    json.dumps([model.encode([row.label, row.value]) for row in plan.concerns])
    for said in (*plan.warnings, *plan.left, *(each for step in plan.steps for each in (step.title, step.says))):
        assert said.message % said.values  # every place has its value
    plan.digest()
    return plan


def asked_for(site: Site, hints: Mapping[str, Any], values: Mapping[str, Any], token: str = "0a1b2c3d") -> Asked:
    owner = site.hosting.owner.name
    host = Host(HostId(1), "tests", "127.0.0.1", 22, owner)
    of = model.Site(SiteId(1), site.name, site.url, str(site.docroot), owner, host, "", dict(hints))
    return Asked(of, values, Token(token), NOW)
