"""The pages of people, search and the style guide draw whatever their types allow; and no page is left out."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from drawing import HOSTILE, PAGES, SEEDS, a_form, a_shell, a_table, check, some
from starlette.requests import Request

from steelyard.people.access_pages import ACCESS, Access
from steelyard.people.account_pages import ACCOUNT, Account
from steelyard.people.audit import DEEDS, Deed
from steelyard.people.audit_pages import TELLING
from steelyard.people.gate import Kept
from steelyard.people.links import Invitation
from steelyard.people.members import Member
from steelyard.people.members_pages import INVITE, PEOPLE_TO_CHANGE, ROLES_FORM, MemberPage, Told, _teammate_form
from steelyard.people.permissions import GRANTS, Permission, Role, Standing, Verdict
from steelyard.people.sessions import Session
from steelyard.people.tokens import Listed
from steelyard.people.tokens_pages import TOKENS, Made
from steelyard.people.words import PERMISSIONS, ROLES
from steelyard.routing.telling import TELLING as ROUTING_TELLING
from steelyard.web.search import Group
from steelyard.web.styleguide import FORM as GUIDE_FORM
from steelyard.web.styleguide import HOSTS, TABLE, _guide
from steelyard.web.toasts import Done, Undo
from steelyard.web.viewer import Preferences

WORDS: dict[str, Any] = {"role_words": ROLES, "permissions": PERMISSIONS, "grants": GRANTS, "roles": list(Role)}


def draw(template: str, random: Random, **context: Any) -> None:
    shell = a_shell(random)
    check(lambda language: PAGES.draw(template, language, shell=shell, **context))


def a_told(random: Random, *what: str) -> Told | None:
    undo = some(Undo, random) if random.random() < 0.5 else None
    return Told(random.choice(what), HOSTILE, undo) if random.random() < 0.7 else None


@pytest.mark.parametrize("seed", SEEDS)
def test_lists_of_people(seed: int) -> None:
    random = Random(seed)
    shown = a_table(PEOPLE_TO_CHANGE, Member, random)
    view = {"form": a_form(INVITE, random), "told": a_told(random, "removed", "back"), "alone": seed % 2 == 0}
    engineers = {row.engineer: HOSTILE for row in shown.rows if row.engineer}
    draw("people/people.html", random, table=shown, engineers=engineers, **view, **WORDS)
    view = {"form": a_form(INVITE, random) if seed % 2 else None, "revoked": HOSTILE if seed % 3 else None}
    shown, soon = a_table(TOKENS, Listed, random), some(datetime, random)
    draw("people/tokens.html", random, table=shown, soon=soon, anybodys=seed % 2, **view, **WORDS)
    draw("people/access.html", random, table=a_table(ACCESS, Verdict, random), view=some(Access, random), **WORDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_audit(seed: int) -> None:
    random = Random(seed)
    kinds = TELLING.kinds | ROUTING_TELLING.kinds
    templates = {kind: each.template for each in (TELLING, ROUTING_TELLING) for kind in each.kinds}
    shown = a_table(DEEDS, Deed, random)
    rows = tuple(each._replace(kind=random.choice(list(kinds))) for each in shown.rows)
    draw("people/audit.html", random, table=shown._replace(rows=rows), templates=templates, kinds=kinds, **WORDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_somebody_s_own_pages(seed: int) -> None:
    random = Random(seed)
    forms = {"roles_form": a_form(ROLES_FORM, random), "teammate_form": a_form(_teammate_form([]), random)}
    told = a_told(random, "roles", "teammate")
    view = some(MemberPage, random)
    about = {"problem": some(str, random), "told": told, "itself": seed % 2 == 0, "view": view}
    draw("people/member.html", random, **about, **forms, **WORDS)
    sessions = tuple(some(Session, random) for _ in range(seed % 3))
    account = Account(some(Member, random).person, HOSTILE, HOSTILE, Preferences(), 1, sessions)
    done = random.choice([None, Done("kept"), Done("password"), Done("ended", (2,)), Done("ended")])
    form = a_form(ACCOUNT, random)
    about = {"problem": some(str, random), "wrong_old": seed % 2 == 0, "done": done}
    draw("people/account.html", random, view=account, form=form, **about)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_entrance(seed: int) -> None:
    random = Random(seed)
    kept = some(Kept, random) if seed % 2 else None
    people = [some(Member, random) for _ in range(seed % 3)]
    problem = random.choice(["", "wrong", "held"])
    typed = {"address": HOSTILE, "next": HOSTILE, "problem": problem, "until": some(datetime, random)}
    draw("people/sign_in.html", random, kept=kept, people=people, **typed, **WORDS)
    draw("people/again.html", random, kept=some(Kept, random))
    invited = {"invitation": some(Invitation, random), "chosen": some(Invitation, random)}
    problem = random.choice(["", "name", "address", "short", "long", "known", "taken"])
    draw("people/enter.html", random, token=HOSTILE, problem=problem, **invited)
    draw("people/handed.html", random, member=some(Member, random), link=some(str, random), new=seed % 2 == 0)
    draw("people/nowhere.html", random, connected=seed % 2 == 0)
    verdict, standing = some(Verdict, random), some(Standing, random)
    draw("people/refused.html", random, verdict=verdict, standing=standing, **WORDS)
    draw("people/token_made.html", random, made=some(Made, random))


@pytest.mark.parametrize("seed", SEEDS)
def test_pages_of_the_kit(seed: int) -> None:
    random = Random(seed)
    groups = tuple(some(Group, random) for _ in range(seed % 4))
    draw("web/search.html", random, query=some(str, random), groups=groups, failed=groups[:1])
    request = Request({"type": "http", "query_string": b"done=kept", "headers": [], "method": "GET", "path": "/"})
    shown = TABLE.of_rows(HOSTS if seed % 2 else [], TABLE.read({}), a_shell(random).viewer.zone)
    draw("web/styleguide.html", random, table=shown, view=_guide(request, a_form(GUIDE_FORM, random)))
    draw("web/styleguide_fragment.html", random, at=some(datetime, random))
    draw("web/left_out.html", random, code=random.choice([401, 403, 404, 410, 500]))


def test_every_page_is_drawn_here_with_generated_models() -> None:
    folder = Path(__file__).parent
    tests = "".join(each.read_text("utf-8") for each in folder.glob("test_views_*.py"))
    drawn = set(re.findall(r"\"((?:companion|people|routing|toolbox|web)/\w+\.html)\"", tests))
    package = folder.parents[1] / "src/steelyard"
    pages = {
        f"{each.parts[-3]}/{each.name}"
        for each in package.glob("*/templates/*.html")
        if re.search(r"\{%-? extends|\{%-? block", each.read_text("utf-8")) and each.name != "base.html"
    }
    assert pages - drawn == set(), "a template without a model that is generated for it"
    assert drawn - {f"{each.parts[-3]}/{each.name}" for each in package.glob("*/templates/*.html")} == set()


def test_permissions_are_all_there() -> None:
    assert set(PERMISSIONS) == set(Permission)
