"""Rows of Microsoft Defender for Endpoint (Defender Vulnerability Management): one vulnerability of one device each.

Facts of the rows (learn.microsoft.com: "List vulnerabilities by machine and software", "Export software vulnerabilities
assessment per device", ``DeviceTvmSoftwareVulnerabilities`` of Advanced Hunting):

* The APIs name the same values differently: ``machineId`` or ``deviceId``, ``productName`` or ``softwareName``,
  ``severity`` or ``vulnerabilitySeverityLevel``. Advanced Hunting and its CSV exports capitalize them.
* The export to files writes one JSON object per line.
* Only the export per device has a time, ``lastSeenTimestamp``, in UTC without an offset.
* The delta export (``eventTimestamp``) contains what changed, not the current state.
* A row without a CVE is of software without known vulnerabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.domain.findings import Finding, FixState, OsInfo
from shared.domain.policy import Severity
from shared.scanners.json_body import as_texts
from shared.scanners.values import parse_score, parse_severity, parse_timestamp, unique

COLUMNS: Final = frozenset({"deviceid", "machineid"})
"""Names of the column with the device id, in lowercase."""


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A row, by lowercase column names."""

    values: Mapping[str, Any]

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> DeviceRow:
        """A row from columns named in any casing."""
        return cls({name.casefold(): value for name, value in columns.items()})

    def text(self, *names: str) -> str:
        """The first of the columns that has a value, as text; empty when none has."""
        found = (self.values.get(name) for name in names)
        return next((str(value) for value in found if value not in (None, "", [])), "")

    @property
    def device(self) -> str:
        """The id of the machine."""
        return self.text("machineid", "deviceid")

    @property
    def is_device_row(self) -> bool:
        """Whether the columns are those of a vulnerability of a device."""
        return bool(self.device) and ("cveid" in self.values)

    @property
    def cve(self) -> str:
        """The CVE id; empty for software without known vulnerabilities."""
        return self.text("cveid")

    @property
    def severity(self) -> Severity:
        """The severity as Defender rates it."""
        return parse_severity(self.text("severity", "vulnerabilityseveritylevel"))

    @property
    def last_seen(self) -> datetime | None:
        """When Defender last found the vulnerability (UTC), or None when the row has no time."""
        text = self.text("lastseentimestamp")
        return parse_timestamp(text) or parse_timestamp(f"{text}Z")

    @property
    def is_delta(self) -> bool:
        """Whether the row is of a delta export."""
        return "eventtimestamp" in self.values

    @property
    def os(self) -> OsInfo | None:
        """The operating system of the machine, or None when the row does not name it."""
        platform = self.text("osplatform")
        return OsInfo(platform, self.text("osversion")) if platform else None

    def finding(self) -> Finding:
        """The vulnerability. Call it only for a row with a CVE."""
        fixed = self.text("fixingkbid", "recommendedsecurityupdateid", "recommendedsecurityupdate")
        places = self.values.get("diskpaths")
        return Finding(
            id=self.cve,
            package=self.text("productname", "softwarename"),
            installed=self.text("productversion", "softwareversion"),
            severity=self.severity,
            fixed=fixed or None,
            severity_source="Microsoft",
            cvss_score=parse_score(self.text("cvssscore")),
            where=unique((self.text("productvendor", "softwarevendor"), *as_texts(places))),
            fix_state=FixState.FIXED if fixed else FixState.UNKNOWN,
        )
