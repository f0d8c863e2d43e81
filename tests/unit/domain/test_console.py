"""Which consoles condemn an image: real ones, and the lines that matter."""

import re
from pathlib import Path

import pytest

from shared.domain.boot_test.console import console_text, judge_console
from shared.domain.policy import BootRules

FAULTS = Path(__file__).resolve().parents[4] / "shared" / "faults" / "consoles"
RULES = BootRules()


def reasons(text: str | bytes, rules: BootRules = RULES) -> tuple[str, ...]:
    return judge_console(text.encode() if isinstance(text, str) else text, rules).reasons


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[ 2.4] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", "kernel panic"),
        ("[  812.717699] PANIC: double fault, error_code: 0x0", "kernel panic"),
        ("[ 2.9] BUG: kernel NULL pointer dereference, address: 0000000000000000", "kernel oops"),
        ("[ 1722.511384] kernel BUG at fs/buffer.c:1917!", "kernel oops"),
        ("[ 92.3] general protection fault: 0000 [#1] SMP", "kernel oops"),
        ("[ 28.2] Internal error: Oops - SP/PC alignment exception: 8a000000 [#1] PREEMPT SMP", "kernel oops"),
        ("Synchronous Exception at 0x00000000", "kernel oops"),
        ("[ 22.1] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!", "soft or hard lockup"),
        ("[ 22.1] NMI watchdog: Watchdog detected hard LOCKUP on cpu 3", "soft or hard lockup"),
        ("[ 242.6] INFO: task kworker/0:1:20 blocked for more than 120 seconds.", "hung task"),
        ("[ 539.9] INFO: rcu_preempt detected stalls on CPUs/tasks:", "RCU stall"),
        ("[ 60.0] rcu: INFO: rcu_sched self-detected stall on CPU", "RCU stall"),
        ("grub rescue> ", "boot loader prompt"),
        ("(initramfs) ", "initramfs prompt"),
        ("dracut:/# ", "initramfs prompt"),
        ('You are in emergency mode. After logging in, type "journalctl -xb"', "emergency mode"),
        ("Cannot open access to console, the root account is locked.", "emergency mode"),
        ("         Starting Dracut Emergency Shell...", "emergency mode"),
        ("[  OK  ] Started emergency.service - Emergency Shell.", "emergency mode"),
        ("[  OK  ] Reached target emergency.target - Emergency Mode.", "emergency mode"),
        ("[  OK  ] Reached target Emergency Mode.", "emergency mode"),
        ("[FAILED] Failed to mount /boot/efi.", "mount failed"),
        ("[DEPEND] Dependency failed for Local File Systems.", "mount failed"),
        ("\x1b[0;1;31m TIME \x1b[0m] Timed out waiting for device \x1b[0;1;39m/dev/sdc1\x1b[0m.", "device missing"),
        ("[ 14.3] EXT4-fs error (device dm-0): ext4_iget:4398: inode #8: comm mount", "file system damage"),
        ("[ 30.1] Out of memory: systemd invoked oom-killer: gfp_mask=0x1", "out of memory"),
        (
            "util.py[WARNING]: Can not apply stage final, no datasource found! Likely bad things to come!",
            "no data source",
        ),
        ("BOOTMGR is missing", "nothing to boot"),
    ],
)
def test_a_line_that_means_a_dead_boot_condemns(line, reason):
    assert reason in reasons(f"[    0.000000] Linux version 6.8\r\n{line}\r\nlogin: \r\n")


@pytest.mark.parametrize(
    "line",
    [
        "[    0.022001] NMI watchdog: Shutting down hard lockup detector on all cpus",
        "[    1.0] Command line: BOOT_IMAGE=/vmlinuz root=LABEL=root panic=-1 softlockup_panic=0",
        "[    0.1] EFI stub: [Firmware Bug]: FIRMWARE BUG: kernel image not aligned on 64k boundary",
        "[    6.4] blk_update_request: I/O error, dev fd0, sector 0",
        "[   30.1] traps: python3[412] general protection fault ip:7f0 sp:7ff error:0 in libc.so",
        "[    1.0] RIP: 0010:topology_sane.isra.3+0x6a/0x80",
        "[  OK  ] Reached target Local File Systems.",
        "WARNING: CPU: 0 PID: 1 at arch/x86/kernel/fpu/xstate.c:878",
        "login: ",
    ],
)
def test_a_line_that_healthy_machines_print_condemns_nothing(line):
    assert reasons(f"{line}\n") == ()


