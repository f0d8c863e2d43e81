"""Timer triggers: repair of lost messages and events, and the retention report."""

from __future__ import annotations

import logging

import azure.functions as func

from shared.timers import reconcile as reconciliation
from shared.timers import retention_report
from shared.triggers.runtime import Runtime, utc_now

log = logging.getLogger("ringmaster.timers")


def blueprint(runtime: Runtime) -> func.Blueprint:
    """The timer triggers."""
    timers = func.Blueprint()
    settings = runtime.settings

    @timers.function_name("reconcile")
    @timers.timer_trigger(arg_name="timer", schedule=settings.reconcile_schedule, use_monitor=True)
    async def reconcile(timer: func.TimerRequest) -> None:
        """Resend lost commands, start missed releases, and delete expired test resources."""
        done = await reconciliation.run(await runtime.world(), now=utc_now())
        log.info("reconciled%s: %s", " (past due)" if timer.past_due else "", done)

    @timers.function_name("retire")
    @timers.timer_trigger(arg_name="timer", schedule=settings.retire_schedule, use_monitor=True)
    async def retire(timer: func.TimerRequest) -> None:
        """Report which versions the retention rules would no longer keep. Deletes nothing."""
        report = await retention_report.run(await runtime.world(), now=utc_now())
        log.info("retention report%s: %s", " (past due)" if timer.past_due else "", report)

    return timers
