"""Traces follow the message, and cost nothing where nobody collects them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.triggers import telemetry

ROOT = Path(__file__).resolve().parents[3]
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with telemetry.use_tracer_provider(provider):
        yield exporter


def test_nothing_is_sent_without_application_insights() -> None:
    assert telemetry.configure({}) is False


def test_application_insights_is_configured_where_the_environment_names_it() -> None:
    code = """
import os
from shared.triggers import telemetry
print(telemetry.configure(os.environ), flush=True)
os._exit(0)  # without a last attempt to send
"""
    nowhere = "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=https://localhost:1/"
    env = {"PATH": os.environ["PATH"], telemetry.CONNECTION: nowhere}
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "True"


def test_without_a_collector_a_message_carries_no_trace() -> None:
    with telemetry.span("validate", None):
        assert telemetry.traceparent() is None


def test_a_hop_belongs_to_the_trace_that_its_message_carries(spans: InMemorySpanExporter) -> None:
    with telemetry.span("validate", PARENT, release="r", seq=3):
        pass
    (span,) = spans.get_finished_spans()
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == PARENT.split("-")[1]


def test_what_is_sent_inside_a_hop_carries_its_trace(spans: InMemorySpanExporter) -> None:
    with telemetry.span("validate", PARENT):
        carried = telemetry.traceparent()
    assert carried is not None
    assert carried.split("-")[1] == PARENT.split("-")[1]


def test_a_fault_that_escapes_a_hop_is_recorded_on_it(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="odd"), telemetry.span("validate", None):
        raise ValueError("odd")
    (span,) = spans.get_finished_spans()
    assert [event.name for event in span.events] == ["exception"]


def test_a_broken_traceparent_begins_a_trace_of_its_own(spans: InMemorySpanExporter) -> None:
    with telemetry.span("validate", "nonsense"):
        pass
    assert len(spans.get_finished_spans()) == 1
