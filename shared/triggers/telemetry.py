"""Traces that follow the message: each hop is a span of the trace in which its release began.

Where ``APPLICATIONINSIGHTS_CONNECTION_STRING`` is set, spans go to Application Insights; elsewhere the OpenTelemetry
API does nothing, and costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context, propagate, trace

CONNECTION: str = "APPLICATIONINSIGHTS_CONNECTION_STRING"

_NAME = "ringmaster"
_tracers: list[trace.Tracer] = [trace.get_tracer(_NAME)]


def configure(environment: Mapping[str, str]) -> bool:
    """Send telemetry to Application Insights if the environment names one. Returns whether it does."""
    if not environment.get(CONNECTION):
        return False
    # Half a second of imports that only an app with Application Insights should pay for.
    from azure.monitor.opentelemetry import configure_azure_monitor

    configure_azure_monitor(logger_name="ringmaster")
    return True


@contextmanager
def span(name: str, traceparent: str | None, **attributes: str | int) -> Iterator[None]:
    """A span for one hop, child of the trace that the message carries. A fault that escapes is recorded on it."""
    parent = propagate.extract({"traceparent": traceparent}) if traceparent else context.Context()
    with _tracers[-1].start_as_current_span(name, context=parent, attributes=attributes):
        yield


@contextmanager
def use_tracer_provider(provider: trace.TracerProvider) -> Iterator[None]:
    """Have another provider collect spans for a while."""
    _tracers.append(provider.get_tracer(_NAME))
    try:
        yield
    finally:
        _tracers.pop()


def traceparent() -> str | None:
    """The current span for a message to carry (W3C Trace Context), or None when nothing is traced."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")
