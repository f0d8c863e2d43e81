"""Small reports of every format, as documents or as texts; with real ones beside them, where they are at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from tests.fuzz.mutation import damaged_bytes, damaged_text

REAL: Final = Path(__file__).resolve().parents[3] / "shared" / "data" / "scanner"
LARGEST: Final = 16 * 1024
"""Bytes of a real report, so that an input costs little."""
IMAGE: Final = (
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-images/providers/Microsoft.Compute"
    "/galleries/gal_build/images/ubuntu/versions/9.9.9"
)
VECTOR: Final = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
TRIVY: Final = {
    "SchemaVersion": 2,
    "CreatedAt": "2026-03-02T07:00:00.123456789Z",
    "ArtifactName": IMAGE,
    "ArtifactType": "vm",
    "Metadata": {"OS": {"Family": "ubuntu", "Name": "22.04", "EOSL": False}, "ImageConfig": {}},
    "Results": [
        {
            "Target": "ubuntu 22.04",
            "Class": "os-pkgs",
            "Type": "ubuntu",
            "Packages": [{"ID": "a@1", "Name": "a", "Version": "1", "Identifier": {"PURL": "pkg:deb/ubuntu/a@1"}}],
            "Vulnerabilities": [
                {"VulnerabilityID": "CVE-2026-1", "PkgName": "a", "InstalledVersion": "1", "FixedVersion": "2",
                 "PkgIdentifier": {"PURL": "pkg:deb/ubuntu/a@1"}, "Status": "fixed", "Severity": "HIGH",
                 "SeveritySource": "nvd", "VendorSeverity": {"nvd": 3}, "PublishedDate": "2026-01-01T00:00:00Z",
                 "CVSS": {"nvd": {"V3Vector": VECTOR, "V3Score": 9.8}}},
            ],
            "ExperimentalModifiedFindings": [
                {"Type": "vulnerability", "Status": "ignored", "Statement": "", "Source": ".trivyignore",
                 "Finding": {"VulnerabilityID": "CVE-2026-2", "PkgName": "a", "Severity": "LOW"}},
            ],
        }
    ],
}  # fmt: skip
GRYPE: Final = {
    "matches": [
        {
            "vulnerability": {"id": "GHSA-1", "namespace": "debian:distro:debian:12", "severity": "High",
                              "fix": {"versions": ["3.1"], "state": "fixed"}, "epss": [{"epss": 0.1}],
                              "cvss": [{"version": "3.1", "vector": VECTOR, "metrics": {"baseScore": 9.8}}],
                              "knownExploited": [{"cve": "CVE-2026-1"}], "risk": 1.5},
            "relatedVulnerabilities": [{"id": "CVE-2026-1", "namespace": "nvd:cpe", "severity": "High", "cvss": []}],
            "artifact": {"name": "openssl", "version": "3.0", "type": "deb", "purl": "pkg:deb/debian/openssl@3.0",
                         "locations": [{"path": "/var/lib/dpkg/status"}]},
        }
    ],
    "ignoredMatches": [{"vulnerability": {"id": "CVE-2026-3"}, "artifact": {"name": "b", "version": "1"},
                        "appliedIgnoreRules": [{"vulnerability": "CVE-2026-3", "reason": "x"}]}],
    "source": {"type": "image", "target": {"userInput": "disk", "manifestDigest": "sha256:0"}},
    "distro": {"name": "debian", "version": "12"},
    "descriptor": {"name": "grype", "version": "0.94.0", "timestamp": "2026-03-02T07:00:00.123456789Z",
                   "db": {"status": {"built": "2026-03-01T00:00:00Z"}}},
}  # fmt: skip
SARIF: Final = {
    "version": "2.1.0",
    "runs": [
        {
            "tool": {"driver": {"name": "Trivy", "version": "0.70", "rules": [
                {"id": "CVE-2026-1", "name": "OsPackageVulnerability", "properties": {"security-severity": "8.1"},
                 "defaultConfiguration": {"level": "error"}, "help": {"text": "Fixed Version: 1.1"}}]}},
            "results": [
                {"ruleId": "CVE-2026-1", "ruleIndex": 0, "level": "error", "suppressions": [{"kind": "external"}],
                 "message": {"text": "Package: openssl\nInstalled Version: 1.0\nVulnerability CVE-2026-1\n"
                                     "Severity: HIGH\nFixed Version: 1.1\nLink: [](x)"},
                 "locations": [{"physicalLocation": {"artifactLocation": {"uri": "a"}}}]},
            ],
            "invocations": [{"executionSuccessful": True, "endTimeUtc": "2026-03-02T07:00:00Z"}],
        }
    ],
}  # fmt: skip
CYCLONEDX: Final = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "metadata": {"timestamp": "2026-03-02T07:00:00Z", "tools": {"components": [{"name": "trivy", "version": "1"}]},
                 "component": {"type": "device", "name": "disk", "bom-ref": "root"}},
    "components": [
        {"type": "operating-system", "name": "ubuntu", "version": "22.04", "bom-ref": "os"},
        {"type": "library", "name": "openssl", "version": "3.0", "purl": "pkg:deb/ubuntu/openssl@3.0", "bom-ref": "lib",
         "components": []},
    ],
    "vulnerabilities": [
        {"id": "CVE-2026-1", "source": {"name": "ubuntu"}, "affects": [{"ref": "lib", "versions": [{"version": "3"}]}],
         "ratings": [{"source": {"name": "ubuntu"}, "severity": "medium", "score": 5.5, "method": "CVSSv31",
                      "vector": VECTOR}],
         "analysis": {"state": "not_affected", "justification": "code_not_present", "detail": "x"},
         "recommendation": "Upgrade openssl to version 3.1", "published": "2026-01-01T00:00:00Z"},
    ],
}  # fmt: skip
MACHINE: Final = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm1"
DEFENDER: Final = {
    "value": [
        {
            "type": "Microsoft.Security/assessments/subAssessments",
            "id": f"{MACHINE}/providers/Microsoft.Security/assessments/a/subassessments/1",
            "properties": {
                "id": "1", "displayName": "OpenSSL", "status": {"code": "Unhealthy", "severity": "Medium"},
                "timeGenerated": "2026-03-02T07:00:00Z", "resourceDetails": {"source": "Azure", "id": MACHINE},
                "additionalData": {
                    "assessedResourceType": "ServerVulnerability", "cve": [{"title": "CVE-2026-1"}], "patchable": True,
                    "vulnerabilityDetails": {"cveId": "CVE-2026-1", "severity": "High", "cvss": {"3.0": {"base": 9.1}}},
                    "softwareDetails": {"packageName": "openssl", "version": "3.0", "fixedVersion": "3.1",
                                        "osDetails": {"osPlatform": "Linux", "osVersion": "x"}},
                },
            },
        },
        {"cveId": "CVE-2026-2", "machineId": "m", "severity": "High", "productName": "a", "productVersion": "1"},
    ],
    "nextLink": None,
}  # fmt: skip
INSPECTOR: Final = {
    "findings": [
        {
            "findingArn": "arn:aws:inspector2:eu-west-1:1:finding/1", "type": "PACKAGE_VULNERABILITY",
            "severity": "HIGH", "status": "ACTIVE", "fixAvailable": "YES", "lastObservedAt": "2026-03-02T07:00:00Z",
            "epss": {"score": 0.25}, "inspectorScore": 9.8,
            "resources": [{"id": "i-1", "type": "AWS_EC2_INSTANCE",
                           "details": {"awsEc2Instance": {"platform": "UBUNTU_22_04"}}}],
            "packageVulnerabilityDetails": {
                "vulnerabilityId": "CVE-2026-1", "relatedVulnerabilities": ["CVE-2026-2"],
                "cvss": [{"baseScore": 9.8, "scoringVector": VECTOR, "version": "3.1", "source": "NVD"}],
                "vulnerablePackages": [{"name": "openssl", "version": "3.0", "packageManager": "OS", "epoch": 0,
                                        "fixedInVersion": "3.1", "release": "1", "arch": "x"}],
            },
        }
    ],
    "nextToken": None,
}  # fmt: skip
ENVELOPE: Final = {
    "schema": "ringmaster.scan/1",
    "scanner": {"name": "house"},
    "target": {"name": "disk", "os": {"family": "ubuntu"}},
    "createdAt": "2026-03-02T07:00:00Z",
    "packagesScanned": 3,
    "findings": [{"id": "CVE-2026-1", "package": "a", "severity": "high", "cvssVector": VECTOR, "cvssScore": 9.8}],
    "suppressed": [{"finding": {"id": "CVE-2026-2", "package": "a", "severity": "low"}, "status": "ignored"}],
}
NESSUS_XML: Final = """<?xml version="1.0"?><NessusClientData_v2><Report name="r"><ReportHost name="web01">
<HostProperties><tag name="host-fqdn">web01</tag><tag name="operating-system">Ubuntu 22.04</tag>
<tag name="HOST_END">Sun Mar 1 12:00:00 2026</tag><tag name="Credentialed_Scan">true</tag></HostProperties>
<ReportItem port="0" protocol="tcp" severity="3" pluginID="1234" pluginName="Ubuntu : openssl"
 pluginFamily="Ubuntu Local Security Checks"><cve>CVE-2026-1</cve><cvss3_base_score>8.1</cvss3_base_score>
