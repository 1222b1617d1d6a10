"""Spaces that have appeared meanwhile: one that is not what was asked for is never ours."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from support.clients import sandbox_client
from support.creation import creates, operations, spaces_of
from support.journal import Journal, KilledError
from support.relay import relay

from airflow_provider_koodrive.api.endpoints import CREATE_GROUP_SPACE
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveConflictError,
    KooDriveError,
    KooDriveMembersError,
    KooDriveOutcomeUnknownError,
)
from airflow_provider_koodrive.sandbox.server import Sandbox


def died_before_it_was_sent(sandbox, **arguments) -> Journal:
    journal = Journal(dies_after=1)
    with pytest.raises(KilledError):
        spaces_of(sandbox).create("Finance", journal=journal, **arguments)
    assert creates(sandbox) == []
    return journal


class TestAfterAWorkersDeath:
    """Another run creates the name at once, within the seconds in which a create of ours may have arrived."""

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ({"capacity": 10}, {"capacity": 50}),
            ({"user_ids": 1}, {"user_ids": 2}),
            ({}, {"user_ids": 2}),
        ],
        ids=["another size", "other members", "members"],
    )
    def test_another_space_is_not_ours(self, sandbox, ours, theirs):
        def named(arguments):
            users = arguments.get("user_ids")
            return {**arguments, **({"user_ids": sandbox.user_ids[users : users + 1]} if users else {})}

        journal = died_before_it_was_sent(sandbox, **named(ours))
        spaces_of(sandbox).create("Finance", **named(theirs))
        members = sandbox.spaces()[0]["members"]
        with pytest.raises(KooDriveOutcomeUnknownError, match="or from another"):
            spaces_of(sandbox).create("Finance", journal=journal, **named(ours))
        assert sandbox.spaces()[0]["members"] == members
        assert journal.noted["space_id"] is None
        assert creates(sandbox) == [True]

    def test_our_own_is_taken_back(self, sandbox):
        wanted = {"capacity": 20, "user_ids": sandbox.user_ids[1:4]}
        journal = Journal(dies_after=2)
        with pytest.raises(KilledError):
            spaces_of(sandbox).create("Finance", journal=journal, **wanted)
        journal.noted["space_id"] = None  # as if it had died before the answer
        assert spaces_of(sandbox).create("Finance", journal=journal, **wanted)["created"] is True

    def test_our_own_with_a_member_that_failed(self, sandbox):
        wanted = ["999", sandbox.user_ids[1]]
        sandbox.faults.add("create", "member_failures", times=1, count=2)
        journal = Journal(dies_after=2)
        with pytest.raises(KilledError):
            spaces_of(sandbox).create("Finance", journal=journal, user_ids=wanted)
        journal.noted["space_id"] = None
        result = spaces_of(sandbox).create("Finance", journal=journal, user_ids=wanted)
        assert (result["created"], result["failedList"]) == (True, ["999"])

    def test_members_that_are_not_known(self, sandbox):
        """The time decides if the members are refused; if they do not come, nothing does."""
        journal = Journal(dies_after=2)
        with pytest.raises(KilledError):
            spaces_of(sandbox).create("Finance", journal=journal)
        journal.noted["space_id"] = None
        sandbox.faults.add("members", "error_500_before")
        with pytest.raises(KooDriveOutcomeUnknownError):
            spaces_of(sandbox).create("Finance", journal=journal)
        taken = spaces_of(sandbox).create("Finance", journal=Journal(journal.noted), if_exists="reuse")
        assert taken["id"] == sandbox.spaces()[0]["id"]
        sandbox.faults.clear()
        sandbox.faults.add("members", "error_200", code=13000410)
        assert spaces_of(sandbox).create("Finance", journal=journal)["created"] is True

    @pytest.mark.parametrize("create_id", ["group", "container"])
    def test_known_by_the_id_that_was_answered(self, create_id):
        """The answer's id is noted before anything else is asked, be it the group's or the container's."""

        def timeless(_request, body):
            listing = json.loads(body)
            for team in listing.get("teams", ()):
                team["createTime"] = None
            return json.dumps(listing).encode()

        with Sandbox(create_id=create_id) as sandbox:
            journal = Journal(dies_after=2)
            with pytest.raises(KilledError):
                spaces_of(sandbox).create("Finance", journal=journal)
            assert operations(sandbox)[-1] == "create"
            with relay(sandbox, rewrite=timeless) as server:
                spaces = spaces_of(sandbox)
                spaces.client.endpoint = server.url
                assert spaces.create("Finance", journal=journal)["created"] is True


