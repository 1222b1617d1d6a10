from __future__ import annotations

from collections import UserDict, UserList

import pytest
from support.clients import sandbox_client
from support.relay import relay
from support.spaces import Spaces

from airflow_provider_koodrive.api.resources.members import (
    NEW_MEMBER_CAPABILITIES,
    add_missing,
    members_to_be,
)
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveValidationError,
)
from airflow_provider_koodrive.sandbox.server import Sandbox

EVERYTHING = dict.fromkeys(NEW_MEMBER_CAPABILITIES, True)


def to_be(user_ids=None, members=None, *, edition="2025-03", template=None):
    return members_to_be(user_ids, members, api_edition=edition, permission_template=template)


def json_of(members, **options):
    return [member.to_json(**options) for member in members]


class TestMembersToBe:
    def test_what_the_console_gives(self):
        (member,) = json_of(to_be(["7"]))
        assert member == {"userId": "7", "template": -1, "capabilities": NEW_MEMBER_CAPABILITIES}
        assert [name for name, granted in NEW_MEMBER_CAPABILITIES.items() if not granted] == [
            "deletePermission"
        ]

    def test_template_of_the_connection(self):
        assert json_of(to_be(["7"], template=159)) == [{"userId": "7", "template": 159}]
        assert json_of(to_be(members=[{"userId": "7"}], template=159)) == [{"userId": "7", "template": 159}]

    @pytest.mark.parametrize("nobody", [None, [], ()])
    def test_nobody(self, nobody):
        assert to_be(nobody) == []

    @pytest.mark.parametrize("ids", [["7", 7, " 7 "], ("7",), UserList(["7", "7"])])
    def test_each_once(self, ids):
        assert [member.user_id for member in to_be(ids)] == ["7"]

    def test_two_hundred(self):
        assert len(to_be([str(number) for number in range(200)])) == 200

    @pytest.mark.parametrize("edition", ["2025-03", "2024-07"])
    def test_two_hundred_and_one(self, edition):
        with pytest.raises(KooDriveValidationError, match=r"201 members are too many.*at most 200"):
            to_be([str(number) for number in range(201)], edition=edition)

    def test_two_hundred_and_one_of_whom_one_twice(self):
        assert len(to_be([*map(str, range(200)), "0"])) == 200

    def test_both(self):
        with pytest.raises(KooDriveValidationError, match="both user_ids and members"):
            to_be(["7"], [{"userId": "8"}])
        with pytest.raises(KooDriveValidationError, match="both user_ids and members"):
            to_be([], [])

    @pytest.mark.parametrize("ids", ["7", b"7", 7, {"7"}, {"7": 1}, iter("7"), "['7']"])
    def test_no_list(self, ids):
        with pytest.raises(KooDriveValidationError, match="user_ids must be a list"):
            to_be(ids)

    @pytest.mark.parametrize("user_id", ["", " ", None, True, 1.5, [], {}, "a\nb", "\ud800", b"7"])
    def test_no_user_id(self, user_id):
        with pytest.raises(KooDriveValidationError, match="user id"):
            to_be([user_id])

    @pytest.mark.parametrize(
        ("entry", "sent"),
        [
            ({"userId": 7}, {"userId": "7", "template": -1, "capabilities": NEW_MEMBER_CAPABILITIES}),
            ({"userId": "7", "template": "159"}, {"userId": "7", "template": 159}),
            ({"userId": "7", "template": 159, "capabilities": None}, {"userId": "7", "template": 159}),
            (
                {"userId": "7", "template": -1, "capabilities": EVERYTHING},
                {"userId": "7", "template": -1, "capabilities": EVERYTHING},
            ),
            (
                UserDict({"userId": "7", "template": "-1", "capabilities": UserDict(EVERYTHING)}),
                {"userId": "7", "template": -1, "capabilities": EVERYTHING},
            ),
        ],
    )
    def test_permissions_of_their_own(self, entry, sent):
        assert json_of(to_be(members=[entry])) == [sent]

    @pytest.mark.parametrize(
        ("entry", "problem"),
        [
            ("7", "not an object"),
            (None, "not an object"),
            ({}, "not an object"),
            ({"user_id": "7"}, "not an object"),
            ({"userId": "7", "role": 1, "a": 2}, "unknown fields: 'a', 'role'"),
            ({"userId": "", "template": 1}, "user id"),
            ({"userId": "7", "template": "x"}, "template 'x' is not"),
            ({"userId": "7", "template": True}, "template True is not"),
            ({"userId": "7", "template": 1.0}, "template 1.0 is not"),
            ({"userId": "7", "template": None}, "template None is not"),
            ({"userId": "7", "template": "9" * 5000}, "is not"),
            ({"userId": "7", "template": 159, "capabilities": EVERYTHING}, "go with template -1 only"),
            ({"userId": "7", "capabilities": {}}, "must be true or false for each of: addChildNode"),
            ({"userId": "7", "capabilities": {**EVERYTHING, "viewPermission": 1}}, "each of: viewPermission"),
            ({"userId": "7", "capabilities": []}, "must be true or false"),
        ],
    )
    def test_malformed(self, entry, problem):
        with pytest.raises(KooDriveValidationError, match=problem):
            to_be(members=[entry])

    def test_the_old_edition_knows_no_permissions(self):
        with pytest.raises(KooDriveValidationError, match="pass user_ids"):
            to_be(members=[{"userId": "7", "template": 5}], edition="2024-07")

    def test_the_old_edition_takes_members_that_are_ids_alone(self):
        assert [member.user_id for member in to_be(members=[{"userId": "7"}], edition="2024-07")] == ["7"]

    def test_long_ids_of_the_batch_calls(self):
        ids = ["1505084218764547200", "opaque"]
        assert [member["userId"] for member in json_of(to_be(ids), long_id=True)] == [int(ids[0]), "opaque"]
        assert [member["userId"] for member in json_of(to_be(ids))] == ids