<cvss3_vector>CVSS:3.0/AV:N</cvss3_vector><epss_score>0.3</epss_score><xref>CISA-KNOWN-EXPLOITED:2026/05/01</xref>
<patch_publication_date>2026/04/30</patch_publication_date><plugin_output> - Installed package : openssl_3.0.2-0
 - Fixed package : openssl_3.0.2-1</plugin_output></ReportItem></ReportHost></Report></NessusClientData_v2>"""
NESSUS_CSV: Final = (
    "Plugin ID,CVE,CVSS v3.0 Base Score,CVSS3 Vector,Risk,Host,Protocol,Port,Name,Family,Plugin Output,Seen\n"
    '1234,CVE-2026-1,8.1,CVSS:3.0/AV:N,High,web01,tcp,0,Ubuntu : openssl,Ubuntu Local Security Checks,"Installed '
    'version : 1.0\nFixed version : 1.1","Mar 1, 2026 12:00:00 UTC"\n'
    '19506,,,,None,web01,tcp,0,Nessus Scan Information,Settings,"Nessus version : 10.1\nCredentialed checks : yes",\n'
)
QUALYS_XML: Final = """<?xml version="1.0"?><!DOCTYPE ASSET_DATA_REPORT SYSTEM "https://q.example/asset_data_report.dtd">
<ASSET_DATA_REPORT><HEADER><GENERATION_DATETIME>2026-03-01T12:00:00Z</GENERATION_DATETIME></HEADER><HOST_LIST><HOST>
<IP>10.0.0.1</IP><TRACKING_METHOD>QAGENT</TRACKING_METHOD><OPERATING_SYSTEM>Windows 2022</OPERATING_SYSTEM>
<VULN_INFO_LIST><VULN_INFO><QID id="qid_7">7</QID><TYPE>Vuln</TYPE><VULN_STATUS>Active</VULN_STATUS></VULN_INFO>
</VULN_INFO_LIST></HOST></HOST_LIST><GLOSSARY><VULN_DETAILS_LIST><VULN_DETAILS id="qid_7"><QID id="qid_7">7</QID>
<TITLE>KB5</TITLE><SEVERITY>5</SEVERITY><CVE_ID_LIST><CVE_ID><ID>CVE-2026-1</ID></CVE_ID></CVE_ID_LIST>
<CVSS3_SCORE><CVSS3_BASE>9.8</CVSS3_BASE></CVSS3_SCORE></VULN_DETAILS></VULN_DETAILS_LIST></GLOSSARY>
</ASSET_DATA_REPORT>"""
QUALYS_SCAN: Final = """<?xml version="1.0"?><SCAN value="scan/1"><HEADER><KEY value="DATE">2026-03-01T10:14:53Z</KEY>
<KEY value="STATUS">FINISHED</KEY></HEADER><IP value="10.1.10.1" name="web01"><OS>Ubuntu 22.04</OS><VULNS>
<CAT value="Local"><VULN number="123168" severity="5" cveid="CVE-2026-1,CVE-2026-2"><TITLE><![CDATA[a]]></TITLE>
<CVSS3_BASE>3.4</CVSS3_BASE><LAST_UPDATE>2018-09-11T03:31:46Z</LAST_UPDATE></VULN></CAT></VULNS></IP></SCAN>"""
QUALYS_CSV: Final = (
    '"Asset Vuln Datalist Report","01 Mar 2026 10:00AM GMT-0500","1"\n'
    '"QID","Title","Severity","Type","Last Detected","Port","Status","Asset Name","Category","Operating System",'
    '"CVE ID","CVSS3.1 Base","Patch Released","Results"\n'
    '"100269","Update","5","Confirmed","Mar 01, 2026 07:00 AM","0","ACTIVE","WEB01","Windows","Windows 2022",'
    '"CVE-2026-1","9.8 (AV:N)","Dec 07, 2025 09:00 PM","Version 1"\n'
)
CYCLONEDX_XML: Final = """<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.2"
 xmlns:v="http://cyclonedx.org/schema/ext/vulnerability/1.0" version="1"><metadata><timestamp>2026-03-01T00:00:00Z
