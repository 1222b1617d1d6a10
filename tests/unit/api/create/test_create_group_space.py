"""Creating exactly once, on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.creation import operations, spaces_of
from support.relay import relay

from airflow_provider_koodrive.api.resources.members import NEW_MEMBER_CAPABILITIES
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveConflictError,
    KooDriveConnectionError,
    KooDriveError,
    KooDriveOutcomeUnknownError,
    KooDriveQuotaError,
    KooDriveThrottledError,
    KooDriveValidationError,
)
from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    from support.spaces import Spaces

# Committed or not, these do not tell the caller which.
UNKNOWN = {
    "drop_before_commit": {},
    "drop_after_commit": {},
    "error_500_before": {},
    "error_500_after_commit": {},
    "error_503_retry_after": {"seconds": 0.0},
    "gateway_html": {},
    "gateway_html committed": {"committed": True},
    "truncated_json": {},
    "wrong_type_json": {},
    "redirect": {},
    "error_200 committed": {"committed": True},
}


def inject(sandbox, operation: str, fault: str, times: int | None = 1, **options) -> None:
    kind, _, _ = fault.partition(" ")
    sandbox.faults.add(operation, kind, times=times, **{**UNKNOWN.get(fault, {}), **options})


class World(NamedTuple):
    """A sandbox and who calls it."""

    sandbox: Sandbox
    spaces: Spaces


@pytest.fixture(
    params=[("2025-03", "app", 0), ("2025-03", "token", 1), ("2024-07", "app", 1), ("2024-07", "token", 0)],
    ids=["new-app-admin", "new-token-user", "old-app-user", "old-token-admin"],
)
def world(request):
    """Each pair of edition, kind of authentication, and administrator or common user."""
    edition, kind, user = request.param
    with Sandbox(edition=edition, users=6) as running:
        yield World(running, spaces_of(running, edition, user, kind))


class TestNew:
    def test_result(self, world):
        members = world.sandbox.user_ids[2:4]
        result = world.spaces.create("Finance", user_ids=members, capacity=20, icon_url="1")
        (space,) = world.sandbox.spaces()
        assert result == {
            "id": space["id"],
            "containerId": space["containerId"],
            "name": "Finance",
            "capacity": 20,
            "created": True,
            "failedList": [],
        }
        assert (space["name"], space["capacity"], space["iconUrl"]) == ("Finance", 20, "1")
        assert set(members) < set(space["members"])
        assert operations(world.sandbox).count("create") == 1

    @pytest.mark.parametrize("create_id", ["group", "container", "none"])
    def test_id_is_the_groups(self, create_id):
        with Sandbox(create_id=create_id) as sandbox:
            result = spaces_of(sandbox).create("Finance")
            (space,) = sandbox.spaces()
        assert result["capacity"] == 10
        assert (result["id"], result["containerId"]) == (space["id"], space["containerId"])

    def test_members_with_permissions_of_their_own(self, sandbox):
        everything = dict.fromkeys(NEW_MEMBER_CAPABILITIES, True)
        member = {"userId": sandbox.user_ids[1], "template": -1, "capabilities": everything}
        assert spaces_of(sandbox).create("Finance", members=[member])["created"]
        assert sandbox.user_ids[1] in sandbox.spaces()[0]["members"]

    def test_members_that_fail(self, world, caplog):
        inject(world.sandbox, "create", "member_failures")
        result = world.spaces.create("Finance", user_ids=world.sandbox.user_ids[2:4])
        (failed,) = world.sandbox.user_ids[2:3]
        assert (result["created"], result["failedList"]) == (True, [failed])
        trace_id = world.sandbox.calls[-1].trace_id
        assert f"members to the group space 'Finance': {failed} (trace id {trace_id})" in caplog.text

    def test_all_calls_have_one_trace_id(self, sandbox):
        inject(sandbox, "create", "drop_after_commit")
        spaces_of(sandbox).create("Finance", user_ids=sandbox.user_ids[1:3])
        assert len({call.trace_id for call in sandbox.calls}) == 1


class TestExisting:
    def test_reuse(self, world):
        first = world.spaces.create("Finance", user_ids=world.sandbox.user_ids[2:3], capacity=20)
        second = world.spaces.create("Finance", user_ids=world.sandbox.user_ids[2:5], if_exists="reuse")
        assert second == {**first, "created": False}
        assert set(world.sandbox.user_ids[2:5]) < set(world.sandbox.spaces()[0]["members"])
        assert operations(world.sandbox).count("create") == 1

    def test_reuse_with_members_that_cannot_be_added(self, world):
        world.spaces.create("Finance")
        result = world.spaces.create(
            "Finance", user_ids=["999", world.sandbox.user_ids[2]], if_exists="reuse"
        )
        assert (result["created"], result["failedList"]) == (False, ["999"])

    def test_fail(self, world):
        space_id = world.spaces.create("Finance")["id"]
        existing = f"already owns a group space 'Finance', id {space_id}"
        with pytest.raises(KooDriveConflictError, match=existing) as caught:
            world.spaces.create("Finance")
        assert caught.value.trace_id == world.sandbox.calls[-1].trace_id
        assert operations(world.sandbox).count("create") == 1

    @pytest.mark.parametrize("existing", ["FINANCE", "\uff26inance"], ids=["case", "width"])
    def test_exists_in_another_case_or_width(self, world, existing):
        space_id = world.spaces.create(existing)["id"]
        spaces_of(world.sandbox, user=2).create("finance")
        world.sandbox.faults.add("create", "error_200", code=13000405)
        named = f"owns the group space '{existing}', id {space_id}, whose name differs from 'Finance' only in"
        with pytest.raises(KooDriveConflictError, match=named) as caught:
            world.spaces.create("Finance")
        assert f"use the name '{existing}'" in str(caught.value)
        assert str(caught.value.code) == "13000405"
        assert caught.value.trace_id == world.sandbox.calls[-1].trace_id

    def test_exists_but_no_list_shows_it(self, world, caplog):
        world.sandbox.faults.add("create", "error_200", code=13000405)
        with pytest.raises(KooDriveConflictError) as caught:
            world.spaces.create("Finance")
        assert "differs" not in str(caught.value)
        assert "cannot be looked up" not in caplog.text

    @pytest.mark.parametrize("if_exists", ["fail", "reuse"])
    def test_somebody_elses_is_not_existing(self, world, if_exists):
        other = spaces_of(world.sandbox, world.spaces.api_edition, user=2)
        other.create("Finance", user_ids=world.sandbox.user_ids[:2])
        assert world.spaces.create("Finance", if_exists=if_exists)["created"] is True
        assert len({space["ownerId"] for space in world.sandbox.spaces()}) == 2

    def test_another_size_is_a_warning(self, sandbox, caplog):
        spaces_of(sandbox).create("Finance", capacity=20)
        result = spaces_of(sandbox).create("Finance", capacity=30, if_exists="reuse")
        assert result["capacity"] == 20
        assert "has 20 GB, not 30" in caplog.text

    @pytest.mark.parametrize("if_exists", ["skip", "", None, "REUSE"])
    def test_neither(self, sandbox, if_exists):
        with pytest.raises(KooDriveValidationError, match="if_exists"):
            spaces_of(sandbox).create("Finance", if_exists=if_exists)
        assert sandbox.calls == []


class TestRefusedBeforeSending:
    @pytest.mark.parametrize(
        "arguments",
        [
            {"name": "x" * 31},
            {"name": ".."},
            {"name": "."},
            {"name": "a/b"},
            {"name": ""},
            {"name": "  "},
            {"name": None},
            {"name": "\ud800"},
            {"user_ids": [str(number) for number in range(201)]},
            {"members": [{"userId": str(number)} for number in range(201)]},
            {"user_ids": ["1"], "members": [{"userId": "1"}]},
            {"user_ids": "1"},
            {"capacity": 0},
            {"capacity": -1},
            {"capacity": 1.5},
            {"capacity": True},
            {"capacity": "0"},
            {"capacity": ""},
            {"capacity": "ten"},
            {"capacity": "1" * 30},
            {"capacity": "٣"},
            {"icon_url": "a\nb"},
            {"icon_url": 1},
        ],
    )
    def test_values(self, sandbox, arguments):
        with pytest.raises(KooDriveValidationError):
            spaces_of(sandbox).create(**{"name": "Finance", **arguments})
        assert sandbox.calls == []
        assert sandbox.spaces() == []

    @pytest.mark.parametrize(("capacity", "size"), [(1, 1), ("7", 7), (" 7 ", 7), (None, 10)])
    def test_capacity(self, sandbox, capacity, size):
        assert spaces_of(sandbox).create("Finance", capacity=capacity)["capacity"] == size


class TestUnknownOutcome:
    @pytest.mark.parametrize("fault", UNKNOWN)
    def test_settled(self, world, fault):
        inject(world.sandbox, "create", fault, 2)
        result = world.spaces.create("Finance", user_ids=world.sandbox.user_ids[2:4])
        (space,) = world.sandbox.spaces()
        assert result["id"] == space["id"]
        assert result["created"] is True
        assert result["failedList"] == []
        assert set(world.sandbox.user_ids[2:4]) < set(space["members"])
        assert (
            len([call for call in world.sandbox.calls if call.committed and call.operation == "create"]) == 1
        )

    @pytest.mark.parametrize("fault", ["hang_before_commit", "hang_after_commit", "slow_body"])
    def test_no_answer_in_time(self, sandbox, fault):
        inject(sandbox, "create", fault)
        spaces = spaces_of(sandbox, read_timeout=0.5, deadline=60.0)
        if fault == "slow_body":
            sandbox.faults.clear()
            inject(sandbox, "create", fault, seconds=50.0)
        assert spaces.create("Finance")["created"] is True
        assert len(sandbox.spaces()) == 1

    def test_members_are_completed(self, world):
        inject(world.sandbox, "create", "drop_after_commit")
        inject(world.sandbox, "create", "member_failures")
        result = world.spaces.create("Finance", user_ids=world.sandbox.user_ids[2:5])
        assert (result["created"], result["failedList"]) == (True, [])
        assert set(world.sandbox.user_ids[2:5]) < set(world.sandbox.spaces()[0]["members"])

    def test_members_that_cannot_be_completed(self, world):
        inject(world.sandbox, "create", "drop_after_commit")
        result = world.spaces.create("Finance", user_ids=["999", world.sandbox.user_ids[2]])
        assert (result["created"], result["failedList"]) == (True, ["999"])

    def test_looked_for_before_it_is_sent_again(self, sandbox):
        inject(sandbox, "create", "error_500_before", 2)
        spaces_of(sandbox).create("Finance")
        again = ["create", "teamList", "teamList"]
        assert operations(sandbox) == ["teamList", *again, *again, "create", "teamList"]

    def test_a_look_that_fails_is_repeated(self, world):
        """All attempts of the first look and some of the second fail; nothing is sent meanwhile."""

        def dim(request):
            if request.method == "POST":
                inject(world.sandbox, "teamList", "error_500_before", 7)

        inject(world.sandbox, "create", "drop_after_commit")
        with relay(world.sandbox, before=dim) as server:
            world.spaces.client.endpoint = server.url
            assert world.spaces.create("Finance")["created"] is True
        assert operations(world.sandbox).count("create") == 1

    @pytest.mark.parametrize("fault", ["drop_before_commit", "drop_after_commit"])
    def test_nothing_settles_it(self, world, fault):
        def dark(request):
            if request.method == "POST":
                inject(world.sandbox, "teamList", "error_500_before", None)

        inject(world.sandbox, "create", fault, None)
        with relay(world.sandbox, before=dark) as server:
            world.spaces.client.endpoint = server.url
            with pytest.raises(KooDriveOutcomeUnknownError) as caught:
                world.spaces.create("Finance")
        error = caught.value
        assert error.name == "Finance"
        assert error.trace_id == world.sandbox.calls[0].trace_id
        assert (error.method, error.path) == ("POST", "/koodrive/ose/v1/space/group")
        assert operations(world.sandbox).count("create") == 1
        text = str(error)
        assert "'Finance'" in text
        assert "first sent 20" in text
        assert "look for it" in text
        assert isinstance(error.__cause__, KooDriveError)

    def test_attempts_run_out(self, sandbox):
        inject(sandbox, "create", "error_500_before", None)
        with pytest.raises(KooDriveOutcomeUnknownError):
            spaces_of(sandbox, max_attempts=3).create("Finance")
        assert operations(sandbox).count("create") == 3
        assert sandbox.spaces() == []

    @pytest.mark.parametrize("later", ["expired_token", "throttle_429", "error_200"])
    def test_another_error_after_an_unknown_outcome(self, sandbox, later):
        """What answers the second try says nothing of the first."""
        options = {"throttle_429": {"seconds": 0.0}, "error_200": {"code": 13000311}}.get(later, {})
        inject(sandbox, "create", "error_500_before")
        inject(sandbox, "create", later, None, **options)
        with pytest.raises(KooDriveOutcomeUnknownError) as caught:
            spaces_of(sandbox).create("Finance")
        kinds = {
            "expired_token": KooDriveAuthenticationError,
            "throttle_429": KooDriveThrottledError,
            "error_200": KooDriveQuotaError,
        }
        assert isinstance(caught.value.__cause__, kinds[later])

    def test_session_that_ends_before_the_look(self, sandbox):
        inject(sandbox, "create", "drop_after_commit")
        spaces = spaces_of(sandbox, kind="token")

        def expire(request):
            if request.method == "POST":
                inject(sandbox, "teamList", "expired_token", None)

        with relay(sandbox, before=expire) as server:
            spaces.client.endpoint = server.url
            with pytest.raises(KooDriveOutcomeUnknownError) as caught:
                spaces.create("Finance")
        assert isinstance(caught.value.__cause__, KooDriveAuthenticationError)


class TestNotSent:
    def test_nothing_listens_for_a_moment(self, sandbox):
        """The port is closed after the first create: the next ones cannot have arrived."""
        inject(sandbox, "create", "refuse_connection", seconds=0.3)
        spaces = spaces_of(sandbox, backoff=0.1, max_attempts=20)
        assert spaces.create("Finance")["created"] is True
        assert len(sandbox.spaces()) == 1

    def test_refused_for_load(self, sandbox):
        inject(sandbox, "create", "throttle_429", 3, seconds=0.0)
        assert spaces_of(sandbox).create("Finance")["created"] is True
        # A wait has passed before each, in which a space may have come.
        assert operations(sandbox) == [*["teamList", "create"] * 4, "teamList"]

    def test_refused_for_load_for_ever(self, sandbox):
        inject(sandbox, "create", "throttle_429", None, seconds=0.0)
        with pytest.raises(KooDriveThrottledError):
            spaces_of(sandbox).create("Finance")

    def test_the_first_look_fails(self, sandbox):
        inject(sandbox, "teamList", "drop_before_commit", None)
        with pytest.raises(KooDriveConnectionError):
            spaces_of(sandbox).create("Finance")
        assert "create" not in operations(sandbox)

    def test_no_time_left_to_send(self, sandbox):
        spaces = spaces_of(sandbox, deadline=0.0)
        with pytest.raises(KooDriveConnectionError, match="deadline"):
            spaces.create("Finance")
        assert sandbox.calls == []

    @pytest.mark.parametrize(
        ("code", "kind"),
        [(13000102, KooDriveValidationError), (13000311, KooDriveQuotaError), (13009999, KooDriveError)],
    )
    def test_refusal(self, sandbox, code, kind):
        inject(sandbox, "create", "error_200", None, code=code)
        with pytest.raises(kind) as caught:
            spaces_of(sandbox).create("Finance")
        assert type(caught.value) is kind
        assert operations(sandbox).count("create") == 1
