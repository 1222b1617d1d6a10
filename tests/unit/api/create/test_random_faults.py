"""Random faults against a model: each wanted name exists exactly once, or its caller got an error."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clients import sandbox_client
from support.spaces import Spaces

from airflow_provider_koodrive.exceptions import (
    KooDriveConflictError,
    KooDriveError,
    KooDriveOutcomeUnknownError,
)
from airflow_provider_koodrive.sandbox.server import Sandbox

# Faults that take no time; those that do are in the truth table and in `make chaos`.
FAULTS: dict[str, dict[str, Any]] = {
    "drop_before_commit": {},
    "drop_after_commit": {},
    "error_500_before": {},
    "error_500_after_commit": {},
    "error_503_retry_after": {"seconds": 0.0},
    "throttle_429": {"seconds": 0.0},
    "gateway_html": {"committed": True},
    "truncated_json": {},
    "wrong_type_json": {},
    "error_200": {"committed": True},
    "expired_token": {},
    "clock_skew": {},
    "redirect": {},
}
ON_CREATE: dict[str, dict[str, Any]] = {
    **FAULTS,
    "member_failures": {},
    "stale_list": {"seconds": 1000.0},
}
OPERATIONS = ("create", "teamList", "sessionAuth", "members", "batchAdd")
TRIES = 4

numbers = itertools.count()


@st.composite
def plans(draw):
    plan = []
    for _ in range(draw(st.integers(0, 6))):
        operation = draw(st.sampled_from(OPERATIONS))
        kind = draw(st.sampled_from(sorted(ON_CREATE if operation == "create" else FAULTS)))
        plan.append((operation, kind, draw(st.integers(1, 4))))
    return plan


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(users=4, groups_max=100_000, max_capacity=1_000_000) as running:
        yield running


class Task:
    """A task that wants a space, and tries again with what it remembers."""

    def __init__(self, sandbox, kind: str, if_exists: str, journal: bool) -> None:
        self.name = f"Department {next(numbers)}"
        self.members = sandbox.user_ids[1:3]
        self.if_exists = if_exists
        self.noted: dict[str, Any] | None = None
        self.errors: list[KooDriveError] = []
        self.result: dict[str, Any] | None = None
        self._journal = self if journal else None
        self._sandbox = sandbox
        self._token = sandbox.issue_token() if kind == "token" else None

    def read(self):
        return self.noted

    def note(self, intent):
        self.noted = intent

    def forget(self):
        self.noted = None

    def attempt(self, deadline: float = 0.5) -> bool:
        """
        Try once, in a process of its own.

        :param deadline: seconds; short, since lists that lag for ever are looked at until then
        """
        client = sandbox_client(self._sandbox, token=self._token, max_attempts=3, deadline=deadline)
        try:
            self.result = Spaces(client).create(
                self.name, user_ids=self.members, if_exists=self.if_exists, journal=self._journal
            )
        except KooDriveError as error:
            self.errors.append(error)
        finally:
            client.close()
        return self.result is not None


def of(task, sandbox) -> list[dict[str, Any]]:
    return [space for space in sandbox.spaces() if space["name"] == task.name]


def settle(sandbox) -> None:
    """No more faults, and the lists show everything; a second passes, as a Date is cut to it."""
    sandbox.faults.clear()
    sandbox.show_everything()
    sandbox.age(1)


def sent_again(sandbox, since: int) -> int:
    """Creates that went out though one had been carried out and the lists showed it."""
    creates = [call for call in sandbox.calls[since:] if call.operation == "create"]
    shown = [
        index for index, call in enumerate(creates) if call.committed and "stale_list" not in call.faults
    ]
    return len(creates) - 1 - shown[0] if shown else 0


few = settings(max_examples=max(1, settings.default.max_examples * 3 // 10))


@pytest.mark.parametrize("kind", ["app", "token"])
@few
@given(plan=plans(), if_exists=st.sampled_from(["reuse", "fail"]))
def test_one_try(sandbox, kind, plan, if_exists):
    settle(sandbox)
    task, since = Task(sandbox, kind, if_exists, journal=False), len(sandbox.calls)
    for operation, fault, times in plan:
        sandbox.faults.add(operation, fault, times=times, **ON_CREATE[fault])
    task.attempt()
    settle(sandbox)
    found = of(task, sandbox)
    assert sent_again(sandbox, since) == 0
    assert len(found) <= 1
    if task.result is not None:
        (space,) = found
        assert (task.result["id"], task.result["created"]) == (space["id"], True)
        assert set(task.members) - set(task.result["failedList"]) <= set(space["members"])
    elif not found:
        assert task.errors
    else:
        # There, and not said to be: the outcome is unknown, or only the members could not be completed.
        (error,) = task.errors
        assert isinstance(error, KooDriveOutcomeUnknownError) or "/usergroups/" in str(error.path)


@pytest.mark.parametrize("kind", ["app", "token"])
@few
@given(plan=plans(), if_exists=st.sampled_from(["reuse", "fail"]))
def test_tries_with_a_journal(sandbox, kind, plan, if_exists):
    settle(sandbox)
    task, since = Task(sandbox, kind, if_exists, journal=True), len(sandbox.calls)
    for operation, fault, times in plan:
        sandbox.faults.add(operation, fault, times=times, **ON_CREATE[fault])
    for _ in range(TRIES):
        if task.attempt():
            break
    settle(sandbox)
    assert task.result is not None or task.attempt(deadline=30.0)
    (space,) = of(task, sandbox)
    assert (task.result["id"], task.result["created"]) == (space["id"], True)
    assert set(task.members) - set(task.result["failedList"]) <= set(space["members"])
    assert sent_again(sandbox, since) == 0
    assert not any(isinstance(error, KooDriveConflictError) for error in task.errors)
