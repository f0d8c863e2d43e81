"""What Ringmaster decides, and nothing else: standard library only; no clock, environment, I/O or logging.

What follows from what in the life of a release stands in one table:

    >>> from shared.domain.lifecycle import TABLE, Outcome
    >>> from shared.domain.release import State
    >>> follows = TABLE[State.PUBLISHING, Outcome.RING_PUBLISHED]
    >>> str(follows.state), [str(each) for each in follows.sends], follows.next_ring
    ('replicating', ['announce', 'replicate'], True)
"""
