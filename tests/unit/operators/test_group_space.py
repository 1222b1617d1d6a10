"""The operators' execute, with the least of a context, against the sandbox."""

from __future__ import annotations

import json
import pickle

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from support.raw_server import JSON, RawServer, always, reply

from airflow_provider_koodrive.exceptions import (
    FINAL_ERRORS,
    KooDriveConflictError,
    KooDriveConnectionError,
    KooDriveMembersError,
    KooDriveOutcomeUnknownError,
    KooDriveResponseError,
    KooDriveServerError,
)
from airflow_provider_koodrive.operators.group_space import CreateGroupSpaceOperator, GroupSpaceListOperator

LISTING = {"total", "groupsTotal", "groupsMax", "assignedCapacity", "maxCapacity", "groups"}


class TaskInstance:
    """As much of a task instance as the operators use."""

    def __init__(self) -> None:
        self.xcoms: dict[str, object] = {}

    def xcom_push(self, key, value) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))


class Store(dict):
    """Airflow's task state store, which outlives a task's tries."""

    def set(self, key, value) -> None:
        self[key] = json.loads(json.dumps(value))

    def delete(self, key) -> None:
        self.pop(key, None)


@pytest.fixture
def impatient(koodrive_sandbox, monkeypatch):
    """The connection to the sandbox, for calls that shall fail soon."""

    def connect(**extra):
        connection = json.loads(koodrive_sandbox.connection_json())
        connection["extra"].update(extra)
        monkeypatch.setenv("AIRFLOW_CONN_KOODRIVE_DEFAULT", json.dumps(connection))

    connect(max_attempts=1)
    return connect


def create(context=None, **arguments):
    operator = CreateGroupSpaceOperator(task_id="create", **{"name": "Finance", **arguments})
    return operator.execute({"ti": TaskInstance()} if context is None else context)