def test_a_prompt_excuses_nothing():
    assert "no data source" in reasons("host login: \nCan not apply stage final, no datasource found! Likely bad\n")


def test_an_empty_console_condemns_nothing():
    assert reasons(b"") == ()


def test_noise_of_terminals_does_not_hide_a_line():
    raw = b"\x00\x00\x1b[0;1;31mKer\x00nel pa\x1b[Knic - not syncing: x\x1b[0m\r\n"
    assert reasons(raw) == ("kernel panic",)


def test_bytes_that_are_no_text_do_not_matter():
    assert reasons(bytes(range(256)) * 50 + b"\nKernel panic - not syncing: x\n") == ("kernel panic",)


def test_lines_are_cleaned_of_colours_cursor_movements_and_titles():
    assert console_text(b"\x1b]0;title\x07\x1bM\x1b[K[\x1b[0;32m  OK  \x1b[0m] Started\x1b(B x\r\n") == [
        "[  OK  ] Started x",
        "",
    ]


def test_the_lines_shown_begin_a_little_before_the_first_that_condemns():
    text = "\n".join([*(f"line {n}" for n in range(50)), "Kernel panic - not syncing: x", "after"])
    assert judge_console(text.encode(), RULES).lines == (
        "line 47",
        "line 48",
        "line 49",
        "Kernel panic - not syncing: x",
        "after",
    )


def test_evidence_stays_short_whatever_the_console_is():
    raw = b"Kernel panic - not syncing: " + b"x" * 100_000 + b"\n" + b"more\n" * 10_000
    lines = judge_console(raw, RULES).lines
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 2000


def test_the_policys_own_pattern_condemns():
    assert reasons("licence expired\n", BootRules(serial_fail=(re.compile("licence expired"),))) == (
        "policy pattern 'licence expired'",
    )


def test_the_policys_exception_excuses_its_line_alone():
    rules = BootRules(serial_ignore=(re.compile("Failed to mount /scratch"),))
    assert reasons("[FAILED] Failed to mount /scratch.\n", rules) == ()
    assert reasons("[FAILED] Failed to mount /scratch.\n[FAILED] Failed to mount /home.\n", rules) == ("mount failed",)


# --- recorded consoles ------------------------------------------------------------------------------------------------


def recorded(real_data: Path, folder: str, pattern: str) -> list[Path]:
    found = sorted((real_data / "serial" / folder).rglob(pattern))
    assert found, f"no {pattern} in {folder}"
    return found


def test_recorded_consoles_of_healthy_machines_condemn_nothing(real_data):
    healthy = [
        *recorded(real_data, "azure-xplat-cli", "*serialconsole.log"),
        # Its label: the session was lost after a driver was reloaded; the boot was fine.
        *recorded(real_data, "lisa-azure-runs/20251218-213108-368-validate_netvsc_reload", "serial_console.log"),
        *recorded(
            real_data, "lisa-azure-runs/20250603-173555-726-perf_dpdk_l3fwd_ntttcp_tcp", "*-n1_serial_console.log"
        ),
    ]
    assert {path.name: reasons(path.read_bytes()) for path in healthy if reasons(path.read_bytes())} == {}


def test_recorded_panics_are_found(real_data):
    folder = "lisa-azure-runs/20250603-173555-726-perf_dpdk_l3fwd_ntttcp_tcp"
    for path in recorded(real_data, folder, "*-n0_serial_console.log"):
        assert "kernel panic" in reasons(path.read_bytes())


