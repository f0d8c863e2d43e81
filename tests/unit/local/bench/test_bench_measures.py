"""The short measurements, at a small size: that they measure what they say."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.bench import growth, page_rendering, retention_plan, revocation, scan_report, timer_reads
from local.bench.__main__ import main
from local.bench.function_apps import linked_app
from local.bench.made_report import write_report
from local.bench.memory_run import run
from local.bench.own_speed import at_own_speed
from local.stack.options import PROJECT_ROOT
from shared.domain.policy import Ahead
from shared.domain.release import State
from shared.scanners.registry import read


def test_a_run_releases_every_version_through_every_ring() -> None:
    releases = run(2).releases
    assert [(each.state, len(each.published)) for each in releases] == [(State.RELEASED, 3)] * 2


def test_growth_compares_a_run_with_one_of_twice_its_size() -> None:
    figure = growth.measure(1, rounds=1)
    small, large = figure.parts["hops"]
    assert figure.parts["releases"] == [1, 2]
    assert large == 2 * small


def test_at_azures_own_speed_a_release_takes_little_more_than_azure_does() -> None:
    found = at_own_speed(2)
    assert found["releases"] == 2
    assert 1.0 < found["ratio"] < 1.2


@pytest.mark.parametrize("ahead", list(Ahead))
def test_no_release_is_faster_than_its_critical_path(ahead: Ahead) -> None:
    assert at_own_speed(1, ahead=ahead)["ratio"] >= 1.0


def test_retention_says_that_machines_are_not_looked_at() -> None:
    figure = retention_plan.measure(50)
    assert (figure.parts["versions"], figure.parts["machines"]) == (50, 0)
    assert "machines" in figure.notes[0]


def test_a_revocation_writes_each_gallery_once() -> None:
    figure = revocation.measure()
    assert figure.parts["requests"]["write_targets"] == figure.parts["galleries"]


def test_a_round_of_the_timer_reads_a_fraction_of_the_rows() -> None:
    figure = timer_reads.measure(20)
    assert figure.holds
    # Both timers read the definition, and the entry of its adoption is read and written.
    assert figure.parts["full_rows"]["entities"] >= figure.parts["summaries"]["entities"] >= 40


def test_a_made_report_is_of_the_wanted_size_and_is_read(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    size = write_report(file, findings=40, size=80_000, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert size == pytest.approx(80_000, rel=0.02)
    assert len(read("trivy", file.read_bytes()).findings) == 40


def test_reading_a_report_is_measured_in_a_process_of_its_own() -> None:
    figure = scan_report.measure(size=2_000_000, findings=500)
    assert figure.parts["findings"] == 500
    assert figure.parts["peak"] > figure.parts["report_bytes"]
    assert figure.parts["judging"]["answer"] == "reject"


def test_pages_of_a_scan_are_measured_with_what_they_read() -> None:
    figure = page_rendering.measure(findings=500, size=500_000)
    assert figure.holds
    pages = figure.parts["pages"]
    assert figure.value == max(each["seconds"] for each in pages.values())
    assert [pages[name]["documents"] for name in ("first", "last", "package")] == [3, 3, 3]
    assert pages["package"]["bytes"] < pages["first"]["bytes"] < page_rendering.LARGEST_PAGE


def test_an_app_under_another_host_json_keeps_everything_else(tmp_path: Path) -> None:
    app = linked_app(tmp_path / "app", {"maxPollingInterval": "00:00:00.200000"})
    ours = json.loads((app / "host.json").read_text(encoding="utf-8"))
    theirs = json.loads((PROJECT_ROOT / "host.json").read_text(encoding="utf-8"))
    theirs["extensions"]["queues"]["maxPollingInterval"] = "00:00:00.200000"
    assert ours == theirs


def test_one_figure_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "retention"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document["figures"]) == ["retention"]
    assert {"value", "bound", "holds", "parts", "load"} <= set(document["figures"]["retention"])


def test_a_figure_that_does_not_exist_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "speed_of_light"])
    assert "speed_of_light" in capsys.readouterr().err