class TestCreate:
    def test_fields(self, koodrive_sandbox, koodrive_conn):
        create(name="Finance")
        listing = GroupSpaceListOperator(task_id="list", fields=("userNum", "more")).execute({})
        space = koodrive_sandbox.spaces()[0]
        assert listing["groups"] == [{"id": space["id"], "name": "Finance", "userNum": 1}]
        assert listing["total"] == 1

    def test_result(self, koodrive_sandbox, koodrive_conn):
        ti = TaskInstance()
        members = koodrive_sandbox.user_ids[1:3]
        result = create({"ti": ti}, user_ids=members, capacity=20)
        (space,) = koodrive_sandbox.spaces()
        assert result == {
            "id": space["id"],
            "containerId": space["containerId"],
            "name": "Finance",
            "capacity": 20,
            "created": True,
            "failedList": [],
        }
        assert "return_value" not in ti.xcoms

    def test_without_a_task_instance(self, koodrive_sandbox, koodrive_conn):
        assert create({})["created"] is True

    @pytest.mark.parametrize(
        ("if_exists", "error"), [("fail", KooDriveConflictError), ("skip", AirflowSkipException)]
    )
    def test_existing(self, koodrive_sandbox, koodrive_conn, if_exists, error):
        first = create()
        with pytest.raises(error, match="already owns a group space 'Finance'"):
            create(if_exists=if_exists)
        assert create() == {**first, "created": False}
        assert len(koodrive_sandbox.spaces()) == 1

    def test_a_refusal_without_such_a_space_is_no_reason_to_skip(self, koodrive_sandbox, koodrive_conn):
        koodrive_sandbox.faults.add("create", "error_200", code=13000405)
        with pytest.raises(KooDriveConflictError, match="13000405"):
            create(if_exists="skip")

    @pytest.mark.parametrize("if_exists", ["fail", "skip"])
    def test_new(self, koodrive_sandbox, koodrive_conn, if_exists):
        assert create(if_exists=if_exists)["created"] is True

    def test_members_that_fail(self, koodrive_sandbox, koodrive_conn):
        ti = TaskInstance()
        with pytest.raises(
            KooDriveMembersError, match="these members could not be added: 998, 999"
        ) as caught:
            create({"ti": ti}, user_ids=["998", koodrive_sandbox.user_ids[1], "999"])
        assert caught.value.failed == ["998", "999"]
        (space,) = koodrive_sandbox.spaces()
        pushed = ti.xcoms["return_value"]
        assert (pushed["id"], pushed["created"], pushed["failedList"]) == (space["id"], True, ["998", "999"])
        assert koodrive_sandbox.user_ids[1] in space["members"]

    def test_members_that_fail_without_a_task_instance(self, koodrive_sandbox, koodrive_conn):
        with pytest.raises(KooDriveMembersError):
            create({}, user_ids=["999"])

    def test_members_that_fail_may_pass(self, koodrive_sandbox, koodrive_conn):
        ti = TaskInstance()
        result = create({"ti": ti}, user_ids=["999"], fail_on_failed_members=False)
        assert (result["created"], result["failedList"]) == (True, ["999"])
        assert "return_value" not in ti.xcoms

    @pytest.mark.parametrize(
        ("arguments", "rule"),
        [
            ({"name": "x" * 31}, "30 characters"),
            ({"name": ".."}, "must not be"),
            ({"name": "a/b"}, "must not contain"),
            ({"user_ids": [str(number) for number in range(201)]}, "at most 200"),
            ({"user_ids": ["1"], "members": [{"userId": "1"}]}, "both user_ids and members"),
            ({"capacity": 0}, "capacity"),
            ({"capacity": "0"}, "capacity"),
            ({"if_exists": "ignore"}, "if_exists='ignore'"),
            ({"user_ids": "['1']"}, "render_template_as_native_obj"),
            ({"user_ids": [10**5000]}, "a value of type int"),
            ({"capacity": -(10**5000)}, "a value of type int"),
            ({"name": 10**5000}, "must be a string, not int"),
            ({"if_exists": 10**5000}, "a value of type int"),
            ({"members": 5}, "members must be a list, not int 5"),
            ({"members": [None]}, "member None is not an object"),
            ({"members": [{"userId": "1", 5: 1, "a": 2}]}, "unknown fields: 'a', 5"),
        ],
    )
    def test_refused_for_good_before_anything_is_sent(self, koodrive_sandbox, koodrive_conn, arguments, rule):
        with pytest.raises(AirflowFailException, match=rule):
            create(**arguments)
        assert koodrive_sandbox.calls == []


class TestErrors:
    @pytest.mark.parametrize(
        ("fault", "options", "kind"),
        [
            ("expired_token", {}, "KooDriveAuthenticationError"),
            ("error_200", {"code": 13000410}, "KooDrivePermissionError"),
            ("error_200", {"code": 13000102}, "KooDriveValidationError"),
        ],
    )
    def test_final(self, koodrive_sandbox, koodrive_conn, fault, options, kind):
        koodrive_sandbox.faults.add("*", fault, **options)
        for operator in (
            CreateGroupSpaceOperator(task_id="create", name="Finance"),
            GroupSpaceListOperator(task_id="list"),
        ):
            with pytest.raises(AirflowFailException, match=kind) as caught:
                operator.execute({"ti": TaskInstance()})
            assert isinstance(caught.value.__cause__, FINAL_ERRORS)

    def test_configuration(self, koodrive_sandbox, impatient):
        impatient(deadline="soon")
        with pytest.raises(AirflowFailException, match=r"KooDriveConfigError.*'koodrive_default'.*deadline"):
            create()

    @pytest.mark.parametrize(
        ("operation", "fault", "kind"),
        [
            ("teamList", "error_500_before", KooDriveServerError),
            ("teamList", "drop_before_commit", KooDriveConnectionError),
            ("teamList", "truncated_json", KooDriveResponseError),
            ("create", "drop_before_commit", KooDriveOutcomeUnknownError),
        ],
    )
    def test_another_try_may_succeed(self, koodrive_sandbox, impatient, operation, fault, kind):
        koodrive_sandbox.faults.add(operation, fault)
        with pytest.raises(kind) as caught:
            create()
        again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
        assert (type(again), str(again)) == (type(caught.value), str(caught.value))
        koodrive_sandbox.faults.clear()
        assert create()["created"] is True


