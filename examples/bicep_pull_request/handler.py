"""The consumer: one event in, at most one pull request out. People merge it, and their pipeline deploys it.

The branch has the name of the image version, so that a repetition of the event finds what the first one made, and an
interrupted one is continued.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from examples.bicep_pull_request.github import Repository
from examples.events import NotForUs, Publication, is_newer


def on_published(event: Mapping[str, Any], repository: Repository, *, path: str, parameter: str, ring: str) -> str:
    """Open a pull request for the published version. Returns its branch.

    Raises NotForUs, and GitHubError: Event Grid then delivers the event again.
    """
    published = Publication.of(event, ring=ring)
    base = repository.default_branch()
    text, _ = repository.read(path, base)
    if not is_newer(published.image, value_of(text, parameter)):
        raise NotForUs(f"{path} has {published.number} already")
    branch = f"images/{published.definition}-{published.number}"
    title = f"Use {published.definition} {published.number}"
    repository.create_branch(branch, repository.head(base))
    text, blob = repository.read(path, branch)
    changed = with_value(text, parameter, published.image)
    if changed != text:
        repository.write(path, changed, blob, branch=branch, message=title)
    regions = ", ".join(published.regions)
    body = f"Ringmaster published `{published.image}` in the ring {published.ring} ({regions})."
    repository.open_pull_request(branch, base, title=title, body=body)
    return branch


def value_of(text: str, parameter: str) -> str:
    """The value of a string parameter in a ``.bicepparam`` file. Raises NotForUs when there is none."""
    found = _assignment(parameter).search(text)
    if found is None:
        raise NotForUs(f"the file has no parameter {parameter} with a string")
    return found["value"]


def with_value(text: str, parameter: str, value: str) -> str:
    """The file with another value of the parameter, and nothing else changed."""
    return _assignment(parameter).sub(lambda found: f"{found['before']}'{value}'", text, count=1)


def _assignment(parameter: str) -> re.Pattern[str]:
    return re.compile(rf"^(?P<before>param\s+{re.escape(parameter)}\s*=\s*)'(?P<value>[^'\n]*)'", re.MULTILINE)
