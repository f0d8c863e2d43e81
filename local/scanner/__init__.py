"""A security scanner of the local stack: it looks at new image versions, and again at those that it is asked to scan
again, and posts signed Trivy reports about them. `grype_report_for` is what another scanner would say.
"""

from local.scanner.grype_report import grype_report_for
from local.scanner.report import report_for
from local.scanner.service import Scanner, ScannerSettings
from local.scanner.signing import headers_for, sign

__all__ = ["Scanner", "ScannerSettings", "grype_report_for", "headers_for", "report_for", "sign"]
