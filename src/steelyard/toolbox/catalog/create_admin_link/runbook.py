"""Makes a link that signs somebody in as an administrator: once, for some minutes, and on record."""

from __future__ import annotations

from steelyard.toolbox.model import Action, Check, Plan, Refused, Risk, Row, Step
from steelyard.toolbox.runbook import Asked, Facts, Left, Parameter, Read, Runbook
from steelyard.toolbox.tools import files, http, links, wp
from steelyard.web.said import N_, Said


def reads(asked: Asked) -> tuple[Read, ...]:
    return wp.read(asked.site), links.read(asked.site)


def plan(asked: Asked, facts: Facts) -> Plan:
    found, known = facts["wordpress"], facts["links"]
    if "missing" in found:
        raise Refused("no_wordpress", Said(N_("There is no WordPress in this docroot: check the site's docroot.")))
    if "missing" in known:
        says = N_("The site's database does not answer, so nobody can sign in: look at the site first.")
        raise Refused("no_database", Said(says))
    user, login = _chosen(str(asked.values["login"]), known["admins"])
    plugins, minutes = f"{found['content']}/mu-plugins", int(asked.values["minutes"])
    make = Step(
        "make_link",
        Said(N_("Make the link")),
        Said(
            N_("For %(login)s, once, within %(minutes)s minutes. One small file in %(path)s, which removes itself."),
            {"login": login, "minutes": minutes, "path": plugins},
        ),
        (links.make(plugins, user, found["url"] or asked.site.url, minutes * 60),),
        touches=True,
    )
    answers = http.get(f"{asked.site.url}/wp-login.php", to=asked.site.hints.get("http_to"))
    return Plan(
        (make,),
        checks=(
            Check(Said(N_("The link is ready")), links.look(plugins), {"there": True}),
            Check(Said(N_("The sign-in page answers")), answers, {"status": http.LETS_IN}, tries=3),
        ),
        concerns=(
            Row(Said(N_("Signs in as")), login),
            Row(Said(N_("Administrators of the site")), len(known["admins"])),
            Row(Said(N_("Stays")), Said(N_("passwords, sessions, two-factor settings"))),
        ),
        warnings=(Said(N_("Only you see the link, on this page. Whoever opens it is an administrator of the site.")),),
        keeps={"plugins": plugins},
    )


def undo_reads(left: Left) -> tuple[Read, ...]:
    return (Read("link", links.look(left.keeps["plugins"])),)


def undo(left: Left, facts: Facts) -> Plan:
    if not facts["link"]["there"] and not facts["link"]["folder"]:
        return Plan((), nothing=Said(N_("The link was used, or has expired: nobody can sign in with it any more.")))
    step = Step(
        "drop_link",
        Said(N_("Take the link away")),
        Said(N_("One file in %(path)s"), {"path": left.keeps["plugins"]}),
        (links.drop(left.keeps["plugins"]),),
    )
    gone = Check(Said(N_("The link is gone")), links.look(left.keeps["plugins"]), {"there": False})
    return Plan((step,), checks=(gone,), undoable=False)


def erase(left: Left) -> tuple[Action, ...]:
    return links.drop(left.keeps["plugins"]), files.clear_work()


def _chosen(login: str, admins: list[tuple[int, str]]) -> tuple[int, str]:
    """The administrator whose link it is: the one of that login, else the first."""
    if not admins:
        raise Refused(
            "no_admin", Said(N_("The site has no administrator: somebody took them away. Scan it for malware."))
        )
    if not login:
        return admins[0][0], admins[0][1]
    found = next((each for each in admins if each[1] == login), None)
    if found is None:
        says = N_("%(login)s is no administrator of the site. Its administrators: %(admins)s.")
        raise Refused(
            "no_such_admin", Said(says, {"login": login, "admins": ", ".join(each[1] for each in admins[:10])})
        )
    return found[0], found[1]


RUNBOOK = Runbook(
    name="create_admin_link",
    title=N_("Create a sign-in link"),
    summary=N_("Signs somebody in to WordPress as an administrator, once, without a password."),
    risk=Risk.CHANGES,
    minutes=5,
    parameters=(
        Parameter("login", N_("Login"), help=N_("Of the administrator. Empty: the site’s first.")),
        Parameter("minutes", N_("Minutes that it holds"), "number", 15, least=1, most=60),
    ),
    reads=reads,
    plan=plan,
    undo=undo,
    undo_reads=undo_reads,
    erase=erase,
    topics=("access",),
)
