"""Second readings of real reports, a few lines each and with nothing of the readers: how many entries, how severe."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

Counts = Counter[str]
_RISKS: Final = {"None": "negligible", "info": "negligible", "0": "none"}
_GRADES: Final = {"1": "negligible", "2": "low", "3": "medium", "4": "high", "5": "critical"}
_NESSUS: Final = {"0": "negligible", "1": "low", "2": "medium", "3": "high", "4": "critical"}


def trivy(text: str) -> Counts:
    results = json.loads(text).get("Results") or []
    return Counter(found["Severity"].lower() for one in results for found in one.get("Vulnerabilities") or [])


def grype(text: str) -> Counts:
    return Counter(match["vulnerability"]["severity"].lower() for match in json.loads(text)["matches"])


def sarif_total(text: str) -> int:
    return sum(len(run.get("results") or []) for run in json.loads(text)["runs"])


def cyclonedx_total(text: str) -> int:
    if text.lstrip().startswith("<"):
        return len(re.findall(r"<(?:\w+:)?vulnerability[\s>]", text))
    return len(json.loads(text).get("vulnerabilities") or [])


def cyclonedx_agreed(text: str) -> Counts | None:
    """Severities, where all who rated an entry say the same of it; None where they don't, and a rule must choose."""
    told: Counts = Counter()
    for entry in json.loads(text).get("vulnerabilities") or []:
        words = {rating.get("severity") for rating in entry.get("ratings") or []}
        if len(words) > 1 or words == {None}:
            return None
        told[{"none": "negligible", "info": "negligible"}.get(word := next(iter(words), "unknown"), word)] += 1
    return told


def defender(text: str) -> Counts:
    return Counter(row["severity"].lower() for row in json.loads(text)["value"])


def inspector(text: str) -> Counts:
    read = json.loads(text)
    rows = read if isinstance(read, list) else read.get("Findings", read.get("findings", [read]))
    hub = [row for row in rows if "/aws/inspector" in row.get("ProductArn", "")]
    words = [row["Severity"]["Label"].lower() for row in hub] or [row["severity"].lower() for row in rows]
    same: dict[str, str] = {"untriaged": "unknown", "informational": "negligible"}
    return Counter(same.get(word, str(word)) for word in words)


def nessus(text: str) -> Counts:
    if text.lstrip().startswith("<"):
        return Counter(_NESSUS[grade] for grade in re.findall(r'<ReportItem[^>]* severity="(\d)"', text))
    between = ";" if text.startswith("age_in_days;") else ","
    rows: list[dict[str, Any]] = list(csv.DictReader(text.splitlines(keepends=True), delimiter=between))
    numbers = (row.get("Plugin ID") or row.get("Plugin") or row.get("definition.id") or "" for row in rows)
    plugins = (row for row, number in zip(rows, numbers, strict=True) if number.isdigit())
    words = (row.get("Risk") or row.get("Severity") or row.get("severity") or "" for row in plugins)
    return Counter(_RISKS.get(word, word).lower() for word in words)


def qualys(text: str) -> Counts:
    if text.lstrip().startswith("<"):
        if "<ASSET_DATA_REPORT>" in text:
            glossary = re.findall(r"<VULN_DETAILS .*?<QID [^>]*>(\d+)<.*?<SEVERITY>(\d)<", text, re.DOTALL)
            grades = dict(glossary)
            listed = re.findall(r"<VULN_INFO>.*?<QID [^>]*>(\d+)<.*?<TYPE>(\w+)", text, re.DOTALL)
            return Counter("negligible" if kind == "Ig" else _GRADES[grades[qid]] for qid, kind in listed)
        return Counter(_GRADES[grade] for grade in re.findall(r'<(?:VULN|PRACTICE) number="\d+" severity="(\d)"', text))
    lines = [line for line in csv.reader(text.splitlines(keepends=True)) if line]
    head = next(index for index, line in enumerate(lines) if "QID" in line)
    rows = [dict(zip(lines[head], line, strict=True)) for line in lines[head + 1 :]]
    return Counter(_GRADES[row.get("Q_SEVERITY") or row["Severity"]] for row in rows)


BY_SEVERITY: Final[dict[str, Callable[[str], Counts]]] = {
    "trivy": trivy,
    "grype": grype,
    "defender": defender,
    "inspector": inspector,
    "nessus": nessus,
    "qualys": qualys,
}
TOTALS: Final[dict[str, Callable[[str], int]]] = {"sarif": sarif_total, "cyclonedx": cyclonedx_total}


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig")
