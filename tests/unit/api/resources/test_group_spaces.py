from __future__ import annotations

import logging

import pytest
from support.clients import app_client, sandbox_client, token_client
from support.raw_server import JSON, RawServer, always, reply
from support.relay import relay
from support.spaces import Spaces

from airflow_provider_koodrive.exceptions import (
    KooDriveError,
    KooDrivePermissionError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveValidationError,
)
from airflow_provider_koodrive.sandbox.server import Sandbox

NUMBERS = ("total", "groupsTotal", "groupsMax", "assignedCapacity", "maxCapacity")


def spaces_of(sandbox, user=0, **options) -> Spaces:
    return Spaces(sandbox_client(sandbox, user_id=sandbox.user_ids[user], **options))


def calls(sandbox) -> list[str]:
    return [call.operation for call in sandbox.calls]


@pytest.fixture(scope="module", params=["2025-03", "2024-07"])
def edition(request):
    return request.param


@pytest.fixture
def sandbox(edition):
    with Sandbox(edition=edition, users=4) as running:
        yield running


@pytest.fixture(scope="module")
def twelve_spaces(edition):
    """Twelve spaces of three users; nobody changes them."""
    with Sandbox(edition=edition, users=4) as running:
        for number in range(12):
            client = sandbox_client(running, user_id=running.user_ids[number % 3])
            Spaces(client, api_edition=edition).create(f"Department {number:02}", capacity=number + 1)
        yield running


@pytest.fixture
def twelve(twelve_spaces):
    yield twelve_spaces
    twelve_spaces.faults.clear()


