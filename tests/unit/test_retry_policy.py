"""What the retry policy makes of each error; and that Airflow below 3.3 says why there is none."""

from __future__ import annotations

import importlib
import json
import runpy
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException
from packaging.version import Version
from support.clients import sandbox_client
from support.spaces import Spaces

from airflow_provider_koodrive import exceptions
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveConfigError,
    KooDriveConflictError,
    KooDriveConnectionError,
    KooDriveError,
    KooDriveGatewayError,
    KooDriveGuardError,
    KooDriveMembersError,
    KooDriveOutcomeUnknownError,
    KooDrivePermissionError,
    KooDriveQuotaError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveSourceError,
    KooDriveThrottledError,
    KooDriveValidationError,
)
from airflow_provider_koodrive.operators.group_space import CreateGroupSpaceOperator

MODULE = "airflow_provider_koodrive.retry_policy"
DAGS = Path(__file__).parents[2] / "dags_examples"
HAS_POLICIES = Version(version("apache-airflow")) >= Version("3.3")
needs_policies = pytest.mark.skipif(not HAS_POLICIES, reason="tasks have retry policies from Airflow 3.3 on")

LONGEST = 100
# The tries 1, 2, 3, 5 and a million.
TRIES = (1, 2, 3, 5, 1_000_000)
FAIL = ("fail",) * 5
BACKOFF = (10, 20, 40, LONGEST, LONGEST)
LONG = (LONGEST,) * 5
DEFAULT = ("default",) * 5


def retryable(error: KooDriveError) -> KooDriveError:
    error.retryable = True
    return error


DECISIONS: list[tuple[KooDriveError, tuple[Any, ...]]] = [
    (KooDriveAuthenticationError(""), FAIL),
    (retryable(KooDriveAuthenticationError("the clock is wrong")), BACKOFF),
    (KooDriveConfigError(""), FAIL),
    (KooDrivePermissionError(""), FAIL),
    (KooDriveValidationError(""), FAIL),
    (KooDriveSourceError(""), FAIL),
    (KooDriveGuardError(""), FAIL),
    (KooDriveConflictError("seen"), FAIL),
    (KooDriveConflictError("refused", http_status=400, code=13000405), LONG),
    (KooDriveQuotaError(""), LONG),
    (KooDriveOutcomeUnknownError("", name="Finance"), LONG),
    (KooDriveConnectionError("", sent=False), BACKOFF),
    (KooDriveConnectionError("", sent=True), BACKOFF),
    (KooDriveResponseError("a proxy's page"), BACKOFF),
    (KooDriveMembersError("", failed=["7"]), BACKOFF),
    (KooDriveError("", code=13009999), DEFAULT),
    *(
        (kind("", retry_after=asked), waits)
        for kind in (KooDriveThrottledError, KooDriveServerError, KooDriveGatewayError)
        for asked, waits in [(None, BACKOFF), (0.0, BACKOFF), (7.5, (7.5,) * 5), (1e9, LONG)]
    ),
]


@pytest.fixture
def policy() -> Any:
    module = importlib.import_module(MODULE)
    return module.KooDriveRetryPolicy(delay=10, longest_delay=LONGEST)


@needs_policies
@pytest.mark.parametrize("argument", [{"delay": -1}, {"longest_delay": 1e9}, {"delay": "30"}], ids=str)
def test_wrong_arguments(argument: dict[str, Any]) -> None:
    module = importlib.import_module(MODULE)
    with pytest.raises(ValueError, match="give a number of seconds from 0 to 86400"):
        module.KooDriveRetryPolicy(**argument)


def decided(policy: Any, error: BaseException, try_number: int = 1) -> str | float | None:
    """What the policy decides: the seconds of a retry, else the action."""
    decision = policy.evaluate(error, try_number, 5)
    if decision.action.value == "retry":
        assert decision.reason == f"{type(error).__name__}, try {try_number}"
        return float(decision.retry_delay.total_seconds())
    assert decision.retry_delay is None
    return str(decision.action.value)


