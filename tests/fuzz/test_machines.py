"""What a booted machine says of itself: the probe's output, the console, the instance views."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.boot_test.console import console_text, judge_console
from shared.domain.boot_test.failures import ProbeFacts
from shared.domain.boot_test.probe import LINUX_CHECKS, judge_probe
from shared.domain.policy import BootRules
from tests.fuzz.budget import bounded, entrance

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
NONCE = "0123456789abcdef"
MACHINE = "rm-0123456789ab"
RULES = BootRules()
GOOD = {
    **dict.fromkeys(LINUX_CHECKS, "pass"),
    "hostname": f"pass {MACHINE}",
    "boot_id": "pass 6a1c3f0e-0000-4000-8000-000000000000",
    "machine_id": f"pass {'0' * 32}",
    "systemd": "pass running",
    "cloud_init": "pass done",
    "root_writable": "pass yes",
    "clock": f"pass {int(NOW.timestamp())}",
    "ssh_keys": "pass 3",
}
WEIRD = st.text(st.characters(exclude_categories=()), max_size=60)
lines = st.one_of(
    st.sampled_from([f"{name}={answer}" for name, answer in GOOD.items()]),
    st.builds("{}={}".format, st.sampled_from(list(GOOD)), WEIRD),
    st.builds(
        "ringmaster done {} checks={}".format, st.sampled_from([NONCE, NONCE.upper(), ""]) | WEIRD, st.integers()
    ),
    st.builds(
        "ringmaster done {} checks={}".format,
        st.just(NONCE),
        st.sampled_from([str(len(LINUX_CHECKS)), "٨", "08", "9" * 5000]),
    ),
    st.just(f"ringmaster begin {NONCE}"),
    WEIRD,
)


def facts(output: str, state: str = "Succeeded", code: int | None = 0) -> ProbeFacts:
    return ProbeFacts(state, code, output, provisioning_state="Succeeded")


def whole(answers: dict[str, str]) -> str:
    told = "".join(f"{name}={answer}\n" for name, answer in answers.items())
    return f"ringmaster begin {NONCE}\n{told}ringmaster done {NONCE} checks={len(LINUX_CHECKS)}\n"


@entrance
@given(
    st.lists(lines, max_size=30).map("\n".join),
    st.sampled_from(["Succeeded", "succeeded", "Failed", "TimedOut", "", "💥"]),
    st.none() | st.integers(-(2**31), 2**31),
    st.sampled_from(["Linux", "Windows", "linux", ""]),
)
def test_a_probe_is_judged_whatever_it_printed(output: str, state: str, code: int | None, os_type: str) -> None:
    with bounded(len(output)):
        verdict = judge_probe(facts(output, state, code), nonce=NONCE, machine=MACHINE, os_type=os_type, now=NOW)
    passed = not verdict.reasons
    assert not passed or (state.lower() == "succeeded" and f"ringmaster done {NONCE} " in output)


@entrance
@given(st.data())
def test_a_probe_that_lacks_an_answer_never_passes(data: st.DataObject) -> None:
    missing = data.draw(st.sampled_from(LINUX_CHECKS))
    output = whole({name: answer for name, answer in GOOD.items() if name != missing})
    cut = output[: data.draw(st.integers(0, len(output)))]
    for text in (output, cut):
        with bounded(len(text)):
            verdict = judge_probe(facts(text), nonce=NONCE, machine=MACHINE, os_type="Linux", now=NOW)
        assert verdict.reasons


def test_a_healthy_probe_passes() -> None:
    assert judge_probe(facts(whole(GOOD)), nonce=NONCE, machine=MACHINE, os_type="Linux", now=NOW).reasons == ()


PIECES = st.sampled_from(
    [
        b"BUG: ", b"Oops: ", b"Oops", b" ", b"\t", b"[#1]", b"[#", b"\x1b[", b"\x1b[31", b"\x1b]", b"\x1b]0;", b"\x07",
        b"\x1b\\", b";", b"0", b"(", b")", b"XFS (", b"EXT4-fs error (", b"Internal error: ", b"divide error: ",
        b"general protection fault", b"blocked ", b"in I/O wait ", b"for more than ", b"1", b"hv_storvsc: probe of ",
        b"Failed to mount ", b"[FAILED", b"]", b"grub", b"grub>", b"dracut:/", b"#", b"\r", b"\n", b"\r\n", b"\x00",
        b"\xff\xfe", b"\xc3", b"STOP: 0x", b"RIP: ", b"RIP: 0010:topology_sane.isra", b"a" * 50, b"invalid opcode: ",
        b"EFI stub:", b"BUG \xe2\x82\xac (", b"ipt_CLUSTERIP",
    ]
)  # fmt: skip


@entrance
@given(st.lists(st.tuples(PIECES, st.integers(1, 400)), max_size=30) | st.binary(max_size=2000).map(lambda b: [(b, 1)]))
def test_a_console_is_judged_whatever_stands_in_it(pieces: list[tuple[bytes, int]]) -> None:
    raw = b"".join(piece * times for piece, times in pieces)
    with bounded(len(raw)):
        verdict = judge_console(raw, RULES)
    assert bool(verdict.reasons) == bool(verdict.lines)
    assert all("\n" not in line and "\x1b" not in line and "\x00" not in line for line in console_text(raw))


@entrance
@given(PIECES, PIECES, PIECES)
def test_the_largest_console_that_is_read_takes_seconds_at_most(head: bytes, body: bytes, tail: bytes) -> None:
    for size in (1900, 64 * 1024):
        line = head + body * (size // len(body)) + tail
        with bounded(len(line), seconds=0.5):
            judge_console(line, RULES)


def test_a_mebibyte_of_the_worst_lines_takes_seconds_at_most() -> None:
    for piece in (
        b"Oops ",
        b"\x1b]",
        b"\x1b[0;",
        b"BUG \xe2\x82\xac",
        b"Internal error: ",
        b"XFS (",
        b"\n",
        b"\r",
        b"a",
    ):
        raw = piece * (1024 * 1024 // len(piece))
        with bounded(len(raw), seconds=8.0):
            judge_console(raw, RULES)


def test_a_mebibyte_of_long_lines_takes_seconds_at_most() -> None:
    for piece in (b"Oops ", b"Internal error: ", b"divide error: ", b"\x1b]0", b"BUG (", b"for more than 1"):
        line = (piece * 400)[:1990] + b"\n"
        with bounded(1024 * 1024, seconds=8.0):
            judge_console(line * (1024 * 1024 // len(line)), RULES)