class TestList:
    def test_all_pages(self, twelve):
        before = len(twelve.calls)
        listing = spaces_of(twelve).list_all(page_size=5)
        assert [group["name"] for group in listing["groups"]] == [f"Department {n:02}" for n in range(12)]
        assert {name: listing[name] for name in NUMBERS} == {
            "total": 12,
            "groupsTotal": 12,
            "groupsMax": 500,
            "assignedCapacity": 78,
            "maxCapacity": 2048,
        }
        assert list(listing) == [*NUMBERS, "groups"]
        asked = twelve.calls[before:]
        assert [call.query["offset"] for call in asked] == ["0", "5", "10"]
        assert {call.query["limit"] for call in asked} == {"5"}
        assert len({call.trace_id for call in asked}) == 1

    def test_unknown_fields_stay(self, twelve):
        group = spaces_of(twelve).list_all()["groups"][0]
        assert group["bizRootFileId"]
        assert group["tenantId"]
        assert group["createTime"].endswith("Z")

    def test_none(self, sandbox):
        listing = spaces_of(sandbox).list_all()
        assert (listing["total"], listing["groups"]) == (0, [])

    @pytest.mark.parametrize(
        ("keyword", "count"), [("department 1", 2), ("06", 1), ("User 002", 4), ("none", 0)]
    )
    def test_keyword(self, twelve, keyword, count):
        listing = spaces_of(twelve).list_all(keyword=keyword)
        assert (len(listing["groups"]), listing["total"], listing["groupsTotal"]) == (count, count, 12)

    @pytest.mark.parametrize(("most", "count", "pages"), [(1, 1, 1), (5, 5, 1), (6, 6, 2), (100, 12, 3)])
    def test_max_records(self, twelve, most, count, pages):
        before = len(twelve.calls)
        assert len(spaces_of(twelve).list_all(page_size=5, max_records=most)["groups"]) == count
        assert len(twelve.calls) - before == pages

    @pytest.mark.parametrize("size", [0, 101, -1, 1.5, True, "many", None, "0", "9" * 30])
    def test_page_size(self, sandbox, size):
        with pytest.raises(KooDriveValidationError, match="page_size"):
            spaces_of(sandbox).list_all(page_size=size)
        assert sandbox.calls == []

    @pytest.mark.parametrize("most", [0, -1, 2.5, False, "x"])
    def test_max_records_that_is_no_number(self, sandbox, most):
        with pytest.raises(KooDriveValidationError, match="max_records"):
            spaces_of(sandbox).list_all(max_records=most)
        assert sandbox.calls == []

    def test_keyword_that_is_no_text(self, sandbox):
        with pytest.raises(KooDriveValidationError):
            spaces_of(sandbox).list_all(keyword="\ud800")
        assert sandbox.calls == []

    def test_only_for_administrators(self, sandbox):
        with pytest.raises(KooDrivePermissionError) as caught:
            spaces_of(sandbox, user=1).list_all()
        assert caught.value.trace_id == sandbox.calls[0].trace_id
        assert len(sandbox.calls) == 1

    def test_a_page_that_fails_for_a_moment(self, twelve):
        twelve.faults.add("groupList", "drop_before_commit", times=1)
        twelve.faults.add("groupList", "error_500_before", times=1)
        assert len(spaces_of(twelve).list_all(page_size=5)["groups"]) == 12

    def test_iterate_reads_page_by_page(self, twelve):
        before = len(twelve.calls)
        spaces = spaces_of(twelve).iterate(page_size=5)
        assert len(twelve.calls) == before
        assert next(spaces)["name"] == "Department 00"
        assert len(twelve.calls) == before + 1
        assert [space["name"] for space in spaces] == [f"Department {n:02}" for n in range(1, 12)]

    def test_ends_below_total(self, caplog):
        page = reply({"code": 0, "total": "3", "groups": [{"id": "1", "name": "a"}]}, headers=[JSON])
        with RawServer(always(page)) as server:
            listing = Spaces(token_client(server.url)).list_all()
        assert len(listing["groups"]) == 1
        (message,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert "ended after 1 of 3" in message
        assert server.requests[0].header("X-Traceid") in message

    @pytest.mark.parametrize("groups", [{}, [{"name": "a"}], [{"id": {}}], "a"])
    def test_an_answer_that_is_no_list(self, groups):
        answer = reply({"code": 0, "groups": groups}, headers=[JSON])
        unexpected = pytest.raises(KooDriveResponseError, match="unexpected groups")
        with RawServer(always(answer)) as server, unexpected as caught:
            Spaces(token_client(server.url)).list_all()
        assert caught.value.trace_id == server.requests[0].header("X-Traceid")
        assert caught.value.path == "/koodrive/ose/v1/space/groupList"

    def test_no_code_but_groups(self):
        with RawServer(always(reply({"total": 0, "groups": []}, headers=[JSON]))) as server:
            assert Spaces(token_client(server.url)).list_all()["groups"] == []


class TestFind:
    @pytest.mark.parametrize("kind", ["app", "token"])
    @pytest.mark.parametrize("user", [0, 1])
    def test_own_space(self, twelve, user, kind):
        token = twelve.issue_token(twelve.user_ids[user]) if kind == "token" else None
        spaces = Spaces(sandbox_client(twelve, user_id=twelve.user_ids[user], token=token))
        own = f"Department {user:02}"
        found = spaces.find(own)
        assert found["name"] == own
        assert found["ownerId"] == twelve.user_ids[user]
        assert spaces.find("Department") is None
        assert spaces.find("Department 02") is None
        assert spaces.find(own.lower()) is None

    def test_a_space_that_the_user_only_joined(self, sandbox, edition):
        owner = Spaces(sandbox_client(sandbox), api_edition=edition)
        owner.create("Finance", user_ids=[sandbox.user_ids[1]])
        assert spaces_of(sandbox, user=1).find("Finance") is None
        assert spaces_of(sandbox).find("Finance")["name"] == "Finance"

    @pytest.mark.parametrize("kind", ["app", "token"])
    def test_a_server_that_does_not_know_team_type(self, kind):
        """The oldest edition has no teamType, so spaces that the user only joined are listed as well."""
        team = {"id": "1", "groupName": "Finance", "ownerId": "43"}
        answers = {
            "/koodrive/ose/v1/space/teamList": reply({"code": 0, "total": 1, "teams": [team]}),
            "/koodrive/ose/v1/session/auth": reply({"code": 0, "data": {"innerUserId": 42}}),
        }
        with RawServer(lambda exchange: exchange.send(answers[exchange.request.path])) as server:
            client = token_client(server.url) if kind == "token" else app_client(server.url)
            assert Spaces(client).find("Finance") is None

    @pytest.mark.parametrize(("stored", "asked"), [("Café", "Cafe\u0301"), ("Cafe\u0301", "Café")])
    def test_composed_otherwise(self, stored, asked):
        team = {"id": "1", "name": stored}
        with RawServer(always(reply({"code": 0, "total": 1, "teams": [team]}))) as server:
            assert Spaces(token_client(server.url)).find(asked)["id"] == "1"

    def test_a_moment_of_trouble(self, twelve):
        twelve.faults.add("teamList", "gateway_html", times=2)
        assert spaces_of(twelve).find("Department 00")["name"] == "Department 00"

    @pytest.mark.parametrize("fault", ["truncated_json", "wrong_type_json", "redirect"])
    def test_trouble_that_is_not_repeated(self, twelve, fault):
        twelve.faults.add("teamList", fault)
        with pytest.raises(KooDriveResponseError):
            spaces_of(twelve).find("Department 00")


class TestWithoutNames:
    """In one edition's table the elements of teamList have no name."""

    @pytest.fixture
    def nameless(self):
        with Sandbox(users=3, team_list_names=False) as running:
            yield running

    @pytest.mark.parametrize("kind", ["app", "token"])
    def test_administrator(self, nameless, kind):
        token = nameless.issue_token() if kind == "token" else None
        mine = Spaces(sandbox_client(nameless, token=token))
        spaces_of(nameless, user=1).client.request(
            "POST", "/koodrive/ose/v1/space/group", json={"name": "Finance", "addGroupUsers": []}
        )
        assert mine.find("Finance") is None
        created = mine.create("Finance")
        assert created["created"] is True
        assert mine.find("Finance")["id"] == created["id"]
        assert mine.find("Finance")["ownerId"] == nameless.admin_user_id

    def test_somebody_else(self, nameless):
        """Neither list serves a common user, so the error says which permission is missing."""
        user = spaces_of(nameless, user=1)
        assert user.find("Finance") is None
        assert user.create("Finance")["created"] is True
        with pytest.raises(KooDrivePermissionError):
            user.find("Finance")


class TestNoListOfOnesOwn:
    """Where KooDrive refuses teamList or does not know it, an administrator's list serves as well."""

    @pytest.fixture(params=["refused", "unknown"])
    def without(self, request, twelve):
        twelve.faults.add("teamList", "error_200", code=13000410)
        if request.param == "refused":
            yield twelve, twelve.url
            return

        def rewrite(asked, body):
            return b"<html>404</html>" if asked.path.endswith("/teamList") else body

        with relay(
            twelve, rewrite=rewrite, status=lambda asked: 404 if "/teamList" in asked.path else None
        ) as server:
            yield twelve, server.url

    @pytest.mark.parametrize("kind", ["app", "token"])
    def test_administrator(self, without, kind):
        sandbox, url = without
        client = sandbox_client(sandbox, token=sandbox.issue_token() if kind == "token" else None)
        client.endpoint = url
        spaces = Spaces(client)
        assert spaces.find("Department 00")["ownerId"] == sandbox.admin_user_id
        assert spaces.find("Department 01") is None
        assert spaces.find("Department") is None

    def test_somebody_else(self, without):
        sandbox, url = without
        client = sandbox_client(sandbox, user_id=sandbox.user_ids[1])
        client.endpoint = url
        with pytest.raises(KooDrivePermissionError):
            Spaces(client).find("Department 01")

    def test_nobody_says_who_is_calling(self, without):
        sandbox, url = without
        sandbox.faults.add("sessionAuth", "error_200", code=13000309)
        client = sandbox_client(sandbox, token=sandbox.issue_token())
        client.endpoint = url
        with pytest.raises(KooDriveError) as caught:
            Spaces(client).find("Department 00")
        assert caught.value.path.endswith("/teamList")


class TestWhoIsCalling:
    """With a token, KooDrive's session says whose spaces are the caller's own."""

    def token_spaces(self, sandbox) -> Spaces:
        return Spaces(sandbox_client(sandbox, token=sandbox.issue_token()))

    def test_asked_once(self, twelve):
        spaces = self.token_spaces(twelve)
        before = len(twelve.calls)
        spaces.find("Department 00")
        spaces.find("Department 03")
        spaces.find("none")
        assert calls(twelve)[before:].count("sessionAuth") == 1

    @pytest.mark.parametrize(
        "fault", ["error_500_before", "gateway_html", "drop_before_commit", "throttle_429"]
    )
    def test_not_now(self, twelve, fault):
        """An owner that cannot be compared for the moment must not pass for the caller."""
        options = {"seconds": 0.0} if fault == "throttle_429" else {}
        twelve.faults.add("sessionAuth", fault, times=5, **options)
        spaces = self.token_spaces(twelve)
        with pytest.raises(KooDriveError):
            spaces.find("Department 00")
        assert spaces.find("Department 00")["name"] == "Department 00"

    def test_a_server_that_never_says(self, twelve, caplog):
        twelve.faults.add("sessionAuth", "error_200", code=13000309)
        spaces = self.token_spaces(twelve)
        assert spaces.find("Department 00")["name"] == "Department 00"
        assert "owners are not compared" in caplog.text

    @pytest.mark.parametrize("data", [None, [], "x", {}, {"innerUserId": None}])
    def test_a_session_without_a_user(self, twelve, data):
        def rewrite(request, body):
            return (
                reply({"code": 0, "data": data}).partition(b"\r\n\r\n")[2]
                if "session" in request.path
                else body
            )

        with relay(twelve, rewrite=rewrite) as server:
            client = token_client(server.url)
            client.auth._authorization = f"Bearer+{twelve.issue_token()}"
            assert Spaces(client).find("Department 00")["name"] == "Department 00"


class TestDismiss:
    @pytest.fixture
    def finance(self, sandbox, edition):
        spaces = Spaces(sandbox_client(sandbox), api_edition=edition)
        return spaces, spaces.create("Finance")["id"]

    def test_by_id(self, sandbox, finance):
        spaces, group_id = finance
        spaces.dismiss(group_id)
        assert spaces.find("Finance") is None
        assert sandbox.spaces() == []

    def test_outcome_unknown(self, sandbox, finance):
        spaces, group_id = finance
        sandbox.faults.add("dismiss", "error_500_after_commit", times=1)
        with pytest.raises(KooDriveServerError):
            spaces.dismiss(group_id)
        assert calls(sandbox).count("dismiss") == 1

    @pytest.mark.parametrize(
        "group_id", ["", "..", "../group", "a/b", "a?b", "%2e%2e", "\ud800", "1 2", None, 17, b"17"]
    )
    def test_what_is_no_id_is_not_sent(self, sandbox, group_id):
        with pytest.raises(KooDriveValidationError, match="not the id of a group space"):
            spaces_of(sandbox).dismiss(group_id)
        assert calls(sandbox) == []

    def test_an_id_that_feigns_a_line_of_the_log(self):
        body = b'{"code":0,"total":1,"groups":[{"id":"17\\nERROR it is gone","name":"Finance"}]}'
        with RawServer(always(reply(body, headers=[JSON]))) as server, pytest.raises(KooDriveResponseError):
            Spaces(token_client(server.url)).list_all()
