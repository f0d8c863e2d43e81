"""People who act on releases: late, twice with one key, at once, without the role, and against each other.

What they do comes from a random generator of its own, so a seed without people means what it always meant.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from random import Random
from typing import Final

from local.simulation.calls import Invocation
from local.simulation.functions_host import FunctionsHost
from local.simulation.ground_truth import ActionOrder, GroundTruth
from local.simulation.observations import ENDED, is_held
from local.simulation.scenario import BEGIN, OPERATOR, Build, Scenario
from local.simulation.workload import OPERATOR_ROUND, Timeline, Workload
from shared.domain.access import Access, Actor, Role
from shared.domain.actions import Action, Request
from shared.domain.image import VersionId
from shared.domain.policy import ApprovalDeadline, ApprovalRules, Policy, Ring, Skippable
from shared.domain.publish_window import Freeze, Window
from shared.domain.release import Release, State
from shared.engine.act import act
from shared.engine.apply_action import ActionDenied
from shared.ports import World


def _actor(name: str) -> Actor:
    return Actor(name, frozenset({name}))


APPROVERS: Final = tuple(_actor(f"approver-{number}") for number in (1, 2, 3))
ADMIN, READER = _actor("admin"), _actor("reader")
BUILDER: Final = _actor("builder")
"""Has the role approver, and the events of most versions name this writer."""
PEOPLE: Final = (*APPROVERS, *APPROVERS, OPERATOR, OPERATOR, ADMIN, ADMIN, READER, BUILDER)
ACCESS: Final = Access(
    {
        Role.READER: READER.ids,
        Role.OPERATOR: OPERATOR.ids,
        Role.APPROVER: frozenset().union(BUILDER.ids, *(each.ids for each in APPROVERS)),
        Role.ADMIN: ADMIN.ids,
    }
)
ACTIONS: Final = {
    Action.APPROVE: (10, APPROVERS),
    Action.REJECT: (1, APPROVERS),
    Action.HOLD: (3, (OPERATOR,)),
    Action.RESUME: (3, (OPERATOR,)),
    Action.SKIP_BAKE: (2, (ADMIN,)),
    Action.RETRY: (2, (OPERATOR,)),
    Action.RESEND: (1, (OPERATOR,)),
    Action.REVOKE: (2, (OPERATOR,)),
    Action.RESTORE: (2, (ADMIN,)),
    Action.EMERGENCY: (2, (ADMIN,)),
    Action.ACKNOWLEDGE: (1, (OPERATOR,)),
}
"""Weight of each action, and who usually takes it."""
OPPOSITES: Final = {
    Action.APPROVE: Action.REJECT,
    Action.HOLD: Action.RESUME,
    Action.RESUME: Action.HOLD,
    Action.REVOKE: Action.RESTORE,
    Action.RESTORE: Action.REVOKE,
    Action.RETRY: Action.RESTORE,
    Action.EMERGENCY: Action.HOLD,
}
"""What somebody else orders at the same moment."""
FITTING: Final = {
    State.BAKING: (Action.SKIP_BAKE, Action.EMERGENCY),
    State.AWAITING_APPROVAL: (Action.EMERGENCY, Action.HOLD),
    State.PUBLISHING: (Action.EMERGENCY, Action.HOLD),
    State.REJECTED: (Action.RETRY, Action.RESTORE),
    State.REVOKED: (Action.RESTORE,),
    State.RELEASED: (Action.ACKNOWLEDGE, Action.REVOKE),
}
"""What somebody orders who sees a release in a state."""
ATTENTION: Final = timedelta(minutes=10)
"""How often somebody looks at all releases."""
TRIES: Final = 3
"""How often somebody sends a request again, with the same key, when no answer came."""


@dataclass(frozen=True, slots=True)
class Intention:
    """What somebody is going to do to a version that they look at some time before."""

    version: VersionId
    action: Action
    actor: Actor
    looks_at: timedelta
    acts_after: timedelta
    names_incarnation: bool
    revokes_after: timedelta | None
    allow_empty: bool
    repeats_after: timedelta | None
    """When the same request is sent again; zero for two at once."""


def with_people(scenario: Scenario, rng: Random) -> Scenario:
    """The scenario with policies that give people something to decide."""
    places = sorted({str(each) for each in scenario.policy.definitions})
    drawn = {place: [_rules(rng) for _ in range(3)] for place in places}
    conditions = (Skippable.BAKE, Skippable.APPROVAL, Skippable.WINDOW)
    skips = frozenset(each for each in conditions if rng.random() < 0.5)
    begins = BEGIN + timedelta(minutes=rng.uniform(0, 120))
    freeze = Freeze(begins, begins + timedelta(minutes=rng.uniform(20, 240)), "inventory")
    freezes = (freeze,) if rng.random() < 0.3 else ()

    def ruled(policy: Policy) -> Policy:
        changed = {
            source: replace(
                each,
                rings=tuple(rule(ring) for rule, ring in zip(drawn[str(source)], each.rings, strict=False)),
                access=ACCESS,
                freezes=freezes,
                emergency_skips=skips,
            )
            for source, each in policy.definitions.items()
        }
        return replace(policy, definitions=changed)

    return scenario.with_policies(ruled)


def _rules(rng: Random) -> Callable[[Ring], Ring]:
    approval = None
    if rng.random() < 0.6:
        approval = ApprovalRules(
            rng.choice((1, 1, 2)),
            frozenset({APPROVERS[0].id, APPROVERS[1].id}) if rng.random() < 0.3 else frozenset(),
            within=timedelta(hours=rng.choice((2, 6, 24))),
            at_deadline=rng.choice(tuple(ApprovalDeadline)),
        )
    opens = rng.choice((9, 10, 11))
    window = Window(frozenset(range(7)), time(opens), time(opens + rng.choice((1, 3, 6))), "UTC")
    windows = (window,) if rng.random() < 0.2 else ()
    return lambda ring: replace(ring, approval=approval, windows=windows)


def intentions(scenario: Scenario, rng: Random) -> list[Intention]:
    """What people are going to do in a run."""
    found: list[Intention] = []
    for build in scenario.builds:
        for _ in range(rng.choice((0, 1, 2, 3, 4))):
            found.extend(_intended(build, rng))
    return found


def _intended(build: Build, rng: Random) -> list[Intention]:
    action = rng.choices(list(ACTIONS), [weight for weight, _ in ACTIONS.values()])[0]
    looks_at = build.at + timedelta(minutes=rng.uniform(1, 180))
    first = Intention(
        build.version,
        action,
        _who(action, rng),
        looks_at,
        timedelta(minutes=rng.choice((0, 0, 5, 60))) * rng.random(),
        names_incarnation=rng.random() < 0.6,
        revokes_after=timedelta(minutes=rng.uniform(-10, 90)) if rng.random() < 0.3 else None,
        allow_empty=rng.random() < 0.5,
        repeats_after=rng.choice((None, None, timedelta(0), timedelta(0), timedelta(minutes=rng.uniform(0, 60)))),
    )
    if action not in OPPOSITES or rng.random() > 0.3:
        return [first]
    other = OPPOSITES[action]
    return [first, replace(first, action=other, actor=_who(other, rng), repeats_after=None)]


def _who(action: Action, rng: Random) -> Actor:
    return rng.choice(PEOPLE) if rng.random() < 0.2 else rng.choice(ACTIONS[action][1])


@dataclass(slots=True)
class People:
    """Everybody who acts on releases. In the end they finish what waits for them."""

    host: FunctionsHost
    truth: GroundTruth
    workload: Workload
    timeline: Timeline
    _requests: int = 0

    def begin(self, scenario: Scenario, rng: Random, attention: Random) -> None:
        """Plan what people do in a run, and when they begin to finish what waits."""
        for each in intentions(scenario, rng):
            self.timeline.plan(each.looks_at, lambda each=each: self._look(each))
        self.timeline.plan(scenario.span, self.finish)
        for number in range(1, scenario.span // ATTENTION):
            self.timeline.plan(number * ATTENTION, lambda: self._attend(attention))

    def _attend(self, rng: Random) -> None:
        """Look at all releases, and now and then order what fits the state of one."""
        for row in self.timeline.rows():
            if rng.random() < 0.04 and row.state in FITTING:
                action = rng.choice(FITTING[row.state])
                self._send(row.version, self._request(action, rng.choice(ACTIONS[action][1])))

    def _look(self, intention: Intention) -> None:
        row = next((row for row in self.timeline.rows() if row.version == intention.version), None)
        seen = row.incarnation if row and intention.names_incarnation else None
        self.timeline.plan(intention.acts_after, lambda: self._act(intention, seen))

    def _act(self, intention: Intention, incarnation: str | None) -> None:
        wait = intention.revokes_after if intention.action is Action.REVOKE else None
        request = replace(
            self._request(intention.action, intention.actor),
            incarnation=incarnation,
            at=None if wait is None else self.host.scheduler.now + wait,
            allow_empty=intention.action is Action.REVOKE and intention.allow_empty,
        )
        self._send(intention.version, request)
        again = intention.repeats_after
        if again == timedelta(0):
            self._send(intention.version, request)
        elif again is not None:
            self.timeline.plan(again, lambda: self._send(intention.version, request))

    def _request(self, action: Action, actor: Actor) -> Request:
        self._requests += 1
        return Request(action, actor, f"person-{self._requests:08}", reason=f"decision {self._requests}")

    def _send(self, version: VersionId, request: Request, tries: int = 0) -> None:
        """Send a request, and the same again when no answer comes."""
        ordered = ActionOrder(request.action, request.actor, request.reason, request.allow_empty)
        self.truth.add_order(version, request.key, ordered)

        def on_end(said: str | None, error: BaseException | None) -> None:
            if said is not None and said.startswith("taken"):
                self.workload.last_resent = self.host.scheduler.now
            if error is not None and tries < TRIES:
                self.timeline.plan(timedelta(minutes=1), lambda: self._send(version, request, tries + 1))

        self.timeline.record(f"{request.actor} orders {request.action} of {version.short} ({request.key})")
        self.host.invoke("act", _acting(version, request), on_end, subject=version.short)

    def finish(self) -> None:
        """Do what releases wait for: approve, resume, and let a region be without any version."""
        for row in self.timeline.rows():
            for request in self._finishing(row):
                self._send(row.version, request)
        self.host.scheduler.call_later(OPERATOR_ROUND, self.finish)

    def _finishing(self, row: Release) -> list[Request]:
        if row.state not in ENDED and row.state is not State.REVOKING and is_held(row):
            return [self._request(Action.RESUME, OPERATOR)]
        if row.state is State.AWAITING_APPROVAL:
            return [self._request(Action.APPROVE, each) for each in APPROVERS]
        if row.state is State.REVOKING and any(each.stalled for each in row.pending.values()):
            return [replace(self._request(Action.REVOKE, OPERATOR), allow_empty=True)]
        return []


def _acting(version: VersionId, request: Request) -> Callable[[World, datetime, Invocation], Awaitable[str]]:
    """A call of the HTTP API: what it denies is an answer, and no fault."""

    async def call(world: World, now: datetime, _: Invocation) -> str:
        try:
            taken = await act(version, request, world, now=now)
        except ActionDenied as denied:
            return f"denied: {denied}"
        return f"{'repeated' if taken.repeated else 'taken'}: {taken.record.action.value}"

    return call
