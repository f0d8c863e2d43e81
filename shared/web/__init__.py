"""Pages for people: ledger rows and evidence -> page model -> HTML, made by the server and read without scripts.

``site`` answers a page's name and query; ``overview``, ``release``, ``evidence`` and ``scan`` make the models;
``rendering`` makes HTML of them. Who may read is not asked here: the triggers let people in.
"""
