"""Answers Prometheus: the listener of ingester and exporter, and the form of the numbers.

Lives here: all that knows the client library. Must not: count; know a metric. It answers one client at a time, and
cuts off one that is slow, so that no client takes more than a thread and a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from ingester.contract.checks import host_and_port
from ingester.contract.metrics import Kind, Metric

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

#: The values of one metric by those of its labels; without labels the key is empty.
Values = Mapping[tuple[str, ...], float]
#: Gives every metric with its values of this moment.
Collect = Callable[[], Iterable[tuple[Metric, Values]]]
#: A client that sends or takes nothing for this long (seconds) is cut off: the next one waits for it.
_PATIENCE_S: Final = 5.0


def registry(collect: Collect, *, process: bool = True) -> CollectorRegistry:
    """What ``collect`` gives; with ``process`` also CPU, memory and open files of this process."""
    from prometheus_client import CollectorRegistry, ProcessCollector  # a process without a listener needs none

    made = CollectorRegistry()
    if process:
        ProcessCollector(registry=made)
    made.register(_Collector(collect))
    return made


def listener(address: str, made: CollectorRegistry) -> WSGIServer:
    """A server that is bound to ``address`` (HOST:PORT); its ``serve_forever`` answers.

    Raises:
        OSError: the address cannot be used.
    """
    from prometheus_client import make_wsgi_app

    return make_server(*host_and_port(address), make_wsgi_app(made), WSGIServer, _Handler)


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE_S

    def log_message(self, *_args: Any) -> None:
        """Write nothing: a scrape is not an event."""


class _Collector:
    def __init__(self, collect: Collect) -> None:
        self._collect = collect

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """The values of this moment in the library's form."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for metric, values in self._collect():
            kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
            family = kind(metric.name, metric.help, labels=metric.labels)
            for labels, value in values.items():
                family.add_metric(labels, value)
            yield family
