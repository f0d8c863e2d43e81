"""The engine: one command, one hop. It receives, dispatches to a stage, folds the answer into the row, and sends.

A fault that passes by itself sends the same command again, later each time:

    >>> from shared.engine.fold import backoff
    >>> [backoff(attempt).total_seconds() for attempt in (0, 1, 2, 40)]
    [5.0, 10.0, 20.0, 900.0]
"""
