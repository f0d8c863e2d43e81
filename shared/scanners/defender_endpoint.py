"""Rows of Microsoft Defender for Endpoint (Defender Vulnerability Management): one vulnerability of one device each.

Facts of the rows (learn.microsoft.com: "List vulnerabilities by machine and software", "Export software vulnerabilities
assessment per device", ``DeviceTvmSoftwareVulnerabilities`` of Advanced Hunting):

* The same things have several names: ``machineId`` or ``deviceId``, ``productName`` or ``softwareName``, ``severity``
  or ``vulnerabilitySeverityLevel``; Advanced Hunting begins them with capitals, and its exports as CSV keep that.
* The export into files writes one row a line.
* Only the export per device tells a time, ``lastSeenTimestamp``, in UTC without saying so.
* The delta export (``eventTimestamp``) is what changed, not what there is.
* A row without a CVE is of software without known vulnerabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.domain.findings import Finding, FixState, OsInfo
from shared.domain.policy import Severity
from shared.scanners.values import parse_score, parse_severity, parse_timestamp, unique

COLUMNS: Final = frozenset({"deviceid", "machineid"})
"""Names of the column of devices, in lower case."""


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A row by its names in lower case."""

    values: Mapping[str, Any]

    @classmethod
    def of(cls, named: Mapping[str, Any]) -> DeviceRow:
        """A row by its names in any casing."""
        return cls({name.casefold(): value for name, value in named.items()})

    def text(self, *names: str) -> str:
        """The first of the values that there is, as text."""
        found = (self.values.get(name) for name in names)
        return next((str(value) for value in found if value not in (None, "", [])), "")

    @property
    def device(self) -> str:
        return self.text("machineid", "deviceid")

    @property
    def known(self) -> bool:
        """Whether this is such a row at all."""
        return bool(self.device) and ("cveid" in self.values)

    @property
    def cve(self) -> str:
        return self.text("cveid")

    @property
    def severity(self) -> Severity:
        return parse_severity(self.text("severity", "vulnerabilityseveritylevel"))

    @property
    def seen(self) -> datetime | None:
        """When Defender saw it last."""
        told = self.text("lastseentimestamp")
        return parse_timestamp(told) or parse_timestamp(f"{told}Z")

    @property
    def of_changes(self) -> bool:
        """Whether it is of a delta export."""
        return "eventtimestamp" in self.values

    @property
    def os(self) -> OsInfo | None:
        platform = self.text("osplatform")
        return OsInfo(platform, self.text("osversion")) if platform else None

    def finding(self) -> Finding:
        """The vulnerability that it is of."""
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
            where=unique((self.text("productvendor", "softwarevendor"), *_texts(places))),
            fix_state=FixState.FIXED if fixed else FixState.UNKNOWN,
        )


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
