"""``ringmaster scan judge``: what it prints, and how it exits."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.cli.command_line import Session, run
from tests.unit.policy_texts import BUILD, MINIMAL

NOW = datetime(2026, 5, 10, 12, tzinfo=UTC)
IMAGE = f"{BUILD}/images/ubuntu/versions/1.2.3"


def report(*cves: str, **changes: Any) -> dict[str, Any]:
    found = [
        {"VulnerabilityID": cve, "PkgName": "openssl", "InstalledVersion": "1", "FixedVersion": "2", "Severity": "HIGH"}
        for cve in cves
    ]
    packages = [{"Name": "openssl", "Version": "1"}]
    result = {"Target": "host", "Class": "os-pkgs", "Type": "ubuntu", "Packages": packages, "Vulnerabilities": found}
    return {
        "SchemaVersion": 2,
        "CreatedAt": (NOW - timedelta(hours=1)).isoformat(),
        "ArtifactName": "host",
        "ArtifactType": "filesystem",
        "Metadata": {"OS": {"Family": "ubuntu", "Name": "22.04"}},
        "Results": [result],
        **changes,
    }


@pytest.fixture
def asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    (tmp_path / "promotion.yaml").write_text(MINIMAL)

    def ask(body: object, *more: str, image: str = IMAGE) -> tuple[int, str]:
        file = tmp_path / "report.json"
        file.write_text(body if isinstance(body, str) else json.dumps(body))
        command = ["scan", "judge", str(file), "--policy", str(tmp_path / "promotion.yaml"), "--image", image, *more]
        code = run(command, Session({}, tmp_path, NOW))
        said = capsys.readouterr()
        return code, said.out + said.err

    return ask


def test_a_pass_exits_0(asked: Any) -> None:
    assert asked(report()) == (0, "pass\n  note: no findings, within the limits\n")


def test_a_reject_exits_1_and_says_why_and_what_would_have_to_change(asked: Any) -> None:
    code, text = asked(report("CVE-2026-1"))
    assert code == 1
    assert "- 1 high finding exceeds the limit of 0: CVE-2026-1 in openssl 1, fixed in 2" in text
    assert "to pass:\n  - upgrade openssl 1 to 2 or later (CVE-2026-1)" in text


@pytest.mark.parametrize(
    ("body", "told"),
    [("{", "report.json"), (report(CreatedAt="2026-01-01T00:00:00Z"), "130 days old"), (report(Results=[]), "")],
    ids=["cut", "stale", "nothing scanned"],
)
def test_what_can_not_be_judged_exits_2(asked: Any, body: object, told: str) -> None:
    code, text = asked(body)
    assert (code, text.startswith("refused\n"), told in text) == (2, True, True)


def test_as_json_it_is_one_object_with_reasons(asked: Any) -> None:
    code, text = asked(report("CVE-2026-1"), "--json")
    answer = json.loads(text)
    assert (code, answer["outcome"], answer["counts"]) == (1, "reject", {"critical": 0, "high": 1})
    (reason,) = answer["reasons"]
    assert (reason["code"], reason["count"], reason["findings"][0]["id"]) == ("over-limit", 1, "CVE-2026-1")
    assert answer["toPass"] == ["upgrade openssl 1 to 2 or later (CVE-2026-1)"]


def test_a_refusal_as_json_has_its_reason(asked: Any) -> None:
    code, text = asked("{", "--json")
    assert (code, json.loads(text)["outcome"]) == (2, "refused")
    assert json.loads(text)["refused"]


def test_a_large_list_is_bounded_and_counted(asked: Any) -> None:
    _, text = asked(report(*(f"CVE-2026-{number}" for number in range(1000))), "--json")
    (reason,) = json.loads(text)["reasons"]
    assert (reason["count"], len(reason["findings"])) == (1000, 200)


@pytest.mark.parametrize("image", ["ubuntu", "UBUNTU", f"{BUILD}/images/ubuntu", IMAGE.upper()])
def test_an_image_is_named_by_its_id_or_as_in_the_policy(asked: Any, image: str) -> None:
    assert asked(report(), image=image)[0] == 0


def test_an_image_that_the_policy_does_not_cover_is_told(asked: Any) -> None:
    code, text = asked(report(), image=IMAGE.replace("ubuntu", "windows"))
    assert (code, "It covers: ubuntu" in text) == (2, True)


def test_a_report_older_than_the_version_is_refused_when_its_time_is_told(asked: Any) -> None:
    assert asked(report(), "--published", "2026-05-10T11:30:00")[0] == 2
    assert asked(report(), "--published", "2026-05-10T10:30:00")[0] == 0


def test_a_baseline_lets_what_is_not_new_be_told_apart(asked: Any, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps(report("CVE-2026-1", CreatedAt="2026-01-01T00:00:00Z")))
    strict = MINIMAL.replace("    rings:\n", "    scan: {limits: {critical: 0}, noNew: [high]}\n    rings:\n")
    (tmp_path / "promotion.yaml").write_text(strict)
    baseline = ("--baseline", str(tmp_path / "old.json"))
    assert asked(report("CVE-2026-1"), *baseline)[0] == 0
    code, text = asked(report("CVE-2026-1", "CVE-2026-2"), *baseline)
    assert (code, "1 new high finding compared with old.json" in text, "CVE-2026-1" in text) == (1, True, False)


def test_a_ring_that_does_not_exist_is_told(asked: Any) -> None:
    code, text = asked(report(), "--ring", "nowhere")
    assert (code, "has no ring nowhere; its rings are canary" in text) == (2, True)


def test_a_policy_with_faults_judges_nothing(asked: Any, tmp_path: Path) -> None:
    (tmp_path / "promotion.yaml").write_text("version: 2\n")
    code, text = asked(report())
    assert (code, "promotion.yaml:1:10" in text) == (2, True)
