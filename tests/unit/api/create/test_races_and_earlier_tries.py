"""Creating beside others: races, duplicates, lists that lag, and what an earlier try of the task did."""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timedelta, timezone

import pytest
from support.clients import sandbox_client
from support.creation import creates, intent, operations, spaces_of, through
from support.journal import Journal, KilledError
from support.relay import relay
from support.spaces import Spaces

from airflow_provider_koodrive.api.create.journal import Intent
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveConflictError,
    KooDriveError,
    KooDriveMembersError,
    KooDriveOutcomeUnknownError,
    KooDriveQuotaError,
    KooDriveServerError,
    KooDriveThrottledError,
)
from airflow_provider_koodrive.sandbox.server import Sandbox

UNKNOWN_CODE = 13007777


class MortalJournal(Journal):
    """A worker dies after KooDrive has created the space and before that is noted."""

    died = False

    def note(self, intent):
        if intent["space_id"] is not None and not self.died:
            self.died = True
            raise KilledError
        super().note(intent)


def create_directly(sandbox) -> None:
    body = {"name": "Finance", "addGroupUsers": []}
    sandbox_client(sandbox).request("POST", "/koodrive/ose/v1/space/group", json=body)


def create_first(sandbox):
    """Another client of the same user creates the space between the look and the create."""

    def before(request):
        if request.method == "POST" and request.path.endswith("/space/group") and not sandbox.spaces():
            spaces_of(sandbox).create("Finance", user_ids=sandbox.user_ids[1:2])

    return before


def unknown_codes(_request, body):
    """The documents name no code for a name that exists."""
    return body.replace(b"13000405", str(UNKNOWN_CODE).encode())


@pytest.fixture(params=[None, unknown_codes], ids=["known code", "unknown code"])
def codes(request):
    return {"rewrite": request.param} if request.param else {}


class TestRace:
    def test_reuse(self, sandbox, codes):
        with relay(sandbox, before=create_first(sandbox), **codes) as server:
            result = through(server, sandbox).create(
                "Finance", user_ids=sandbox.user_ids[2:3], if_exists="reuse"
            )
        assert result["created"] is False
        assert set(sandbox.user_ids[1:3]) < set(sandbox.spaces()[0]["members"])
        assert creates(sandbox) == [True, False]

    def test_fail(self, sandbox, codes):
        existing = pytest.raises(KooDriveConflictError, match="already owns a group space 'Finance'")
        with relay(sandbox, before=create_first(sandbox), **codes) as server, existing:
            through(server, sandbox).create("Finance")
        assert creates(sandbox) == [True, False]

    @pytest.mark.parametrize("if_exists", ["reuse", "fail"])
    def test_a_task_with_a_journal_knows_that_it_was_another(self, sandbox, if_exists):
        journal = Journal()
        with relay(sandbox, before=create_first(sandbox)) as server:
            spaces = through(server, sandbox)
            for _ in range(2):
                try:
                    created = spaces.create("Finance", if_exists=if_exists, journal=journal)["created"]
                except KooDriveConflictError:
                    created = None
                assert created is {"reuse": False, "fail": None}[if_exists]

    def test_lists_lag(self, sandbox):
        """KooDrive refuses the name but does not list the other's space yet."""

        def before(request):
            if request.method == "POST" and not sandbox.spaces():
                sandbox.faults.add("create", "stale_list", times=1, seconds=0.4)
                create_directly(sandbox)

        with relay(sandbox, before=before) as server:
            spaces = through(server, sandbox, backoff=0.2, max_attempts=20)
            assert spaces.create("Finance", if_exists="reuse")["created"] is False
        assert creates(sandbox) == [True, False]

    def test_lists_lag_for_ever(self, sandbox):
        sandbox.faults.add("create", "stale_list", times=1, seconds=1000)
        create_directly(sandbox)
        for if_exists in ("reuse", "fail"):
            with pytest.raises(KooDriveConflictError):
                spaces_of(sandbox).create("Finance", if_exists=if_exists)
        assert creates(sandbox) == [True, False, False]


class TestDuplicateOfOurOwn:
    """A refusal of the name after an unknown outcome means that the first create arrived."""

    def test_the_lists_lag(self, sandbox, codes):
        """For longer than the attempts of a create take."""
        sandbox.faults.add("create", "stale_list", times=1, seconds=1.0)
        sandbox.faults.add("create", "drop_after_commit", times=1)
        with relay(sandbox, **codes) as server:
            spaces = through(server, sandbox, backoff=0.01, max_attempts=2)
            result = spaces.create("Finance", user_ids=sandbox.user_ids[1:3])
        assert result["created"] is True
        assert result["id"] == sandbox.spaces()[0]["id"]
        assert creates(sandbox)[0] is True
        assert len(sandbox.spaces()) == 1
        assert creates(sandbox).count(False) <= 1

    def test_the_lists_lag_for_ever(self, sandbox, codes):
        sandbox.faults.add("create", "stale_list", times=1, seconds=1000)
        sandbox.faults.add("create", "drop_after_commit", times=1)
        with relay(sandbox, **codes) as server, pytest.raises(KooDriveOutcomeUnknownError) as caught:
            through(server, sandbox, deadline=1.0).create("Finance")
        assert caught.value.name == "Finance"
        assert creates(sandbox).count(True) == 1


