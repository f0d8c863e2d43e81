"""`python -m local.stack up|down|status` controls the local stack. `make up`, `make down` and `make status` call it."""

import argparse
import dataclasses
import signal
import sys
import time
from pathlib import Path
from typing import Any

from local.stack.options import PORTS, PROJECT_ROOT, StackError, StackOptions
from local.stack.stack import Stack

_DIRECTORY = PROJECT_ROOT / ".local"


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.stack", description=__doc__)
    parser.add_argument(
        "--directory", type=Path, default=_DIRECTORY, help="folder for state, logs and env (default: .local)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start the services that are not running, and return when all are ready")
    up.add_argument("--speed", type=float, help="simulated seconds per real second (60)")
    up.add_argument("--seed", type=int, help="seed of all random choices (1)")
    up.add_argument("--policy", type=Path, help="the policy file (promotion.yaml)")
    up.add_argument("--world", type=Path, help="initial resources in Azure (local/world/sample.json)")
    up.add_argument("--scanner", choices=["on", "off"], help="whether new image versions are scanned (on)")
    up.add_argument("--sign-in", choices=["on", "off"], help="whether users sign in to the pages (on)")
    up.add_argument("--port", action="append", default=[], metavar="NAME=PORT", help=f"names: {', '.join(PORTS)}")
    up.add_argument("--reset", action="store_true", help="delete all state first")
    up.add_argument("--foreground", action="store_true", help="run in the foreground, and stop the stack on Ctrl-C")
    commands.add_parser("down", help="stop all services")
    commands.add_parser("status", help="show which services are running; exit code 3 if one is not")
    return parser.parse_args(argv)


def _options(given: argparse.Namespace) -> StackOptions:
    chosen: dict[str, Any] = {
        name: getattr(given, name) for name in ("speed", "seed", "policy", "world") if getattr(given, name) is not None
    }
    chosen["scanner"] = given.scanner != "off"
    chosen["sign_in"] = given.sign_in != "off"
    ports = {}
    for one in given.port:
        name, _, number = one.partition("=")
        if not number.isdigit():
            raise StackError(f"--port {one}: use NAME=PORT, such as host=7071")
        ports[name] = int(number)
    return dataclasses.replace(StackOptions(), **chosen, ports=ports)


def _up(given: argparse.Namespace) -> int:
    wanted = _options(given)
    stack = Stack(given.directory)
    if given.reset:
        stack.stop()
        stack.reset()
    if stack.running:
        _warn_about_differences(given, stack.options, wanted)
    else:
        stack = Stack(given.directory, wanted)
    began = time.monotonic()
    ran = list(stack.running)
    started = stack.start(detached=not given.foreground)
    if not started:
        print(f"The stack is already running (speed {stack.options.speed:g}, seed {stack.options.seed}).")
    elif ran:
        print(f"Some services were not running. Started: {', '.join(started)}.")
    else:
        print(f"The stack is running (started in {time.monotonic() - began:.1f} s; speed {stack.options.speed:g}).")
    _print_addresses(stack)
    return _run_in_foreground(stack) if given.foreground else 0


def _warn_about_differences(given: argparse.Namespace, running: StackOptions, wanted: StackOptions) -> None:
    names = [
        name for name in ("speed", "seed", "policy", "world", "scanner", "sign_in") if getattr(given, name) is not None
    ]
    other = [name for name in names if getattr(running, name) != getattr(wanted, name)]
    if other:
        named = ", ".join(other).replace("_", "-")
        print(f"The stack is running with a different {named}. To change it, run `make down` first.")


def _print_addresses(stack: Stack) -> None:
    environment = stack.environment
    how = "sign in to view them" if stack.options.sign_in else "send the key in the header x-functions-key"
    print(f"  {'pages':25}{stack.plan.pages_url}  ({how})")
    for name in ("RINGMASTER_URL", "ARM_ENDPOINT", "EVENTGRID_TOPIC_ENDPOINT"):
        print(f"  {name:25}{environment[name]}")
    print(f"  {'logs':25}{stack.log('host').parent}")
    print(f"  {'for your shell':25}. {str(stack.directory / 'env')!r}")


def _run_in_foreground(stack: Stack) -> int:
    """Run until Ctrl-C or SIGTERM, then stop the stack. Reports services that end unexpectedly."""

    def leave(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)
    gone: set[str] = set()
    try:
        print("Press Ctrl-C to stop it.", flush=True)
        while True:
            for name in set(stack.services) - set(stack.running) - gone:
                gone.add(name)
                print(f"{name} ended unexpectedly; see {stack.log(name)}", file=sys.stderr, flush=True)
            time.sleep(1)
    except KeyboardInterrupt:
        stack.stop()
        return 0


def _down(directory: Path) -> int:
    stopped = Stack(directory).stop()
    print(f"Stopped: {', '.join(stopped)}." if stopped else "The stack is not running.")
    return 0


def _status(directory: Path) -> int:
    stack = Stack(directory)
    running = stack.running
    for name in stack.services:
        print(f"  {name:10} {f'running, pid {running[name]}' if name in running else 'not running'}")
    if set(running) != set(stack.services):
        return 3
    _print_addresses(stack)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the command. Returns the exit code."""
    given = _arguments(argv)
    try:
        match given.command:
            case "up":
                return _up(given)
            case "down":
                return _down(given.directory)
            case _:
                return _status(given.directory)
    except StackError as error:
        print(f"local stack: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