</timestamp></metadata><components><component type="library" bom-ref="lib"><name>a</name><version>1</version>
<purl>pkg:deb/ubuntu/a@1</purl></component><component type="operating-system"><name>ubuntu</name></component>
</components><v:vulnerabilities><v:vulnerability ref="lib"><v:id>CVE-2026-1</v:id><v:source name="NVD"/><v:ratings>
<v:rating><v:score><v:base>9.8</v:base></v:score><v:severity>Critical</v:severity><v:method>CVSSv3</v:method>
<v:vector>AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H</v:vector></v:rating></v:ratings></v:vulnerability></v:vulnerabilities>
</bom>"""
DOCUMENTS: Final = {
    "trivy": [TRIVY], "grype": [GRYPE], "sarif": [SARIF], "cyclonedx": [CYCLONEDX], "defender": [DEFENDER],
    "inspector": [INSPECTOR], "ringmaster": [ENVELOPE],
}  # fmt: skip
TEXTS: Final = {
    "nessus": [NESSUS_XML, NESSUS_CSV], "qualys": [QUALYS_XML, QUALYS_SCAN, QUALYS_CSV], "cyclonedx": [CYCLONEDX_XML],
}  # fmt: skip
_FOLDERS: Final = {
    "trivy": "trivy", "grype": "defectdojo-scans/anchore_grype", "sarif": "defectdojo-scans/sarif",
    "cyclonedx": "defectdojo-scans/cyclonedx", "defender": "defectdojo-scans/ms_defender",
    "inspector": "defectdojo-scans/aws_inspector2", "nessus": "defectdojo-scans/tenable",
    "qualys": "defectdojo-scans/qualys_vmdr",
}  # fmt: skip
_SNIPPETS: Final = (
    "<", ">", "</", "/>", "&amp;", "&#0;", "&#xD800;", "&x;", "<![CDATA[", "]]>", "<!--", "-->", "<?xml?>",
    '<!DOCTYPE a [<!ENTITY x "y">]>', '<?xml version="1.0" encoding="utf-16"?>', "<a>" * 70, 'xmlns="a"', "\x00",
    '"', '""', ",", ",,,,,,,,", "\n", "\r", "\r\n\r\n", "\t", ";", "CVE-2026-", "CVE-2026-" + "9" * 4500, "9" * 4500,
    "1e999", "-1", "nan", "İ", "💥", "٣", "9999-12-31T23:59:59+14:00", "0001-01-01", "Mar 99, 2026", "a" * 5000, "%s%n",
    "CVSS:3.1/AV:N/AV:N", "pkg:deb/", "true", "None", "Installed version : ", "Fixed version : ", " " * 5000,
)  # fmt: skip


def _real(scan_format: str) -> Iterator[Path]:
    folder = REAL / _FOLDERS.get(scan_format, "none")
    found = (path for path in folder.rglob("*") if path.is_file() and 0 < path.stat().st_size <= LARGEST)
    yield from sorted(found, key=lambda path: (path.stat().st_size, str(path)))[:8]


def bodies(scan_format: str) -> st.SearchStrategy[bytes]:
    """Damaged reports of a format; now and then a sound one."""
    documents: list[Any] = list(DOCUMENTS.get(scan_format, ()))
    texts = list(TEXTS.get(scan_format, ()))
    for path in _real(scan_format):
        text = path.read_text(encoding="utf-8", errors="replace")
        try:
            documents.append(json.loads(text))
        except ValueError:
            texts.append(text)
    return st.one_of(
        *([damaged_bytes(documents)] if documents else []), *([damaged_text(texts, _SNIPPETS)] if texts else [])
    )


def sound() -> Iterator[tuple[str, bytes]]:
    """Every own report undamaged, with its format."""
    for scan_format, documents in DOCUMENTS.items():
        yield from ((scan_format, json.dumps(document).encode()) for document in documents)
    for scan_format, texts in TEXTS.items():
        yield from ((scan_format, text.encode()) for text in texts)
