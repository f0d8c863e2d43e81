"""The engine handles one command at a time: it receives it, calls a stage, updates the row, and sends commands.

After a transient fault, the same command is sent again with an increasing delay:

    >>> from shared.engine.fold import backoff
    >>> [backoff(attempt).total_seconds() for attempt in (0, 1, 2, 40)]
    [5.0, 10.0, 20.0, 900.0]
"""