class TestListsThatLag:
    def test_for_a_moment(self, sandbox):
        sandbox.faults.add("create", "stale_list", times=1, seconds=0.3)
        result = spaces_of(sandbox, backoff=0.1, max_attempts=20).create("Finance")
        assert (result["created"], result["containerId"]) == (True, sandbox.spaces()[0]["containerId"])
        assert creates(sandbox) == [True]

    def test_for_ever(self, sandbox, caplog):
        sandbox.faults.add("create", "stale_list", times=1, seconds=1000)
        result = spaces_of(sandbox).create("Finance", capacity=20)
        assert (result["id"], result["containerId"]) == (sandbox.spaces()[0]["id"], None)
        assert (result["created"], result["capacity"]) == (True, 20)
        assert "containerId cannot be looked up" in caplog.text

    def test_a_look_that_fails(self, sandbox):
        def before(request):
            if request.method == "POST":
                sandbox.faults.add("teamList", "error_500_before")

        with relay(sandbox, before=before) as server:
            result = through(server, sandbox).create("Finance")
        assert (result["id"], result["containerId"]) == (sandbox.spaces()[0]["id"], None)

    @pytest.mark.parametrize("create_id", ["container", "none"])
    def test_for_ever_where_the_answer_has_no_group_id(self, create_id):
        with Sandbox(create_id=create_id) as sandbox:
            sandbox.faults.add("create", "stale_list", times=1, seconds=1000)
            journal = Journal()
            with pytest.raises(KooDriveOutcomeUnknownError, match="its lists do not show it yet") as caught:
                spaces_of(sandbox, deadline=1.0).create("Finance", journal=journal)
            assert len(caught.value.trace_id) == 58
            assert creates(sandbox) == [True]
            sandbox.show_everything()
            assert spaces_of(sandbox).create("Finance", journal=journal)["created"] is True


class TestWhatAnEarlierTrySent:
    """With ``if_exists="fail"`` only the task's own space is used."""

    def create(self, sandbox, noted, **options):
        journal = Journal()
        journal.noted = noted
        return spaces_of(sandbox, **options).create("Finance", journal=journal)

    @pytest.mark.parametrize("if_exists", ["fail", "reuse"])
    @pytest.mark.parametrize("fault", [None, "drop_after_commit"])
    def test_died_before_the_result_was_noted(self, sandbox, fault, if_exists):
        if fault:
            sandbox.faults.add("create", fault, times=1)
        journal = MortalJournal()
        with pytest.raises(KilledError):
            spaces_of(sandbox).create("Finance", if_exists=if_exists, journal=journal)
        assert journal.noted["space_id"] is None
        result = spaces_of(sandbox).create("Finance", if_exists=if_exists, journal=journal)
        assert result["created"] is True
        assert creates(sandbox) == [True]

    def test_known_by_its_id(self, sandbox):
        space_id = spaces_of(sandbox).create("Finance")["id"]
        assert self.create(sandbox, intent(sent=-900, settled=-800, space_id=space_id))["created"] is True
        with pytest.raises(KooDriveConflictError):
            self.create(sandbox, intent(space_id="17"))

    def test_known_by_its_time(self, sandbox):
        spaces_of(sandbox).create("Finance")
        assert self.create(sandbox, intent())["created"] is True

    def test_made_by_another_run(self, sandbox):
        spaces_of(sandbox).create("Finance")
        with pytest.raises(KooDriveConflictError):
            self.create(sandbox, intent(sent=-900, settled=-800))

    def test_made_before_it_was_sent(self, sandbox):
        """The look before showed nothing, so that clocks differ."""
        spaces_of(sandbox).create("Finance")
        with pytest.raises(KooDriveOutcomeUnknownError, match="or from another"):
            self.create(sandbox, intent(sent=800, settled=900))

    @pytest.mark.parametrize("noted", [{}, {"name": "Finance"}, {**intent(), "new": 1}])
    def test_a_note_of_another_version(self, sandbox, noted):
        """The provider was replaced between two tries, and what it notes has changed."""
        assert self.create(sandbox, noted)["created"] is True

    def test_another_name(self, sandbox):
        spaces_of(sandbox).create("Finance")
        with pytest.raises(KooDriveConflictError):
            self.create(sandbox, intent("Sales"))

    @pytest.mark.parametrize(
        "created", [None, "", "yesterday", 1715305582000, {}, "P1Y", "99999-01-01T00:00:00Z"]
    )
    def test_no_time_to_go_by(self, sandbox, created):
        spaces_of(sandbox).create("Finance")

        def rewrite(request, body):
            listing = json.loads(body)
            for team in listing.get("teams", ()):
                team["createTime"] = created
            return json.dumps(listing).encode()

        journal = Journal()
        journal.noted = intent_noted = intent()
        with relay(sandbox, rewrite=rewrite) as server, pytest.raises(KooDriveOutcomeUnknownError):
            through(server, sandbox).create("Finance", journal=journal)
        assert journal.noted == intent_noted

    def test_the_clock_of_this_machine_is_wrong(self, sandbox):
        """Times are noted by KooDrive's clock, from the Date of its responses."""
        sandbox.faults.add("*", "clock_skew", seconds=-600)
        spaces = spaces_of(sandbox)
        journal = Journal()
        token = sandbox.issue_token()
        spaces = Spaces(sandbox_client(sandbox, token=token))
        spaces.create("Finance", journal=journal)
        noted = Intent(**journal.history[0])
        behind = datetime.now(timezone.utc) - timedelta(seconds=600)
        assert abs((datetime.fromisoformat(noted.sent_at) - behind).total_seconds()) < 60


