"""Readers of scan reports: bytes in, a ``ScanReport`` or a typed refusal that says what is wrong out.

There is one module for each format, and ``registry`` lists them all. A reader decides what a report *states*, never
whether that is good enough: ``shared.domain.judgement`` evaluates the report against the policy.

To add a format, name it in ``shared.domain.scan_formats``, write ``read(body: bytes) -> ScanReport``, and add one line
to the registry. The reader raises ``Refusal`` for a body that it cannot read completely, and sets ``not_scanned`` when
the report does not prove that the scanner examined the packages of a machine.
"""
