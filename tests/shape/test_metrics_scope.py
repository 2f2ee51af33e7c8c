"""Every metric says whose it is: what processes show is in the registry, and labels are ids and codes."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from steelyard.kit.metrics import Histogram, Kind, Metric, Sample
from steelyard.kit.scopes import Scope
from steelyard.routing.metrics import METRICS as ROUTING
from steelyard.toolbox.metrics import METRICS as TOOLBOX
from steelyard.web.exposition import PROCESS, exposition

METRICS = (*ROUTING, *TOOLBOX)
ALL = (*METRICS, *PROCESS)
LABELS = {"workspace", "status", "queue", "state", "outcome", "kind", "call"}
"""Ids and codes. A label that names a person, a conversation or a host would have to stand here first."""


def a_sample(metric: Metric) -> Sample:
    value = Histogram((1, 2)) if metric.kind is Kind.HISTOGRAM else 1
    return Sample(metric, tuple(f"{label} 1" for label in metric.labels), value)


def test_every_metric_declares_its_scope_and_names_its_workspace_where_it_is_one_s() -> None:
    assert len(ALL) > 20
    assert len({each.name for each in ALL}) == len(ALL)
    for each in ALL:
        assert isinstance(each.scope, Scope), each.name
        assert ("workspace" in each.labels) == (each.scope is Scope.WORKSPACE), each.name
        assert set(each.labels) <= LABELS, each.name


def test_every_metric_says_what_it_is_in_a_sentence_and_is_named_by_its_kind() -> None:
    for each in ALL:
        assert re.fullmatch(r"(steelyard|process)_[a-z0-9_]+", each.name)
        assert each.help.endswith("."), each.name
        assert each.name.endswith("_total") == (each.kind is Kind.COUNTER), each.name


def test_what_a_process_shows_is_exactly_what_is_registered() -> None:
    text = exposition(METRICS, [a_sample(each) for each in METRICS]).decode()
    shown = {
        f"{family.name}_total" if family.type == "counter" else family.name: family
        for family in text_string_to_metric_families(text)
    }
    assert shown.keys() == {each.name for each in ALL}
    for each in ALL:
        assert shown[each.name].type == each.kind.value
    for each in METRICS:
        assert shown[each.name].documentation == each.help