@needs_policies
class TestDecision:
    @pytest.mark.parametrize(("error", "expected"), DECISIONS, ids=lambda value: type(value).__name__)
    def test_each_error(self, policy, error, expected):
        assert tuple(decided(policy, error, number) for number in TRIES) == expected

    def test_no_kind_is_left_out(self):
        kinds = {kind for kind in vars(exceptions).values() if isinstance(kind, type)}
        kinds = {kind for kind in kinds if issubclass(kind, KooDriveError)}
        assert {type(error) for error, _ in DECISIONS} == kinds

    @pytest.mark.parametrize("error", [ValueError(), AirflowFailException(), KeyboardInterrupt()], ids=repr)
    def test_what_is_not_koodrives_is_left_to_airflow(self, policy, error):
        assert decided(policy, error) == "default"

    def test_defaults_of_the_arguments(self):
        policy = importlib.import_module(MODULE).KooDriveRetryPolicy()
        assert decided(policy, KooDriveServerError("")) == 30
        assert decided(policy, KooDriveOutcomeUnknownError("", name="Finance")) == 900

    def test_a_space_that_was_seen(self, policy, koodrive_sandbox):
        spaces = Spaces(sandbox_client(koodrive_sandbox))
        spaces.create("Finance")
        with pytest.raises(KooDriveConflictError) as caught:
            spaces.create("Finance")
        assert decided(policy, caught.value) == "fail"

    def test_a_space_that_lists_do_not_show(self, policy, koodrive_sandbox):
        koodrive_sandbox.faults.add("create", "error_200", code=13000405)
        with pytest.raises(KooDriveConflictError) as caught:
            Spaces(sandbox_client(koodrive_sandbox)).create("Finance", if_exists="reuse")
        assert decided(policy, caught.value) == LONGEST

    @pytest.mark.parametrize("date", [True, False])
    def test_a_retry_after_that_is_over(self, policy, koodrive_sandbox, date):
        koodrive_sandbox.faults.add("list", "throttle_429", seconds=0, date=date)
        with pytest.raises(KooDriveThrottledError) as caught:
            Spaces(sandbox_client(koodrive_sandbox)).create("Finance")
        assert caught.value.retry_after == 0
        assert decided(policy, caught.value) == 10


@needs_policies
class TestInADag:
    def test_airflow_restores_what_it_stores(self, policy):
        from airflow.serialization.serialized_objects import DagSerialization

        with DAG("patient", schedule=None, default_args={"retries": 5, "retry_policy": policy}) as dag:
            CreateGroupSpaceOperator(task_id="one", name="Finance")
            CreateGroupSpaceOperator.partial(task_id="many").expand(name=["Legal", "Sales"])
            CreateGroupSpaceOperator(task_id="without", name="Archive", retry_policy=None)
        stored = json.dumps(DagSerialization.to_dict(dag), sort_keys=True)
        restored = DagSerialization.from_dict(json.loads(stored))
        has_policy = {task.task_id: bool(task.has_retry_policy) for task in restored.tasks}
        assert has_policy == {"one": True, "many": True, "without": False}
        # An address in memory would make a new version of the DAG each time it is parsed.
        assert " at 0x" not in stored

    def test_the_policys_arguments_are_stored_and_restored(self, policy):
        stored = json.loads(json.dumps(policy.serialize()))
        restored = type(policy).deserialize(stored)
        assert type(restored) is type(policy)
        assert vars(restored) == vars(policy) == {"delay": 10, "longest_delay": LONGEST}


def example_tasks(name: str) -> list[Any]:
    module = runpy.run_path(str(DAGS / f"{name}.py"))
    dag = module[name]() if name in module else module["dag"]
    return list(dag.tasks)


@pytest.mark.parametrize("name", ["koodrive_create_group_space", "koodrive_onboard_departments"])
def test_all_tasks_of_the_example_dags_have_it_where_airflow_does(name: str) -> None:
    found = {type(getattr(task, "retry_policy", None)).__name__ for task in example_tasks(name)}
    assert found == {"KooDriveRetryPolicy" if HAS_POLICIES else "NoneType"}


@pytest.fixture
def _without_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow as it is below 3.3: the real one, or one whose SDK has no such names."""
    if HAS_POLICIES:
        monkeypatch.setitem(sys.modules, "airflow.sdk", ModuleType("airflow.sdk"))
    monkeypatch.delitem(sys.modules, MODULE, raising=False)


@pytest.mark.usefixtures("_without_policies")
def test_below_airflow_3_3_the_module_says_why_it_cannot_be_imported() -> None:
    with pytest.raises(ImportError, match=r"needs Airflow 3\.3 or later.* use retries and retry_delay"):
        importlib.import_module(MODULE)
