"""The rules of Ringmaster. Standard library only; no clock, environment, I/O or logging.

One table has all transitions of a release:

    >>> from shared.domain.lifecycle import TABLE, Outcome
    >>> from shared.domain.release import State
    >>> follows = TABLE[State.PUBLISHING, Outcome.RING_PUBLISHED]
    >>> str(follows.state), [str(each) for each in follows.sends], follows.next_ring
    ('replicating', ['announce', 'watch health', 'replicate', 'replicate rings ahead'], True)
"""