def test_a_recorded_root_file_system_that_is_missing_is_found(real_data):
    folder = "lisa-azure-runs/20251218-153711-303-verify_deployment_provision_ephemeral_managed_disk"
    for path in recorded(real_data, folder, "serial_console.log"):
        assert "emergency mode" in reasons(path.read_bytes())


def test_a_recorded_data_disk_that_is_missing_is_found(real_data):
    paths = recorded(real_data, "lisa-azure-runs/20250603-172025-596-smoke_test", "*_serial_console.log")
    assert "device missing" in reasons(max(paths, key=lambda path: path.stat().st_size).read_bytes())


def test_recorded_kernel_reports_without_a_crash_condemn_nothing(real_data):
    quiet = [body for title, body in reports(real_data) if title is None]
    assert quiet
    assert [reasons(body) for body in quiet if reasons(body)] == []


def test_nine_of_ten_recorded_kernel_crashes_are_found(real_data):
    # The rest are reports of debugging kernels (UBSAN, lockdep, WARNING), which condemn nothing here.
    crashes = [body for title, body in reports(real_data) if title is not None]
    found = [body for body in crashes if reasons(body)]
    assert len(crashes) > 300
    assert len(found) / len(crashes) >= 0.9


def reports(real_data: Path) -> list[tuple[str | None, bytes]]:
    """Title and console of each report; the corpus marks the expected title in a head before the first empty line."""
    made: list[tuple[str | None, bytes]] = []
    for path in recorded(real_data, "syzkaller", "*"):
        head, _, body = path.read_bytes().partition(b"\n\n")
        titles = [line for line in head.decode(errors="replace").split("\n") if line.startswith("TITLE: ")]
        made.append((titles[0] if titles else None, body))
    return made


UBSAN = """[    5.539198] UBSAN: array-index-out-of-bounds in drivers/net/hyperv/netvsc.c:1449:41
[    5.539216] Call Trace:
[    5.539245] RIP: 0010:__slab_free+0x0/0x360
[    5.539293]  </TASK>
"""


def test_a_register_dump_belongs_to_the_warning_that_opened_its_trace():
    assert reasons(UBSAN.encode()) == ()


@pytest.mark.parametrize("before", [UBSAN, "", "[  OK  ] Reached target Local File Systems.\n"])
def test_a_register_dump_without_such_a_warning_condemns(before):
    assert reasons((before + "[    9.1] RIP: 0010:init+0x0/0x360\n").encode()) == ("instruction pointer dump",)


RESOURCE_DISK = b"[ TIME ] Timed out waiting for device /dev/disk/cloud/azure_resource-part1.\n"
MOUNTED = b"[  OK  ] Reached target Local File Systems.\n"


def test_a_missing_temporary_disk_condemns_only_where_the_file_systems_are_not_mounted():
    assert (reasons(RESOURCE_DISK + MOUNTED), reasons(RESOURCE_DISK)) == ((), ("device missing",))


def test_another_missing_device_condemns_also_where_the_file_systems_are_mounted():
    other = RESOURCE_DISK.replace(b"cloud/azure_resource-part1", b"by-label/data")
    assert reasons(other + MOUNTED) == ("device missing",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("cp: error writing '/var/x': No space left on device", "root disk full"),
        ("ERROR Event: name=WALinuxAgent, op=UnhandledError, message=Traceback", "guest agent failed"),
        ("WARNING Daemon cloud-init does not appear to be running", "cloud-init did not run"),
        ("INFO: rcu_tasks detected stalls on tasks:", "RCU stall"),
        ("WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected", "kernel locking fault"),
    ],
)
def test_what_was_missed_on_real_consoles_condemns(line, reason):
    assert reason in reasons(line.encode())


@pytest.mark.parametrize("path", sorted(FAULTS.glob("*.log")) if FAULTS.is_dir() else [], ids=lambda path: path.stem)
def test_consoles_that_were_judged_wrongly_are_judged_rightly(path):
    assert bool(reasons(path.read_bytes())) is path.name.startswith("bad-")
