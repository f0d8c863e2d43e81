"""A security scanner for the local stack.

It scans new image versions, scans again on request, and posts signed Trivy reports. `grype_report_for` creates the
report of a second scanner.
"""

from local.scanner.grype_report import grype_report_for
from local.scanner.report import report_for
from local.scanner.service import Scanner, ScannerSettings
from local.scanner.signing import headers_for, sign

__all__ = ["Scanner", "ScannerSettings", "grype_report_for", "headers_for", "report_for", "sign"]