class TestARefusalWhileAnEarlierTryIsOpen:
    """The earlier try's create may have arrived, so the space is looked for."""

    @pytest.fixture
    def hidden(self, sandbox):
        """The space of an earlier try, which the lists do not show yet."""
        sandbox.faults.add("create", "stale_list", times=1, seconds=1000)
        create_directly(sandbox)
        return Journal(intent())

    def test_until_the_lists_show_it(self, sandbox, hidden, codes):
        """With more looks than there are attempts, since the refusal may mean that it exists."""
        looks = itertools.count()

        def before(request):
            if request.method == "GET" and next(looks) == 6:
                sandbox.show_everything()

        with relay(sandbox, before=before, **codes) as server:
            created = through(server, sandbox, max_attempts=2).create("Finance", journal=hidden)
        assert created["created"] is True
        assert creates(sandbox) == [True, False]

    def test_a_look_that_is_refused_for_good_ends_it(self, sandbox, hidden):
        def before(request):
            if request.method == "POST":
                sandbox.faults.add("teamList", "expired_token")

        with relay(sandbox, before=before) as server, pytest.raises(KooDriveOutcomeUnknownError) as caught:
            through(server, sandbox).create("Finance", journal=hidden)
        assert isinstance(caught.value.__cause__, KooDriveConflictError)
        assert operations(sandbox) == ["create", "teamList", "create", "teamList"]

    def test_a_refusal_that_means_something_else(self, sandbox, hidden):
        """It is not looked for, and what became of the earlier try stays open."""
        sandbox.faults.add("create", "error_200", code=13000311)
        with pytest.raises(KooDriveOutcomeUnknownError) as caught:
            spaces_of(sandbox).create("Finance", journal=hidden)
        assert isinstance(caught.value.__cause__, KooDriveQuotaError)
        assert operations(sandbox) == ["create", "teamList", "create"]


@pytest.mark.parametrize("lost", [False, True], ids=["known", "lost"])
def test_looks_end_with_the_attempts_without_both_reasons(sandbox, lost):
    """Until the deadline they go on only after an unknown outcome and a refusal that may mean "exists"."""
    if lost:
        sandbox.faults.add("create", "drop_before_commit", times=1)
        sandbox.faults.add("create", "error_200", code=13000311)
    else:
        sandbox.faults.add("create", "stale_list", times=1, seconds=1000)
        create_directly(sandbox)
    before = len(sandbox.calls)
    kind = KooDriveOutcomeUnknownError if lost else KooDriveConflictError
    with pytest.raises(kind):
        spaces_of(sandbox, max_attempts=3).create("Finance", if_exists="reuse")
    sent = ["create", "teamList", "teamList"] if lost else []
    # After "exists already", one more for a name in another case or width.
    alike = [] if lost else ["teamList"]
    assert operations(sandbox)[before:] == ["teamList", *sent, "create", *["teamList"] * 3, *alike]


class TestTheLogSaysHowTheSpaceCame:
    @pytest.fixture(autouse=True)
    def info(self, caplog):
        caplog.set_level("INFO")

    def test_created(self, sandbox, caplog):
        spaces_of(sandbox).create("Finance")
        assert "Group space 'Finance' created" in caplog.text

    def test_reused(self, sandbox, caplog):
        create_directly(sandbox)
        spaces_of(sandbox).create("Finance", if_exists="reuse")
        assert "Group space 'Finance' reused" in caplog.text

    @pytest.mark.parametrize("known", [False, True], ids=["by its time", "by its id"])
    def test_taken_back(self, sandbox, caplog, known):
        create_directly(sandbox)
        noted = intent(space_id=sandbox.spaces()[0]["id"] if known else None)
        assert spaces_of(sandbox).create("Finance", journal=Journal(noted))["created"] is True
        assert "Group space 'Finance' taken back from an earlier try" in caplog.text
        assert "'Finance' created" not in caplog.text


