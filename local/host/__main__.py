"""`python -m local.host --app DIR --port P`: run a function app until SIGTERM or SIGINT.

Exit codes: 0 stopped as asked, 1 the app or its configuration cannot be used, 2 the command line is wrong.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from local.host import log
from local.host.app_settings import load_settings_file
from local.host.authentication import Authentication
from local.host.config import load_host_config
from local.host.functions_host import FunctionsHost
from local.host.host_clock import Clock
from local.host.host_errors import ConfigError, HostError, IndexingError
from local.host.people import load_people
from local.host.tokens import load_tokens


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.host", description="A local Azure Functions host for Python v2 apps."
    )
    parser.add_argument("--app", type=Path, required=True, help="folder of the app, with function_app.py and host.json")
    parser.add_argument(
        "--port", type=int, default=7071, help="port to listen on; 0 selects a free port (default 7071)"
    )
    parser.add_argument("--bind", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument(
        "--settings",
        default="env",
        help="path of a local.settings.json, or 'env' to use environment variables (default)",
    )
    parser.add_argument(
        "--keys", type=Path, help="file with access keys; created if missing (default <app>/.local/host/keys.json)"
    )
    parser.add_argument("--state", type=Path, help="folder for the state of timers (default <app>/.local/host)")
    parser.add_argument(
        "--clock-speed",
        type=float,
        default=1.0,
        help="factor by which timers, leases and retry delays are faster (default 1)",
    )
    parser.add_argument(
        "--lease-seconds",
        type=int,
        help="lease duration of a received message (default 600, divided by the clock speed)",
    )
    parser.add_argument(
        "--grace-seconds",
        type=float,
        default=30.0,
        help="how long running functions may take to end when the host stops (default 30)",
    )
    parser.add_argument(
        "--people",
        type=Path,
        help="turn on App Service Authentication: at /.auth/login/aad, users select an identity from this file, a JSON "
        "list of {id, tenant, account, name, groups} (default: off)",
    )
    parser.add_argument(
        "--tokens",
        type=Path,
        help="accept bearer tokens of these users: a JSON object with the token of each account (default: none)",
    )
    parser.add_argument("--log-file", type=Path, help="write the log to this file instead of stderr")
    arguments = parser.parse_args(argv)
    if arguments.clock_speed <= 0:
        parser.error("--clock-speed must be greater than 0")
    if arguments.lease_seconds is not None and arguments.lease_seconds < 2:
        parser.error("--lease-seconds must be at least 2: a lease is renewed after half its duration, in whole seconds")
    return arguments


def _host(arguments: argparse.Namespace) -> FunctionsHost:
    app = arguments.app.resolve()
    settings = {} if arguments.settings == "env" else load_settings_file(Path(arguments.settings))
    # Environment variables take precedence over local.settings.json, as in Core Tools.
    settings = {**settings, **{name: os.environ[name] for name in settings if name in os.environ}}
    settings["AzureWebJobsScriptRoot"] = str(app)
    settings.setdefault("AZURE_FUNCTIONS_ENVIRONMENT", os.environ.get("AZURE_FUNCTIONS_ENVIRONMENT", "Development"))
    state = arguments.state or app / ".local" / "host"
    return FunctionsHost(
        app,
        settings,
        bind=arguments.bind,
        port=arguments.port,
        keys_file=arguments.keys or state / "keys.json",
        state_dir=state,
        clock=Clock(arguments.clock_speed),
        lease_seconds=arguments.lease_seconds,
        grace_seconds=arguments.grace_seconds,
        authentication=_authentication(arguments),
    )


def _authentication(arguments: argparse.Namespace) -> Authentication | None:
    if arguments.people is None:
        return None
    people = load_people(arguments.people)
    return Authentication(people, tokens=load_tokens(arguments.tokens, people) if arguments.tokens else None)


async def _serve(arguments: argparse.Namespace) -> None:
    host = _host(arguments)
    levels = load_host_config(host.app_dir).log_levels
    log.configure(lambda invocation: host.invoker.names.get(invocation), levels, arguments.log_file)
    os.chdir(host.app_dir)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with host:
        print(f"ready {host.url}", flush=True)
        await stopping.wait()


def main(argv: list[str] | None = None) -> int:
    """Run the command. Returns the exit code."""
    arguments = _arguments(argv)
    try:
        asyncio.run(_serve(arguments))
    except IndexingError as fault:
        print(f"{fault}\n{fault.details}".rstrip(), file=sys.stderr)
        return 1
    except ConfigError as fault:
        print("\n".join(fault.faults), file=sys.stderr)
        return 1
    except HostError as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)  # the thread of a synchronous function that never ends must not keep the process alive
