"""Roles: who has them, and which include which."""

import pytest

from shared.domain.access import Access, Actor, Role
from shared.domain.actions import ROLES, Action

ACCESS = Access({Role.OPERATOR: frozenset({"team"}), Role.ADMIN: frozenset({"boss"})})
MEMBER = Actor("somebody", frozenset({"somebody", "team"}))
ADMIN = Actor("boss", frozenset({"boss"}))


def test_a_role_comes_by_a_group() -> None:
    assert ACCESS.allows(MEMBER, Role.OPERATOR)


def test_a_role_gives_no_other() -> None:
    assert not ACCESS.allows(MEMBER, Role.APPROVER)


@pytest.mark.parametrize("role", Role)
def test_an_admin_may_do_everything(role: Role) -> None:
    assert ACCESS.allows(ADMIN, role)


def test_whoever_has_a_role_may_read() -> None:
    assert ACCESS.allows(MEMBER, Role.READER)


def test_a_stranger_may_nothing() -> None:
    assert not any(ACCESS.allows(Actor("x", frozenset({"x"})), role) for role in Role)


def test_a_name_grants_nothing() -> None:
    assert not ACCESS.allows(Actor("x", frozenset({"x"}), "boss"), Role.READER)


def test_grants_add_up() -> None:
    both = ACCESS.with_more(Access({Role.APPROVER: frozenset({"team"})}))
    assert both.allows(MEMBER, Role.APPROVER)


def test_every_action_needs_a_role() -> None:
    assert set(ROLES) == set(Action)
