"""What a create takes for its own, and when it may be sent again: lists that hide, old spaces, old notes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from support.clients import sandbox_client
from support.creation import created_at, creates, intent, own_spaces, seconds_from_now, through
from support.journal import Journal, KilledError
from support.relay import relay
from support.spaces import Spaces

from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveConflictError,
    KooDriveError,
    KooDriveOutcomeUnknownError,
    KooDriveQuotaError,
)


class TestListsThatLackRecords:
    """A create is sent again only after a look that was complete and found nothing."""

    @pytest.mark.parametrize("fault", ["error_500_before", "drop_after_commit"])
    @pytest.mark.parametrize("teams", [[], None], ids=["empty", "null"])
    def test_nothing_is_sent_again(self, sandbox, fault, teams):
        sandbox.faults.add("create", fault)
        hide = own_spaces(lambda listing, _request: listing.update(teams=teams, total=3))
        with relay(sandbox, rewrite=hide) as server, pytest.raises(KooDriveOutcomeUnknownError):
            through(server, sandbox).create("Finance")
        assert len(creates(sandbox)) == 1

    def test_nothing_is_sent_where_an_earlier_try_is_open(self, sandbox):
        hide = own_spaces(lambda listing, _request: listing.update(teams=[], total=3))
        with relay(sandbox, rewrite=hide) as server, pytest.raises(KooDriveOutcomeUnknownError) as caught:
            through(server, sandbox).create("Finance", journal=Journal(intent()))
        assert "lack group spaces" in str(caught.value.__cause__)
        assert len(creates(sandbox)) == 0

    def test_a_first_create_is_sent(self, sandbox):
        hide = own_spaces(lambda listing, _request: listing.update(total=listing["total"] + 3))
        with relay(sandbox, rewrite=hide) as server:
            assert through(server, sandbox).create("Finance")["created"] is True

    def test_a_total_that_does_not_mind_the_keyword(self, sandbox):
        Spaces(sandbox_client(sandbox)).create("Sales")
        sandbox.faults.add("create", "error_500_before", times=1)

        def count_all(listing, request):
            if "keyWord" in request.target:
                listing["total"] = 1

        with relay(sandbox, rewrite=own_spaces(count_all)) as server:
            assert through(server, sandbox).create("Finance")["created"] is True
        assert len(creates(sandbox)) == 3


class TestAnOlderSpaceThatListsShowLate:
    @pytest.fixture
    def late(self, sandbox):
        """Another run's space, which the lists count but do not show before the create has failed."""
        Spaces(sandbox_client(sandbox)).create("Finance")
        sandbox.faults.add("create", "error_500_before")

        def change(listing, _request):
            if len(creates(sandbox)) < 2:
                listing.update(teams=[], total=1)
            for team in listing["teams"]:
                team["createTime"] = "2020-05-10T01:46:22.000Z"

        with relay(sandbox, rewrite=own_spaces(change)) as server:
            yield through(server, sandbox)

    def test_fail(self, late):
        journal = Journal()
        for _ in range(2):
            with pytest.raises(KooDriveOutcomeUnknownError, match="created at 2020-05-10T01:46:22"):
                late.create("Finance", journal=journal)
            assert journal.noted["space_id"] is None

    def test_reuse(self, late):
        assert late.create("Finance", if_exists="reuse")["created"] is False


class TestACreationTimeThatMakesNoSense:
    """Within one call a space that was not there, and is there after the create, is ours."""

    @pytest.mark.parametrize(
        "created",
        [
            None,
            "2024-05-10T01:46:22.000Z",
            seconds_from_now(-8 * 3600),
            seconds_from_now(8 * 3600),
            1715305582,
        ],
        ids=["none", "constant", "behind", "ahead", "a number"],
    )
    def test_the_space_is_ours(self, sandbox, created):
        sandbox.faults.add("create", "drop_after_commit", times=1)

        with relay(sandbox, rewrite=created_at(created)) as server:
            assert through(server, sandbox).create("Finance")["created"] is True
        assert len(creates(sandbox)) == 1


class TestAClockThatIsWrongForOneAnswer:
    @pytest.mark.parametrize("skew", [-600, 600])
    @pytest.mark.parametrize("call", [1, 2], ids=["the look before", "the create"])
    def test_the_space_is_known(self, sandbox, skew, call):
        """A load balancer's Date may be wrong; the space that an attempt has created is ours all the same."""
        sandbox.faults.add("create", "error_500_after_commit", times=1)
        if call == 1:
            sandbox.faults.add("teamList", "clock_skew", seconds=skew, times=1)
        else:
            sandbox.faults.add("create", "clock_skew", seconds=skew, times=1)
        auth = sandbox_client(sandbox, token=sandbox.issue_token())
        assert Spaces(auth).create("Finance")["created"] is True


