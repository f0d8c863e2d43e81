"""Events as the worker hands them over: what stands in the log can be written, whatever the event holds."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import pytest
from azure.functions.eventgrid import EventGridEventInConverter
from azure.functions.meta import Datum

from shared.settings import read_settings
from shared.triggers import event_grid
from shared.triggers.runtime import Runtime

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
RUNTIME = Runtime(read_settings({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}))


def event(**fields: Any) -> func.EventGridEvent | func.CloudEvent:
    return EventGridEventInConverter.decode(Datum(json.dumps(fields), "json"), trigger_metadata=None)


@pytest.mark.parametrize("given_id", ["\ud800", "a\nb", ["x"] * 10_000, "y" * 100_000, None])
@pytest.mark.parametrize("handle", [event_grid.version_written, event_grid.scan_completed])
async def test_an_event_with_any_id_is_ignored_in_one_short_line(
    given_id: Any, handle: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ringmaster.events")
    await handle(event(id=given_id, eventType="x"), RUNTIME, now=NOW)
    (record,) = caplog.records
    line = record.getMessage()
    assert "ignored" in line
    assert len(line.encode()) < 500
    assert "\n" not in line