@pytest.fixture(params=["2025-03", "2024-07"])
def edition(request):
    return request.param


class Finance:
    """A space, to which a test adds members."""

    def __init__(self, sandbox, edition, user=0):
        self.sandbox, self.edition = sandbox, edition
        self.client = sandbox_client(sandbox, user_id=sandbox.user_ids[user])
        self.id = Spaces(self.client, api_edition=edition).create("Finance")["id"]

    def add(self, *user_ids, client=None, attempts=None):
        client = client or self.client
        client.max_attempts = attempts or client.max_attempts
        return add_missing(
            client,
            self.id,
            to_be(user_ids, edition=self.edition),
            api_edition=self.edition,
            context=client.new_context(),
        )

    @property
    def members(self):
        return self.sandbox.spaces()[0]["members"]

    @property
    def calls(self):
        return [call.operation for call in self.sandbox.calls if call.operation in ("members", "batchAdd")]


@pytest.fixture
def sandbox(edition):
    with Sandbox(edition=edition, users=250) as running:
        yield running


@pytest.fixture
def finance(sandbox, edition):
    return Finance(sandbox, edition)


class TestAddMissing:
    def test_nobody(self, finance):
        assert finance.add() == []
        assert finance.calls == []

    def test_some(self, finance, sandbox):
        assert finance.add(*sandbox.user_ids[1:4]) == []
        assert sorted(finance.members) == sandbox.user_ids[:4]
        assert finance.add(*sandbox.user_ids[2:6]) == []
        assert sorted(finance.members) == sandbox.user_ids[:6]
        assert finance.add(*sandbox.user_ids[:6]) == []
        assert finance.calls == ["members", "batchAdd", "members", "batchAdd", "members"]

    def test_more_than_a_page(self, finance, sandbox):
        assert finance.add(*sandbox.user_ids[1:151]) == []
        assert finance.add(*sandbox.user_ids[1:201]) == []
        assert len(finance.members) == 201

    def test_a_member_that_owns_the_space(self, finance, sandbox):
        assert finance.add(sandbox.user_ids[0]) == []
        assert finance.calls == ["members"]

    def test_users_that_do_not_exist(self, finance, sandbox):
        assert finance.add("999", sandbox.user_ids[1], "998") == ["999", "998"]
        assert sorted(finance.members) == sandbox.user_ids[:2]

    def test_failed_list(self, finance, sandbox):
        sandbox.faults.add("batchAdd", "member_failures", times=1, count=2)
        assert finance.add(*sandbox.user_ids[1:4]) == sandbox.user_ids[1:3]

    @pytest.mark.parametrize(
        "fault",
        [
            "error_500_after_commit",
            "drop_after_commit",
            "truncated_json",
            "wrong_type_json",
            "error_500_before",
            "drop_before_commit",
            "gateway_html",
            "redirect",
        ],
    )
    def test_none_is_sent_twice(self, finance, sandbox, fault):
        sandbox.faults.add("batchAdd", fault, times=1)
        assert finance.add(*sandbox.user_ids[1:4]) == []
        assert sorted(finance.members) == sandbox.user_ids[:4]
        committed = [call for call in sandbox.calls if call.operation == "batchAdd" and call.committed]
        assert len(committed) == 1

    def test_trouble_that_does_not_end(self, finance, sandbox):
        sandbox.faults.add("batchAdd", "error_500_before")
        with pytest.raises(KooDriveServerError):
            finance.add(sandbox.user_ids[1], attempts=3)
        assert finance.calls.count("batchAdd") == 3

    def test_refused_for_all(self, finance, sandbox, caplog):
        sandbox.faults.add("batchAdd", "error_200", code=13000102)
        assert finance.add(*sandbox.user_ids[1:3]) == sandbox.user_ids[1:3]
        assert "adds none of 2 members" in caplog.text
        assert finance.calls.count("batchAdd") == 3

    def test_one_for_whom_all_are_refused(self, finance, sandbox):
        """KooDrive may refuse a batch as a whole; the others are added all the same."""
        bad = sandbox.user_ids[3]

        def before(request):
            if request.path.endswith("/batchAdd") and bad.encode() in request.body:
                sandbox.faults.add("batchAdd", "error_200", code=13000309, times=1)

        with relay(sandbox, before=before) as server:
            client = sandbox_client(sandbox)
            client.endpoint = server.url
            assert finance.add(*sandbox.user_ids[1:6], client=client) == [bad]
        assert sorted(finance.members) == sorted({*sandbox.user_ids[:6]} - {bad})

    @pytest.mark.parametrize(("unknown", "calls"), [(0, 1), (1, 17), (4, 55), (200, 64)])
    def test_refused_batches_are_halved_with_a_bound(self, finance, sandbox, unknown, calls):
        """Four unknown users among 200 are found; if KooDrive refuses everybody, the halving ends."""
        wanted = sandbox.user_ids[1:201]
        bad = wanted[:: 200 // unknown] if unknown else []

        def before(request):
            if request.path.endswith("/batchAdd") and any(user.encode() in request.body for user in bad):
                sandbox.faults.add("batchAdd", "error_200", code=13000309, times=1)

        with relay(sandbox, before=before) as server:
            client = sandbox_client(sandbox)
            client.endpoint = server.url
            failed = finance.add(*wanted, client=client)
        assert sorted(failed) == sorted(bad)
        assert finance.calls.count("batchAdd") <= calls
        assert {*finance.members} == {sandbox.user_ids[0], *wanted} - {*bad}

    def test_token_that_ends_on_the_way(self, finance, sandbox):
        sandbox.faults.add("batchAdd", "expired_token")
        with pytest.raises(KooDriveAuthenticationError):
            finance.add(sandbox.user_ids[1])

    def test_members_that_the_user_may_not_see(self, finance, sandbox, caplog):
        stranger = sandbox_client(sandbox, user_id=sandbox.user_ids[1])
        assert finance.add(sandbox.user_ids[1], client=stranger) == [sandbox.user_ids[1]]
        assert "KooDrive does not list the members" in caplog.text
        assert "batchAdd" not in finance.calls

    def test_no_such_space(self, finance, sandbox):
        finance.id = "17"
        with pytest.raises(KooDriveError, match="13000309"):
            finance.add(sandbox.user_ids[1])

    @pytest.mark.parametrize("status", [1, "2"])
    def test_some_failed_and_nobody_says_who(self, finance, sandbox, status):
        """The list of members decides if ``status`` says that some failed and ``failedList`` is empty."""
        sandbox.faults.add("batchAdd", "member_failures", times=1, count=1)

        def rewrite(request, body):
            return b'{"code":0,"status":%s}' % str(status).encode() if "batchAdd" in request.path else body

        with relay(sandbox, rewrite=rewrite) as server:
            client = sandbox_client(sandbox)
            client.endpoint = server.url
            assert finance.add(*sandbox.user_ids[1:4], client=client) == sandbox.user_ids[1:2]

    @pytest.mark.parametrize("body", [b'{"code":0,"failedList":[{}]}', b'{"code":0,"failedList":"7"}'])
    def test_a_failed_list_that_is_none(self, finance, sandbox, body):
        def rewrite(request, answer):
            return body if "batchAdd" in request.path and len(server.requests) < 3 else answer

        with relay(sandbox, rewrite=rewrite) as server:
            client = sandbox_client(sandbox)
            client.endpoint = server.url
            assert finance.add(*sandbox.user_ids[1:4], client=client) == []
        assert sorted(finance.members) == sandbox.user_ids[:4]

    def test_members_that_are_no_list(self, finance, sandbox):
        with relay(
            sandbox, rewrite=lambda _request, _body: b'{"code":0,"userGroupMemberInfos":[{}]}'
        ) as server:
            client = sandbox_client(sandbox)
            client.endpoint = server.url
            with pytest.raises(KooDriveResponseError, match="unexpected userGroupMemberInfos") as caught:
                finance.add(sandbox.user_ids[1], client=client, attempts=1)
        assert caught.value.trace_id == server.requests[0].header("X-Traceid")

    def test_one_trace_id(self, finance, sandbox):
        finance.add(*sandbox.user_ids[1:4])
        calls = [call for call in sandbox.calls if call.operation in ("members", "batchAdd")]
        assert len({call.trace_id for call in calls}) == 1
