"""Samples in the text format that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from steelyard.kit.metrics import Histogram, Kind, Metric, Sample
from steelyard.kit.scopes import Scope

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PROCESS = {
    "process_cpu_seconds_total": (Kind.COUNTER, "CPU time that this process has used, in seconds."),
    "process_resident_memory_bytes": (Kind.GAUGE, "Memory of this process, in bytes."),
    "process_virtual_memory_bytes": (Kind.GAUGE, "Address space of this process, in bytes."),
    "process_start_time_seconds": (Kind.GAUGE, "When this process began, in seconds since 1970."),
    "process_open_fds": (Kind.GAUGE, "File descriptors that this process has open."),
    "process_max_fds": (Kind.GAUGE, "File descriptors that this process may open."),
}

PROCESS = tuple(Metric(name, kind, Scope.CELL, help) for name, (kind, help) in _PROCESS.items())
"""What every process tells of itself."""


def exposition(metrics: Iterable[Metric], samples: Iterable[Sample]) -> bytes:
    """The samples of `metrics`, with what this process tells of itself. Metrics without a sample are left out."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(_families(metrics, samples)))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        yield from self._families


def _families(metrics: Iterable[Metric], samples: Iterable[Sample]) -> list[Family]:
    families: dict[Metric, Family] = {}
    known = frozenset(metrics)
    for metric, labels, value in samples:
        if metric not in known:
            raise ValueError(f"{metric.name} is not registered: add it to the METRICS of its room")
        family = families.get(metric)
        if family is None:
            family = families[metric] = _family(metric)
        if isinstance(value, Histogram):
            bounds = [*map(str, value.bounds), "+Inf"]
            buckets = [(bound, float(count)) for bound, count in zip(bounds, value.cumulative, strict=True)]
            _add(family, labels, buckets=buckets, sum_value=value.sum)
        else:
            _add(family, labels, value=value)
    return list(families.values())


def _family(metric: Metric) -> Family:
    match metric.kind:
        case Kind.COUNTER:
            return CounterMetricFamily(metric.name.removesuffix("_total"), metric.help, labels=metric.labels)
        case Kind.GAUGE:
            return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        case Kind.HISTOGRAM:
            return HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)


def _add(family: Family, labels: tuple[str, ...], **value: object) -> None:
    add: object = getattr(family, "add_metric")  # noqa: B009 - each kind of family has it, their base has not
    add(labels, **value)  # pyright: ignore