class TestJournal:
    def test_noted_before_it_is_sent_and_after(self, sandbox):
        journal, seen = Journal(), []

        def before(request):
            if request.method == "POST":
                seen.append(journal.noted)

        with relay(sandbox, before=before) as server:
            result = through(server, sandbox).create("Finance", journal=journal)
        (noted,) = seen
        assert (noted["name"], noted["space_id"]) == ("Finance", None)
        assert noted["trace_id"] == sandbox.calls[0].trace_id
        assert noted["sent_at"] < noted["settled_by"]
        assert journal.noted == {**journal.noted, "name": "Finance", "space_id": result["id"]}
        assert len(journal.history) == 2

    def test_a_space_that_was_reused_is_not_noted(self, sandbox):
        spaces_of(sandbox).create("Finance")
        journal = Journal()
        for _ in range(2):
            assert (
                spaces_of(sandbox).create("Finance", if_exists="reuse", journal=journal)["created"] is False
            )
        assert journal.history == []

    def test_noted_before_members_are_completed(self, sandbox):
        journal = Journal()
        sandbox.faults.add("create", "drop_after_commit", times=1)
        sandbox.faults.add("members", "error_500_before")
        with pytest.raises(KooDriveMembersError, match="adds the members that the space lacks") as caught:
            spaces_of(sandbox).create("Finance", user_ids=sandbox.user_ids[1:2], journal=journal)
        assert (caught.value.failed, caught.value.http_status) == (sandbox.user_ids[1:2], 500)
        assert isinstance(caught.value.__cause__, KooDriveServerError)
        assert journal.noted["space_id"] == sandbox.spaces()[0]["id"]
        sandbox.faults.clear()
        result = spaces_of(sandbox).create("Finance", user_ids=sandbox.user_ids[1:2], journal=journal)
        assert (result["created"], result["failedList"]) == (True, [])

    @pytest.mark.parametrize(
        ("fault", "options", "kind"),
        [
            ("error_200", {"code": 13000311}, KooDriveError),
            ("expired_token", {}, KooDriveAuthenticationError),
            ("throttle_429", {"seconds": 0.0}, KooDriveThrottledError),
        ],
    )
    def test_refused(self, sandbox, fault, options, kind):
        """Nothing came of it, so nothing is noted, but for what an earlier try may have done."""
        sandbox.faults.add("create", fault, **options)
        journal = Journal()
        with pytest.raises(kind):
            spaces_of(sandbox).create("Finance", journal=journal)
        assert journal.noted is None
        journal.noted = earlier = intent(sent=-30)
        with pytest.raises(KooDriveOutcomeUnknownError) as caught:
            spaces_of(sandbox).create("Finance", journal=journal)
        assert isinstance(caught.value.__cause__, kind)
        assert journal.noted == earlier

    def test_unknown(self, sandbox):
        journal = Journal()
        sandbox.faults.add("create", "drop_before_commit")
        with pytest.raises(KooDriveOutcomeUnknownError):
            spaces_of(sandbox).create("Finance", journal=journal)
        assert journal.noted["space_id"] is None
        sent = [datetime.fromisoformat(noted["sent_at"]) for noted in journal.history]
        assert max(sent) - min(sent) < timedelta(seconds=1.5)

    def test_an_earlier_create_that_arrives_late(self, sandbox):
        """Two tries send; it is the first one's space that the lists show in the end."""
        journal = Journal()
        sandbox.faults.add("create", "stale_list", times=1, seconds=1000)
        sandbox.faults.add("create", "drop_after_commit", times=1)
        for _ in range(2):
            with pytest.raises(KooDriveOutcomeUnknownError):
                spaces_of(sandbox, max_attempts=2, deadline=1.0).create("Finance", journal=journal)
        sandbox.show_everything()
        # Only what is older than the last listing's Date, which is cut to a second, was certainly there.
        sandbox.age(1)
        assert spaces_of(sandbox).create("Finance", journal=journal)["created"] is True

    def test_a_space_that_was_dismissed_is_made_anew(self, sandbox):
        journal = Journal()
        journal.noted = intent(sent=-900, settled=-800, space_id="17")
        result = spaces_of(sandbox).create("Finance", journal=journal)
        assert result["created"] is True
        assert journal.noted["space_id"] == result["id"]
        assert journal.noted["sent_at"] > intent(sent=-100)["sent_at"]