def long_ago(noted):
    """An hour, as far as a note goes."""
    hour = timedelta(hours=1)
    times = {name: noted[name] for name in ("sent_at", "ours_until", "settled_by")}
    return {
        **noted,
        **{name: (datetime.fromisoformat(time) - hour).isoformat() for name, time in times.items()},
    }


class TestTheNextTry:
    """A space that appeared after the end of a try is not that try's."""

    def test_by_the_time_of_the_end(self, sandbox):
        journal = Journal()
        sandbox.faults.add("create", "drop_before_commit", times=1)
        client = sandbox_client(sandbox, max_attempts=1)
        with pytest.raises(KooDriveOutcomeUnknownError):
            Spaces(client).create("Finance", journal=journal)
        Spaces(sandbox_client(sandbox)).create("Finance")
        appeared = datetime.now(timezone.utc)

        with relay(sandbox, rewrite=created_at(lambda: appeared.isoformat())) as server:
            journal.noted = noted = long_ago(journal.noted)
            until = datetime.fromisoformat(noted["ours_until"])
            for after, outcome in (
                (-30, KooDriveOutcomeUnknownError),
                (5, KooDriveOutcomeUnknownError),
                (600, KooDriveConflictError),
                (8 * 60 * 60, KooDriveOutcomeUnknownError),
            ):
                appeared = until + timedelta(seconds=after)
                with pytest.raises(outcome):
                    through(server, sandbox).create("Finance", journal=journal)
                assert journal.noted == noted
            # Before that, the two cannot be told apart.
            appeared = until - timedelta(milliseconds=1)
            assert through(server, sandbox).create("Finance", journal=journal)["created"] is True

    def test_a_space_that_another_run_creates_at_once_is_not_ours(self, sandbox):
        """The try has looked after its create failed, so what comes a moment later need not be its own."""
        journal = Journal()
        sandbox.faults.add("create", "drop_before_commit", times=1)
        with pytest.raises(KooDriveOutcomeUnknownError):
            Spaces(sandbox_client(sandbox, max_attempts=1)).create("Finance", journal=journal)
        Spaces(sandbox_client(sandbox)).create("Finance")
        with pytest.raises(KooDriveOutcomeUnknownError, match="or from another"):
            Spaces(sandbox_client(sandbox)).create("Finance", journal=journal)
        assert len(sandbox.spaces()) == 1

    def test_a_space_that_comes_long_after_a_try_without_a_look_is_not_ours(self, sandbox):
        """Its end says nothing of when its create arrived, if at all."""
        sandbox.faults.add("create", "drop_before_commit", times=1)

        def dark(request):
            if request.method == "POST":
                sandbox.faults.add("teamList", "error_500_before")

        journal = Journal()
        with relay(sandbox, before=dark) as server, pytest.raises(KooDriveOutcomeUnknownError) as caught:
            through(server, sandbox).create("Finance", journal=journal)
        assert "HTTP status 500" in str(caught.value)
        sandbox.faults.clear()
        until, sent = (datetime.fromisoformat(journal.noted[name]) for name in ("ours_until", "sent_at"))
        assert until - sent < timedelta(seconds=20)

    def test_a_space_created_before_the_end_is_ours_though_lists_lag(self, sandbox):
        journal = Journal()
        sandbox.faults.add("create", "stale_list", times=1, seconds=1000)
        sandbox.faults.add("create", "drop_after_commit", times=1)
        with pytest.raises(KooDriveOutcomeUnknownError):
            Spaces(sandbox_client(sandbox, max_attempts=1)).create("Finance", journal=journal)
        # The last listing's Date is cut to a second, so that only what is older was certainly there.
        sandbox.show_everything()
        sandbox.age(1)
        assert Spaces(sandbox_client(sandbox)).create("Finance", journal=journal)["created"] is True

    @pytest.mark.parametrize(("after", "ours"), [(1, True), (30, False)])
    def test_by_the_time_of_sending_where_the_worker_died(self, sandbox, after, ours):
        """A create takes seconds, so what appears later may be another run's."""
        journal = Journal(dies_after=1)
        with pytest.raises(KilledError):
            Spaces(sandbox_client(sandbox)).create("Finance", journal=journal)
        Spaces(sandbox_client(sandbox)).create("Finance")
        journal = Journal(long_ago(journal.noted))
        appeared = datetime.fromisoformat(journal.noted["sent_at"]) + timedelta(seconds=after)

        with relay(sandbox, rewrite=created_at(lambda: appeared.isoformat())) as server:
            next_try = through(server, sandbox)
            if ours:
                assert next_try.create("Finance", journal=journal)["created"] is True
            else:
                with pytest.raises(KooDriveOutcomeUnknownError, match="or from another; check it"):
                    next_try.create("Finance", journal=journal)
                assert next_try.create("Finance", journal=journal, if_exists="reuse")["created"] is False

    def test_a_store_that_fails_at_the_end_hides_nothing(self, sandbox, caplog):
        class Failing(Journal):
            def note(self, intent):
                if self.noted is not None:
                    raise RuntimeError("the store is gone")
                super().note(intent)

        sandbox.faults.add("create", "drop_before_commit")
        with pytest.raises(KooDriveOutcomeUnknownError):
            Spaces(sandbox_client(sandbox, max_attempts=1)).create("Finance", journal=Failing())
        assert "cannot be noted" in caplog.text

    @pytest.mark.parametrize("fault", ["error_500_before", "wrong_type_json"])
    def test_a_look_that_fails_settles_nothing(self, sandbox, fault):
        sandbox.faults.add("teamList", fault)
        journal = Journal(intent())
        noted = dict(journal.noted)
        with pytest.raises(KooDriveOutcomeUnknownError) as caught:
            Spaces(sandbox_client(sandbox)).create("Finance", journal=journal)
        assert isinstance(caught.value.__cause__, KooDriveError)
        assert str(caught.value.__cause__.args[0]) in str(caught.value)
        # The create's, by which KooDrive's support finds it.
        assert caught.value.trace_id == noted["trace_id"]
        assert journal.noted == noted
        assert len(creates(sandbox)) == 0

    def test_credentials_that_are_refused_meanwhile(self, sandbox):
        """No other try can change them, so they are raised as they are; the note stays."""
        sandbox.faults.add("teamList", "expired_token")
        journal = Journal(intent())
        noted = dict(journal.noted)
        with pytest.raises(KooDriveAuthenticationError, match=r"'Finance', first sent 20.*, is open"):
            Spaces(sandbox_client(sandbox)).create("Finance", journal=journal)
        assert journal.noted == noted
        assert len(creates(sandbox)) == 0

    def test_an_earlier_create_that_cannot_arrive_any_more_is_forgotten(self, sandbox):
        sandbox.faults.add("create", "error_200", code=13000311)
        past = {name: seconds_from_now(-100) for name in ("sent_at", "ours_until", "settled_by")}
        journal = Journal(intent(**past))
        with pytest.raises(KooDriveQuotaError):
            Spaces(sandbox_client(sandbox)).create("Finance", journal=journal)
        assert journal.noted is None

    def test_a_time_out_of_days_is_no_window_of_days(self, sandbox):
        journal = Journal()
        sandbox.faults.add("create", "hang_before_commit", seconds=0.1, times=1)
        spaces = Spaces(sandbox_client(sandbox, read_timeout=1e12, deadline=1e12))
        spaces.create("Finance", journal=journal)
        settled = datetime.fromisoformat(journal.noted["settled_by"])
        assert settled < datetime.now(timezone.utc) + timedelta(days=2)


class TestNotes:
    @pytest.mark.parametrize(
        "changes", [{"sent_at": 5}, {"settled_by": "x"}, {"sent_at": None}, {"sent_at": "P1Y"}, {"name": 7}]
    )
    def test_one_that_makes_no_sense_is_not_read(self, sandbox, changes):
        result = Spaces(sandbox_client(sandbox)).create("Finance", journal=Journal(intent(**changes)))
        assert result["created"] is True

    @pytest.mark.parametrize("created", ["P" + "9" * 400 + "Y", "9" * 400, "\x00", 10**30, [], "now\n"])
    def test_times_that_make_no_sense(self, sandbox, created):
        Spaces(sandbox_client(sandbox)).create("Finance")

        with (
            relay(sandbox, rewrite=created_at(created)) as server,
            pytest.raises(KooDriveOutcomeUnknownError),
        ):
            through(server, sandbox).create("Finance", journal=Journal(intent()))
