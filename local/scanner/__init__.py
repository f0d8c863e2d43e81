"""A security scanner of the local stack: it looks at new image versions and posts signed Trivy reports about them."""

from local.scanner.report import report_for
from local.scanner.service import Scanner, ScannerSettings
from local.scanner.signing import headers_for, sign

__all__ = ["Scanner", "ScannerSettings", "headers_for", "report_for", "sign"]
