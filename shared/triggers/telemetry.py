"""Distributed tracing across messages: each invocation is a span in the trace that started the release.

If ``APPLICATIONINSIGHTS_CONNECTION_STRING`` is set, spans are exported to Application Insights. Otherwise the
OpenTelemetry API records nothing, at almost no cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context, propagate, trace

CONNECTION: str = "APPLICATIONINSIGHTS_CONNECTION_STRING"

_NAME = "ringmaster"
_tracers: list[trace.Tracer] = [trace.get_tracer(_NAME)]


def configure(environment: Mapping[str, str]) -> bool:
    """Export telemetry to Application Insights if the environment configures it. Returns whether it does."""
    if not environment.get(CONNECTION):
        return False
    # Imported only if needed: it takes half a second.
    from azure.monitor.opentelemetry import configure_azure_monitor

    configure_azure_monitor(logger_name="ringmaster")
    return True


@contextmanager
def span(name: str, traceparent: str | None, **attributes: str | int) -> Iterator[None]:
    """Record a span as a child of the trace context in the message. An exception is recorded on the span."""
    parent = propagate.extract({"traceparent": traceparent}) if traceparent else context.Context()
    with _tracers[-1].start_as_current_span(name, context=parent, attributes=attributes):
        yield


@contextmanager
def use_tracer_provider(provider: trace.TracerProvider) -> Iterator[None]:
    """Use another tracer provider inside the context."""
    _tracers.append(provider.get_tracer(_NAME))
    try:
        yield
    finally:
        _tracers.pop()


def traceparent() -> str | None:
    """The current trace context in W3C format, to be sent with a message. None when nothing is traced."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")
