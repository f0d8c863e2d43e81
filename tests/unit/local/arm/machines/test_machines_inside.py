"""What a machine says of itself: run commands and the serial log, through Azure's own SDK."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.compute.aio import ComputeManagementClient

from local.arm.kernel.fault_injection import Rule
from local.arm.machines.characters.sandbox import OUTPUT_LIMIT
from local.arm.machines.run_command_execution import stop_all

RG, VM = "boot-tests", "probe-1"

type Guests = Callable[[], Awaitable[list[Path]]]


async def until(read: Callable[[], Awaitable[Any]], wanted: Callable[[Any], bool], seconds: float = 20) -> Any:
    async with asyncio.timeout(seconds):
        while not wanted(found := await read()):  # noqa: ASYNC110 - polling is what clients of ARM do
            await asyncio.sleep(0.03)
        return found


@pytest.fixture
async def boot(
    compute: ComputeManagementClient, image: Callable[..., str], model: Callable[..., dict[str, Any]]
) -> Callable[..., Awaitable[None]]:
    """Create a machine of a character and wait for its provisioning."""

    async def make(character: str = "clean", **facts: Any) -> None:
        body: Any = model(image(character, **facts))
        await (await compute.virtual_machines.begin_create_or_update(RG, VM, body)).result()

    return make


@pytest.fixture
def guests(tmp_path: Path) -> Iterator[Guests]:
    """The directories of scripts that run, of this test alone."""

    async def found() -> list[Path]:
        return list(tmp_path.glob("arm-guest-*"))  # noqa: ASYNC240 - a directory in memory

    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path)
    yield found
    tempfile.tempdir = before


@pytest.fixture
def run(compute: ComputeManagementClient) -> Callable[..., Awaitable[Any]]:
    """Run a script as a managed run command and answer its instance view."""

    async def start(script: str | None, **more: Any) -> Any:
        source = {"script": script} if script is not None else {}
        body: Any = {"location": "westeurope", "properties": {"source": source} | more}
        commands = compute.virtual_machine_run_commands
        await (await commands.begin_create_or_update(RG, VM, "probe", body)).result()
        found = await commands.get_by_virtual_machine(RG, VM, "probe", expand="instanceView")
        return found.instance_view

    return start


async def test_a_script_runs_and_sees_the_guest(boot: Any, run: Any) -> None:
    await boot()
    view = await run(
        "hostname; cat /etc/hostname; systemctl is-system-running; cloud-init status; echo nonce-$((6*7))\n"
        "curl -s -H Metadata:true 'http://169.254.169.254/metadata/instance/compute/location"
        "?api-version=2021-02-01&format=text'"
    )
    assert view.output.split("\n") == ["probe-1", "probe-1", "running", "status: done", "nonce-42", "westeurope"]
    assert (view.execution_state, view.exit_code, view.error) == ("Succeeded", 0, "")
    assert view.start_time <= view.end_time


async def test_a_failing_script_is_failed_while_its_provisioning_succeeds(boot: Any, run: Any, compute: Any) -> None:
    await boot()
    view = await run("echo out; echo err >&2; exit 7")
    assert (view.execution_state, view.exit_code, view.output, view.error) == ("Failed", 7, "out\n", "err\n")
    found = await compute.virtual_machine_run_commands.get_by_virtual_machine(RG, VM, "probe")
    assert found.provisioning_state == "Succeeded"
    assert found.instance_view is None


async def test_a_failure_may_fail_the_deployment(boot: Any, run: Any) -> None:
    await boot()
    with pytest.raises(HttpResponseError, match="VMExtensionProvisioningError"):
        await run("exit 1", treatFailureAsDeploymentFailure=True)


async def test_only_the_last_four_kilobytes_of_output_are_kept(boot: Any, run: Any) -> None:
    await boot()
    view = await run("seq 1 5000; echo the end")
    assert len(view.output) == OUTPUT_LIMIT
    assert view.output.endswith("5000\nthe end\n")


async def test_parameters_reach_the_script(boot: Any, run: Any) -> None:
    await boot()
    assert (await run('echo "$ring/$1"', parameters=[{"name": "ring", "value": "canary"}])).output == "canary/canary\n"


async def test_a_command_without_source_fails_as_recorded(boot: Any, run: Any) -> None:
    await boot()
    view = await run(None)
    assert (view.execution_state, view.exit_code) == ("Failed", 3)
    assert "Either 'source.script' or 'source.scriptUri' has to be specified" in view.execution_message


async def test_a_script_sleeps_in_azures_time(boot: Any, run: Any) -> None:
    await boot()
    began = time.monotonic()
    assert (await run("sleep 600; echo awake")).output == "awake\n"
    assert time.monotonic() - began < 5


async def test_a_hanging_command_times_out(boot: Any, run: Any) -> None:
    await boot("run-command-hangs")
    view = await run("echo never", timeoutInSeconds=600)
    assert (view.execution_state, view.exit_code, view.output) == ("TimedOut", None, "")


async def test_a_degraded_guest_says_which_unit_failed(boot: Any, run: Any) -> None:
    await boot("probe-fails")
    view = await run("systemctl is-system-running; systemctl --failed --no-legend --plain")
    assert view.output.startswith("degraded\nnginx.service loaded failed failed")


async def test_a_guest_that_was_never_generalized_keeps_its_old_name(boot: Any, run: Any) -> None:
    with pytest.raises(HttpResponseError):
        await boot("never-generalized")
    assert (await run("hostname")).output == "build-never-generalized\n"


async def test_without_an_agent_the_command_fails_after_its_window(boot: Any, run: Any) -> None:
    await boot("agent-never-ready")
    with pytest.raises(HttpResponseError, match="VMAgentStatusCommunicationError"):
        await run("echo never")


async def test_a_windows_script_without_powershell_says_so(boot: Any, run: Any) -> None:
    await boot(osType="Windows")
    view = await run("Write-Output hi")
    assert (view.execution_state, view.exit_code) in (("Failed", 127), ("Succeeded", 0))
    assert "pwsh" in view.error or view.output == "hi\n"


async def test_the_older_action_answers_with_both_streams(boot: Any, compute: ComputeManagementClient) -> None:
    await boot()
    body: Any = {"commandId": "RunShellScript", "script": ["echo one", "echo two >&2"]}
    result = await (await compute.virtual_machines.begin_run_command(RG, VM, body)).result()
    assert result.value is not None
    assert result.value[0].code == "ProvisioningState/succeeded"
    assert result.value[0].message == "Enable succeeded: \n[stdout]\none\n\n[stderr]\ntwo\n"


async def test_the_older_action_says_that_it_succeeded_although_its_script_failed(
    boot: Any, compute: ComputeManagementClient
) -> None:
    await boot()
    body: Any = {"commandId": "RunShellScript", "script": ["echo one", "exit 7"]}
    result = await (await compute.virtual_machines.begin_run_command(RG, VM, body)).result()
    assert [(one.code, one.message) for one in result.value or ()] == [
        ("ProvisioningState/succeeded", "Enable succeeded: \n[stdout]\none\n\n[stderr]\n")
    ]


async def test_a_deleted_command_kills_its_script(boot: Any, compute: ComputeManagementClient, guests: Guests) -> None:
    await boot()
    commands, body = (
        compute.virtual_machine_run_commands,
        {"location": "westeurope", "properties": {"source": {"script": "while :; do :; done"}}},
    )
    await commands.begin_create_or_update(RG, VM, "loop", body, polling=False)  # type: ignore[arg-type]

    async def state() -> Any:
        return (
            await commands.get_by_virtual_machine(RG, VM, "loop", expand="instanceView")
        ).instance_view.execution_state

    await until(state, lambda now: now == "Running")
    await (await commands.begin_delete(RG, VM, "loop")).result()
    assert [one async for one in commands.list_by_virtual_machine(RG, VM)] == []
    await until(guests, lambda found: not found)


async def log_of(
    compute: ComputeManagementClient, http: Callable[..., Any], minutes: int | None = None
) -> tuple[int, dict[str, str], bytes]:
    data = await compute.virtual_machines.retrieve_boot_diagnostics_data(
        RG, VM, sas_uri_expiration_time_in_minutes=minutes
    )
    return await http("GET", data.serial_console_log_blob_uri)


async def test_the_serial_log_is_not_there_at_first_and_grows(
    compute: Any, http: Any, image: Any, model: Any, watch: Any
) -> None:
    watch.hold()

    async def after(seconds: float) -> tuple[int, dict[str, str], bytes]:
        watch.advance(seconds)
        return await log_of(compute, http)

    await compute.virtual_machines.begin_create_or_update(RG, VM, model(image("slow")), polling=False)
    status, headers, body = await log_of(compute, http)
    assert (status, headers["Content-Type"]) == (404, "application/xml")
    assert body.startswith('\ufeff<?xml version="1.0" encoding="utf-8"?>\n<Error><Code>BlobNotFound</Code>'.encode())
    _, _, early = await until(lambda: after(0.005), lambda answer: answer[0] == 200)
    _, _, late = await until(lambda: after(0.05), lambda answer: b"login: " in answer[2])
    assert late.startswith(early.rstrip(b"\0"))
    assert len(late) > len(early)
    assert len(late) % 512 == 0
    assert b"\x1b[0;32m  OK  \x1b[0m" in late


@pytest.mark.parametrize(
    ("character", "line"),
    [
        ("panics-at-boot", b"Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"),
        ("initramfs-shell", b"(initramfs) "),
        ("emergency-mode", b"You are in emergency mode."),
        ("never-generalized", b"build-never-generalized login: "),
    ],
)
async def test_a_failed_boot_is_seen_on_the_console(
    character: str, line: bytes, boot: Any, compute: Any, http: Any
) -> None:
    with pytest.raises(HttpResponseError):
        await boot(character)
    _, _, body = await log_of(compute, http)
    assert line in body


async def test_an_address_with_another_signature_is_refused(boot: Any, compute: Any, http: Any) -> None:
    await boot()
    data = await compute.virtual_machines.retrieve_boot_diagnostics_data(RG, VM, sas_uri_expiration_time_in_minutes=5)
    query = parse_qs(urlsplit(data.serial_console_log_blob_uri).query)
    later = data.serial_console_log_blob_uri.replace(f"se={query['se'][0][:4]}", "se=2999")
    status, _, body = await http("GET", later)
    assert (status, b"AuthenticationFailed" in body) == (403, True)


async def test_the_end_of_the_simulator_kills_running_scripts(
    simulator: Any, boot: Any, compute: ComputeManagementClient, guests: Guests
) -> None:
    await boot()
    commands = compute.virtual_machine_run_commands
    body: Any = {"location": "westeurope", "properties": {"source": {"script": "while :; do :; done"}}}
    await commands.begin_create_or_update(RG, VM, "loop", body, polling=False)
    await until(guests, bool)
    stop_all(simulator.kernel)
    assert await guests() == []


async def test_a_fault_plan_can_refuse_a_size_or_a_quota(
    simulator: Any, boot: Any, compute: ComputeManagementClient
) -> None:
    message = "Operation could not be completed as it results in exceeding approved Total Regional Cores quota."
    rule = Rule(
        "error", operation="VirtualMachines_CreateOrUpdate", status=409, code="OperationNotAllowed", message=message
    )
    simulator.kernel.faults.replace([rule])
    with pytest.raises(HttpResponseError, match="exceeding approved Total Regional Cores quota"):
        await boot()


async def test_a_creation_that_the_fault_plan_fails_leaves_a_failed_machine(
    simulator: Any, boot: Any, compute: ComputeManagementClient
) -> None:
    rule = Rule("fail_operation", operation="VirtualMachines_CreateOrUpdate", code="InternalExecutionError")
    simulator.kernel.faults.replace([rule])
    with pytest.raises(HttpResponseError, match="InternalExecutionError"):
        await boot()
    found: Any = await compute.virtual_machines.instance_view(RG, VM)
    assert found.statuses[0].code == "ProvisioningState/failed/InternalExecutionError"