class TestTries:
    """Airflow 3.3 and later keep what a task notes, until its last try."""

    @pytest.mark.parametrize("if_exists", ["fail", "skip", "reuse"])
    def test_the_space_of_an_earlier_try(self, koodrive_sandbox, impatient, if_exists):
        context = {"ti": TaskInstance(), "task_state_store": Store()}
        koodrive_sandbox.faults.add("create", "drop_after_commit", times=1)
        koodrive_sandbox.faults.add("members", "drop_before_commit", times=1)
        arguments = {"if_exists": if_exists, "user_ids": koodrive_sandbox.user_ids[1:2]}
        with pytest.raises(KooDriveMembersError, match="another try adds"):
            create(context, **arguments)
        assert len(koodrive_sandbox.spaces()) == 1
        assert create(context, **arguments)["created"] is True
        # A task that somebody clears after its success.
        assert create(context, **arguments)["created"] is True
        assert len(koodrive_sandbox.spaces()) == 1

    def test_another_runs_space(self, koodrive_sandbox, koodrive_conn):
        create({"ti": TaskInstance(), "task_state_store": Store()})
        with pytest.raises(KooDriveConflictError):
            create({"ti": TaskInstance(), "task_state_store": Store()}, if_exists="fail")


class TestTemplates:
    def test_all_fields(self, koodrive_sandbox, koodrive_conn):
        operator = CreateGroupSpaceOperator(
            task_id="create",
            name="{{ params.department }}",
            user_ids=["{{ params.user }}"],
            capacity="{{ params.size }}",
            icon_url="{{ params.icon }}",
            if_exists="{{ params.mode }}",
            koodrive_conn_id="koodrive_{{ params.which }}",
        )
        params = {
            "department": "Finance",
            "user": koodrive_sandbox.user_ids[1],
            "size": 20,
            "icon": "1",
            "mode": "fail",
            "which": "default",
        }
        operator.render_template_fields({"params": params})
        assert operator.capacity == "20"
        result = operator.execute({"ti": TaskInstance()})
        assert (result["name"], result["capacity"]) == ("Finance", 20)
        (space,) = koodrive_sandbox.spaces()
        assert koodrive_sandbox.user_ids[1] in space["members"]
        assert space["iconUrl"] == "1"

    def test_members(self):
        operator = CreateGroupSpaceOperator(
            task_id="create", name="a", members=[{"userId": "{{ params.user }}", "template": 159}]
        )
        operator.render_template_fields({"params": {"user": "7"}})
        assert operator.members == [{"userId": "7", "template": 159}]

    def test_list(self):
        operator = GroupSpaceListOperator(
            task_id="list", keyword="{{ params.part }}", koodrive_conn_id="{{ params.conn }}"
        )
        operator.render_template_fields({"params": {"part": "fin", "conn": "other"}})
        assert (operator.keyword, operator.koodrive_conn_id) == ("fin", "other")
        assert operator.hook.koodrive_conn_id == "other"

    def test_fields(self):
        created = {"name", "user_ids", "members", "capacity", "icon_url", "if_exists", "koodrive_conn_id"}
        assert set(CreateGroupSpaceOperator.template_fields) == created
        assert set(GroupSpaceListOperator.template_fields) == {"keyword", "koodrive_conn_id"}

    def test_defaults(self):
        operator = CreateGroupSpaceOperator(task_id="create", name="a")
        assert (operator.if_exists, operator.koodrive_conn_id) == ("reuse", "koodrive_default")