class TestWithinOneTry:
    def test_what_comes_while_a_refusal_for_load_is_waited_out(self, sandbox):
        sandbox.faults.add("create", "throttle_429", times=1, seconds=0.0)

        def before(request):
            if request.method == "GET" and creates(sandbox) == [False]:
                spaces_of(sandbox).create("Finance", capacity=50)

        journal = Journal()
        with relay(sandbox, before=before) as server:
            spaces = spaces_of(sandbox)
            spaces.client.endpoint = server.url
            with pytest.raises(KooDriveConflictError):
                spaces.create("Finance", journal=journal)
        assert creates(sandbox) == [False, True]
        assert journal.noted is None

    def test_another_size_after_an_unknown_outcome(self, sandbox):
        """It came between the look and the create."""

        def before(request):
            if request.method == "POST" and not sandbox.spaces():
                spaces_of(sandbox).create("Finance", capacity=50)
                sandbox.faults.add("create", "drop_before_commit", times=1)

        with relay(sandbox, before=before) as server:
            spaces = spaces_of(sandbox)
            spaces.client.endpoint = server.url
            with pytest.raises(KooDriveOutcomeUnknownError, match="or from another"):
                spaces.create("Finance", capacity=10)

    def test_an_older_space_with_other_members_that_lists_show_late(self, sandbox):
        """The look before has not shown it, but its time and its members tell."""
        theirs = [{"userId": sandbox.user_ids[2], "template": 7}]
        sandbox.faults.add("create", "stale_list", times=1, seconds=1000)
        sandbox_client(sandbox).request(
            "POST", CREATE_GROUP_SPACE.path, json={"name": "Finance", "addGroupUsers": theirs}
        )
        sandbox.age(100)
        sandbox.faults.add("create", "drop_before_commit", times=1)

        def before(request):
            if request.method == "POST" and creates(sandbox)[1:]:
                sandbox.show_everything()

        with relay(sandbox, before=before) as server:
            spaces = spaces_of(sandbox)
            spaces.client.endpoint = server.url
            with pytest.raises(KooDriveOutcomeUnknownError, match="or from another"):
                spaces.create("Finance", user_ids=sandbox.user_ids[1:2])
        assert sandbox.user_ids[1] not in sandbox.spaces()[0]["members"]

    @pytest.mark.parametrize("looks", [1, None])
    def test_a_refusal_is_raised_also_if_the_look_after_it_fails(self, sandbox, looks):
        sandbox.faults.add("create", "error_200", code=13007777)

        def before(request):
            if request.method == "POST":
                sandbox.faults.add("teamList", "error_500_before", times=looks)

        with relay(sandbox, before=before) as server:
            spaces = spaces_of(sandbox, max_attempts=3)
            spaces.client.endpoint = server.url
            with pytest.raises(KooDriveError) as caught:
                spaces.create("Finance")
        assert caught.value.code == 13007777
        assert creates(sandbox) == [False]

    def test_lists_that_count_a_new_space_before_they_show_it(self):
        def hide(listing):
            if hidden:
                hidden.pop()
                listing.update(teams=[])
            return listing

        def rewrite(request, body):
            counts = request.method == "GET" and "teamList" in request.path and creates(sandbox)[1:]
            return json.dumps(hide(json.loads(body))).encode() if counts else body

        with Sandbox(create_id="container") as sandbox:
            # Each look asks twice where the first list lacks records.
            hidden = [True] * 4
            sandbox.faults.add("create", "drop_before_commit", times=1)
            with relay(sandbox, rewrite=rewrite) as server:
                spaces = spaces_of(sandbox)
                spaces.client.endpoint = server.url
                result = spaces.create("Finance")
            assert (result["created"], result["id"]) == (True, sandbox.spaces()[0]["id"])
            assert hidden == []

    def test_nothing_is_noted_while_a_refusal_for_load_is_waited_out(self, sandbox):
        sandbox.faults.add("create", "throttle_429", times=1, seconds=0.0)
        journal, noted = Journal(), []

        def before(request):
            if request.method == "GET":
                noted.append(journal.noted)

        with relay(sandbox, before=before) as server:
            spaces = spaces_of(sandbox)
            spaces.client.endpoint = server.url
            spaces.create("Finance", journal=journal)
        assert noted[:2] == [None, None]


def test_our_own_stays_ours_where_a_retry_loses_its_answer():
    """The earlier try has noted the id, the next one sends again since lists lag, and nothing comes of it."""
    with Sandbox(create_id="container") as sandbox:
        sandbox.faults.add("create", "stale_list", times=1, seconds=1000)
        journal = Journal()
        with pytest.raises(KooDriveOutcomeUnknownError):
            spaces_of(sandbox, deadline=0.5).create("Finance", journal=journal)
        assert journal.noted["space_id"] == sandbox.spaces()[0]["containerId"]
        # Half a minute passes.
        sandbox.age(30)
        for name in ("sent_at", "ours_until"):
            earlier = datetime.fromisoformat(journal.noted[name]) - timedelta(seconds=30)
            journal.noted[name] = earlier.isoformat()
        sandbox.faults.add("create", "drop_before_commit")
        with pytest.raises(KooDriveOutcomeUnknownError):
            spaces_of(sandbox, max_attempts=2).create("Finance", journal=journal)
        sandbox.show_everything()
        assert spaces_of(sandbox).create("Finance", journal=journal)["created"] is True


class TestMembersThatCannotBeCompleted:
    """The space is there, and the error keeps its kind where that decides on another try."""

    @pytest.fixture
    def create(self, sandbox):
        sandbox.faults.add("create", "drop_after_commit", times=1)
        return lambda: spaces_of(sandbox, max_attempts=2).create("Finance", user_ids=sandbox.user_ids[1:2])

    def test_credentials(self, sandbox, create):
        sandbox.faults.add("members", "expired_token")
        with pytest.raises(KooDriveAuthenticationError, match="exists, but it is not known") as caught:
            create()
        assert caught.value.http_status == 401
        assert sandbox.spaces()[0]["id"] in str(caught.value)

    def test_load(self, sandbox, create):
        sandbox.faults.add("members", "throttle_429", seconds=120)
        with pytest.raises(KooDriveMembersError, match="exists, but it is not known") as caught:
            create()
        assert (caught.value.http_status, caught.value.retry_after) == (429, 120.0)
        assert caught.value.failed == sandbox.user_ids[1:2]
