"""What a stack may leave behind by mistake: processes, taken ports, and secrets in its logs."""

import os
import re
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from local.stack import Stack

_TOLD = ("arm.log", "IDENTITY_HEADER")
"""The simulator makes it up, and hands it to the stack in its first line."""
_SIGNED = re.compile(r".{0,80}\bsig=(?!\[hidden\]|…).{0,20}")
_TOKEN = re.compile(r"eyJ[\w-]{20,}\.[\w-]{20,}\.")


def secrets_of(stack: Stack) -> dict[str, str]:
    """Every secret of a running stack, by name."""
    names = ("RINGMASTER_KEY", "RINGMASTER_WEBHOOK_KEY", "EVENTGRID_TOPIC_KEY", "IDENTITY_HEADER")
    account_key = re.search(r"AccountKey=([^;]+)", stack.environment["AZURE_STORAGE_CONNECTION_STRING"])
    assert account_key is not None
    return {
        **{name: stack.environment[name] for name in names},
        **(
            {f"the token of {who}": token for who, token in stack.plan.tokens().items()}
            if stack.options.sign_in
            else {}
        ),
        "Event Grid's system key": stack.plan.event_grid_key(),
        "the storage account's key": account_key[1],
    }


def secrets_in(logs: Path, secrets: Mapping[str, str]) -> list[str]:
    """Which secrets, signed addresses and tokens stand in the logs, with the name of the file."""
    found = []
    for log in sorted(logs.iterdir()):
        text = log.read_text(encoding="utf-8", errors="replace")
        found += [
            f"{log.name}: {name}" for name, secret in secrets.items() if secret in text and (log.name, name) != _TOLD
        ]
        found += [f"{log.name}: {hit[0]}" for hit in (_SIGNED.search(text), _TOKEN.search(text)) if hit]
    return found


def alive(pids: Iterable[int]) -> list[int]:
    """Which of these processes exist, be it as zombies."""
    return [pid for pid in pids if _exists(pid)]


def taken(ports: Mapping[str, int]) -> list[str]:
    """Which of these ports of loopback somebody listens on."""
    found = []
    for name, number in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                found.append(f"{name} {number}")
    return found


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