class TestSpace:
    """A space as a mapping, which Airflow does not render."""

    def test_is_created_as_it_is(self, koodrive_sandbox, koodrive_conn):
        user = koodrive_sandbox.user_ids[1]
        space = {"name": "{{ 1 + 1 }}", "user_ids": [user], "capacity": 7}
        operator = CreateGroupSpaceOperator(task_id="create", space=space)
        operator.render_template_fields({})
        assert operator.execute({})["name"] == "{{ 1 + 1 }}"
        (stored,) = koodrive_sandbox.spaces()
        assert (stored["name"], stored["capacity"]) == ("{{ 1 + 1 }}", 7)
        assert user in stored["members"]

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            ({"space": {"name": "A"}, "capacity": 7}, "space= and capacity= are both given"),
            ({"space": {"name": "A"}, "name": "B"}, "space= and name= are both given"),
            ({"space": {"name": "A", "size": 7}}, "must be an object with name"),
            ({"space": "A"}, "must be an object with name"),
            ({"space": {}}, "must be a string, not NoneType"),
            ({}, "must be a string, not NoneType"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, koodrive_sandbox, koodrive_conn, arguments, problem):
        operator = CreateGroupSpaceOperator(task_id="create", **arguments)
        with pytest.raises(AirflowFailException, match=problem):
            operator.execute({})
        assert koodrive_sandbox.calls == []


class TestList:
    def test_result(self, koodrive_sandbox, koodrive_conn):
        for name in ("Finance", "Sales", "Research"):
            create(name=name)
        operator = GroupSpaceListOperator(task_id="list", page_size=2)
        instance = TaskInstance()
        listing = operator.execute({"ti": instance})
        assert set(listing) == LISTING
        assert [group["name"] for group in listing["groups"]] == ["Finance", "Sales", "Research"]
        assert json.loads(json.dumps(listing)) == listing
        # The spaces are in `return_value` alone.
        assert instance.xcoms == {key: listing[key] for key in LISTING - {"groups"}}

    def test_some(self, koodrive_sandbox, koodrive_conn):
        for name in ("Finance", "Sales", "Research"):
            create(name=name)
        assert len(GroupSpaceListOperator(task_id="list", max_records=2).execute({})["groups"]) == 2
        (group,) = GroupSpaceListOperator(task_id="list", keyword="sal").execute({})["groups"]
        assert group["name"] == "Sales"

    def test_none(self, koodrive_sandbox, koodrive_conn):
        assert GroupSpaceListOperator(task_id="list").execute({})["groups"] == []

    @pytest.mark.parametrize("arguments", [{"page_size": 101}, {"page_size": 0}, {"max_records": 0}])
    def test_refused_before_anything_is_sent(self, koodrive_sandbox, koodrive_conn, arguments):
        with pytest.raises(AirflowFailException, match=next(iter(arguments))):
            GroupSpaceListOperator(task_id="list", **arguments).execute({})
        assert koodrive_sandbox.calls == []

    def test_only_for_administrators(self, koodrive_sandbox, monkeypatch):
        user = koodrive_sandbox.user_ids[1]
        monkeypatch.setenv("AIRFLOW_CONN_KOODRIVE_DEFAULT", koodrive_sandbox.connection_json(user_id=user))
        with pytest.raises(AirflowFailException, match="KooDrivePermissionError"):
            GroupSpaceListOperator(task_id="list").execute({})

    def test_not_koodrive_at_the_other_end(self, monkeypatch):
        with RawServer(always(reply({"hello": "world"}, headers=[JSON]))) as server:
            connection = {"conn_type": "koodrive", "host": server.url, "password": "t0ken"}
            monkeypatch.setenv("AIRFLOW_CONN_KOODRIVE_DEFAULT", json.dumps(connection))
            with pytest.raises(KooDriveResponseError):
                GroupSpaceListOperator(task_id="list").execute({})
