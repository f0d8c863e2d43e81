"""The web pages: they read ledger rows and evidence, and render HTML on the server. They need no scripts.

``site`` maps a page's name to its module: ``releases_page``, ``release_page``, ``scan_page`` and ``evidence_page``.
Each module builds a view model, and ``templating`` renders it. Authorization is not handled here;
``shared.triggers.pages`` checks who may read.
"""
