"""Scanner reports: bytes in, a ``ScanReport`` in the normal form out, or a typed refusal that says what is wrong.

One file a format; ``registry`` names them all. A reader decides what a report *says*, never whether that is good
enough: judgement is ``shared.domain.judgement``. To add a format, write ``read(body: bytes) -> ScanReport``, raise
``Refusal`` for whatever can't be read to its end, set ``not_scanned`` when the scanner did not look at a machine's
packages, and add one line to the registry.
"""
