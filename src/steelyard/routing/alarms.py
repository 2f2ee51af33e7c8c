"""What alarms are called, what they mean and what to do: the words of messages and of the page about health."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from gettext import NullTranslations
from typing import NamedTuple

from steelyard.routing.health import Kind
from steelyard.web.language import messages


class Words(NamedTuple):
    """An alarm in a language. `title` begins in lower case and stands alone; the others are sentences."""

    title: str
    means: str
    advice: str


def words(kind: str, figures: Mapping[str, int], language: str) -> Words:
    """The words of an alarm; of one that only a newer release knows, its code."""
    write = _WRITERS.get(kind)
    return write(figures, said_in(language)) if write is not None else Words(kind, "", "")


def over(seconds: float, title: str, language: str) -> str:
    """That the alarm called `title` is over, after so many seconds."""
    _ = said_in(language).gettext
    return _("over after %(time)s: %(title)s") % {"time": span(seconds), "title": title}


def name_of(kind: str, language: str) -> str:
    """What a kind of alarm is called in a list of them; its code for one that only a newer release knows."""
    _ = said_in(language).gettext
    names = {
        Kind.SILENCE: _("No webhooks come"),
        Kind.UNHANDLED: _("Webhooks wait to be handled"),
        Kind.UNDELIVERED: _("Decisions wait to be delivered"),
        Kind.SET_ASIDE: _("Payloads are set aside"),
        Kind.DRIFT: _("Much changed unheard"),
        Kind.TOKEN_REFUSED: _("Intercom refuses the access token"),
        Kind.RATE_LOW: _("The rate limit is nearly used up"),
    }
    return names[Kind(kind)] if kind in names else kind


def test_words(language: str) -> Words:
    """What a test message says."""
    _ = said_in(language).gettext
    return Words(_("a test"), _("This is how an alarm arrives here. Nothing is wrong, nothing to do."), "")


def span(seconds: float) -> str:
    """A length of time for a sentence, the same in every language: `40 s`, `12 min`, `2 h 05 min`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


@lru_cache
def said_in(language: str) -> NullTranslations:
    """The messages of `language`, read once."""
    return messages(language)


def _silence(figures: Mapping[str, int], said: NullTranslations) -> Words:
    _, minutes, weeks = said.gettext, figures.get("minutes", 0), figures.get("weeks", 0)
    return Words(
        said.ngettext("no webhook for %(count)s minute", "no webhook for %(count)s minutes", minutes)
        % {"count": minutes},
        _(
            "At this time of the week there were some in %(weeks)s of the last four weeks. What happens in Intercom is"
            " noticed late, when it is read back."
        )
        % {"weeks": weeks},
        _(
            "Look into the webhooks of your app in Intercom’s Developer Hub: is the address right, are they switched"
            " on? Then whether the proxy before /hooks answers: steelyard doctor tries it."
        ),
    )


def _unhandled(figures: Mapping[str, int], said: NullTranslations) -> Words:
    _, count, time = said.gettext, figures.get("webhooks", 0), span(figures.get("seconds", 0))
    return Words(
        said.ngettext(
            "%(count)s webhook waits to be handled, for %(time)s",
            "%(count)s webhooks wait to be handled, the oldest for %(time)s",
            count,
        )
        % {"count": count, "time": time},
        _("Nothing is lost, but new conversations are given to nobody."),
        _("Look whether a worker runs and what it logs; steelyard doctor counts them."),
    )


def _undelivered(figures: Mapping[str, int], said: NullTranslations) -> Words:
    _, count, time = said.gettext, figures.get("decisions", 0), span(figures.get("seconds", 0))
    return Words(
        said.ngettext(
            "%(count)s decision is not delivered, for %(time)s",
            "%(count)s decisions are not delivered, the oldest for %(time)s",
            count,
        )
        % {"count": count, "time": time},
        _("They are decided, but Intercom does not show them yet: customers wait. They are tried again and again."),
        _("Look at Intercom’s status page, and at what the workers log of their deliveries."),
    )


def _set_aside(figures: Mapping[str, int], said: NullTranslations) -> Words:
    _, count = said.gettext, figures.get("payloads", 0)
    return Words(
        said.ngettext("%(count)s payload is set aside", "%(count)s payloads are set aside", count) % {"count": count},
        _("They could not be handled, so what they tell is not known here; all others were handled."),
        _(
            "The page Set aside lists them with their reasons. Try them again there after an upgrade, and report those"
            " that stay."
        ),
    )


def _drift(figures: Mapping[str, int], said: NullTranslations) -> Words:
    _, count = said.gettext, figures.get("conversations", 0)
    return Words(
        said.ngettext(
            "%(count)s conversation had changed unheard",
            "%(count)s conversations had changed unheard",
            count,
        )
        % {"count": count},
        _("Reading Intercom found them and put them right. Until then they were weighed as they had been."),
        _(
            "Webhooks are lost, or their topics are not ticked: compare them in Intercom’s Developer Hub with those of"
            " steelyard connect intercom."
        ),
    )


def _token_refused(figures: Mapping[str, int], said: NullTranslations) -> Words:
    _ = said.gettext
    return Words(
        _("Intercom refuses the access token"),
        _("Nothing is delivered and nothing is read. All of it is done once a token is accepted."),
        _("Copy the token anew from Intercom’s Developer Hub and run steelyard connect intercom."),
    )


def _rate_low(figures: Mapping[str, int], said: NullTranslations) -> Words:
    _ = said.gettext
    return Words(
        _("Intercom’s rate limit is nearly used up"),
        _("Deliveries wait for the next ten seconds when it is. Other apps of the workspace count too."),
        _("Look in Intercom’s Developer Hub which app makes how many calls; Steelyard’s are in its metrics."),
    )


_WRITERS = {
    Kind.SILENCE.value: _silence,
    Kind.UNHANDLED.value: _unhandled,
    Kind.UNDELIVERED.value: _undelivered,
    Kind.SET_ASIDE.value: _set_aside,
    Kind.DRIFT.value: _drift,
    Kind.TOKEN_REFUSED.value: _token_refused,
    Kind.RATE_LOW.value: _rate_low,
}
