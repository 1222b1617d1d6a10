"""Group spaces: create, list, look up and dismiss them, and the rules of each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from sandbox_calls import Caller, refusal

from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
CAPABILITIES = dict.fromkeys(
    [
        "addChildNodePermission",
        "copyPermission",
        "deletePermission",
        "downloadPermission",
        "editPermission",
        "listChildNodePermission",
        "removeChildNodePermission",
        "renameFilePermission",
        "shareFilePermission",
        "uploadPermission",
        "viewPermission",
    ],
    True,
)


class TestCreate:
    def test_stores_the_space_with_its_creator(self, user: Caller, koodrive_sandbox: Sandbox) -> None:
        answer = user.create("Finance", capacity=20, iconUrl="1").json()
        (space,) = koodrive_sandbox.spaces()
        assert answer == {"code": 0, "msg": "success", "failedList": [], "id": space["id"]}
        assert space["name"] == "Finance"
        assert space["ownerId"] == user.user_id
        assert space["members"] == [user.user_id]
        assert (space["capacity"], space["iconUrl"]) == (20, "1")
        assert int(space["id"]) > 2**53
        assert space["containerId"] != space["id"]
        assert koodrive_sandbox.calls[-1].committed

    def test_defaults_to_ten_gigabytes(self, user: Caller, koodrive_sandbox: Sandbox) -> None:
        user.create("Finance", capacity=None, iconUrl=None)
        assert koodrive_sandbox.spaces()[0]["capacity"] == 10

    @pytest.mark.parametrize("form", ["addGroupUsers", "userIds"])
    def test_adds_members_in_either_form(self, user: Caller, koodrive_sandbox: Sandbox, form: str) -> None:
        known = koodrive_sandbox.user_ids[3:5]
        wanted = [*known, "42", user.user_id]
        body: dict[str, Any] = {"name": "Finance", "userIds": wanted}
        if form == "addGroupUsers":
            permission = {"template": -1, "capabilities": CAPABILITIES}
            body = {"name": "Finance", form: [{"userId": wanted[0], "template": 1590626552448551681}]}
            body[form] += [{"userId": user_id, **permission} for user_id in wanted[1:]]
        answer = user.send("POST", "/space/group", body)
        assert answer.json()["failedList"] == ["42"]
        assert koodrive_sandbox.spaces()[0]["members"] == [user.user_id, *known]

    @pytest.mark.parametrize(
        "name",
        ["x" * 30, FAMILY * 30, "e\N{COMBINING ACUTE ACCENT}" * 30, "...", "Human Resources", "研发部"],
    )
    def test_accepts_the_name(self, user: Caller, koodrive_sandbox: Sandbox, name: str) -> None:
        assert user.create(name).status_code == 200
        assert koodrive_sandbox.spaces()[0]["name"] == name

    @pytest.mark.parametrize(
        "name",
        [
            "x" * 31,
            FAMILY * 31,
            "",
            " ",
            "\u3000",
            ".",
            "..",
            "\ud800",
            7,
            None,
            *(f"a{c}b" for c in '<>|:"*?/\\'),
        ],
    )
    def test_refuses_the_name(self, user: Caller, koodrive_sandbox: Sandbox, name: Any) -> None:
        assert refusal(user.create(name)) == (400, 13000102)
        assert koodrive_sandbox.spaces() == []

    @pytest.mark.parametrize(
        "body",
        [
            {"capacity": 0},
            {"capacity": -1},
            {"capacity": 1.5},
            {"capacity": "20"},
            {"capacity": True},
            {"iconUrl": 1},
            {"addGroupUsers": "42"},
            {"addGroupUsers": ["42"]},
            {"addGroupUsers": [{"template": -1}]},
            {"addGroupUsers": [{"userId": True, "template": -1}]},
            {"addGroupUsers": [{"userId": "42"}]},
            {"addGroupUsers": [{"userId": "42", "template": "-1"}]},
            {"addGroupUsers": [{"userId": "42", "template": 1, "capabilities": CAPABILITIES}]},
            {"addGroupUsers": [{"userId": "42", "template": -1, "capabilities": {"copyPermission": True}}]},
            {
                "addGroupUsers": [
                    {"userId": "42", "template": -1, "capabilities": {**CAPABILITIES, "copyPermission": 1}}
                ]
            },
            {"addGroupUsers": None},
            {"addGroupUsers": None, "userIds": [42]},
            {"userIds": []},
            {"addGroupUsers": [{"userId": str(number), "template": -1} for number in range(201)]},
        ],
        ids=lambda body: str(body)[:70],
    )
    def test_refuses_the_body(self, user: Caller, koodrive_sandbox: Sandbox, body: dict[str, Any]) -> None:
        assert refusal(user.create("Finance", **body)) == (400, 13000102)
        assert koodrive_sandbox.spaces() == []

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
    def test_refuses_a_body_that_is_not_a_json_object(self, user: Caller, body: bytes) -> None:
        url = f"{user.sandbox.url}/koodrive/ose/v1/space/group"
        assert refusal(user.session.post(url, data=body, timeout=10)) == (400, 13000102)

    def test_accepts_200_members(self, tmp_path: Path) -> None:
        with Sandbox(users=201) as sandbox:
            members = [{"userId": user_id, "template": -1} for user_id in sandbox.user_ids[1:]]
            answer = Caller(sandbox).create("Finance", addGroupUsers=members)
            assert answer.json()["failedList"] == []
            assert len(sandbox.spaces()[0]["members"]) == 201

    def test_refuses_a_second_space_of_the_same_creator_and_name(self, user: Caller, other: Caller) -> None:
        assert user.create("Finance").status_code == 200
        assert refusal(user.create("Finance")) == (400, 13000405)
        assert not user.sandbox.calls[-1].committed
        assert user.create("finance").status_code == 200
        assert other.create("Finance").status_code == 200

    def test_at_once_with_one_name_makes_one_space(self, koodrive_sandbox: Sandbox) -> None:
        callers = [Caller(koodrive_sandbox, koodrive_sandbox.user_ids[1]) for _ in range(12)]
        with ThreadPoolExecutor(len(callers)) as pool:
            answers = list(pool.map(lambda caller: caller.create("Finance"), callers))
        assert sorted(answer.status_code for answer in answers) == [200] + [400] * 11
        assert len(koodrive_sandbox.spaces()) == 1

    def test_stops_at_the_limits_of_the_enterprise(self) -> None:
        with Sandbox(groups_max=2, max_capacity=30) as sandbox:
            admin = Caller(sandbox)
            assert refusal(admin.create("a", capacity=31)) == (400, 13000311)
            assert admin.create("a", capacity=20).status_code == 200
            assert refusal(admin.create("b", capacity=11)) == (400, 13000311)
            assert admin.create("b", capacity=1).status_code == 200
            assert refusal(admin.create("c", capacity=1)) == (400, 13000311)
            listing = admin.list()
            assert (listing["groupsTotal"], listing["groupsMax"]) == (2, 2)
            assert (listing["assignedCapacity"], listing["maxCapacity"]) == (21, 30)
            admin.send("DELETE", f"/space/group/{listing['groups'][0]['id']}")
            assert refusal(admin.create("d", capacity=30)) == (400, 13000311)
            assert admin.create("d", capacity=29).status_code == 200


class TestGroupList:
    def test_is_for_administrators(self, user: Caller) -> None:
        answer = user.send("GET", "/space/groupList", query={"offset": 0, "limit": 10})
        assert refusal(answer) == (400, 13000410)

    def test_shows_all_spaces_in_order(self, admin: Caller, user: Caller) -> None:
        for name in "cab":
            (user if name == "a" else admin).create(name)
        assert admin.names() == ["c", "a", "b"]
        assert [admin.names(offset=n, limit=2) for n in (0, 1, 2, 3)] == [["c", "a"], ["a", "b"], ["b"], []]

    def test_has_every_field(self, admin: Caller, koodrive_sandbox: Sandbox) -> None:
        admin.create("Finance", iconUrl="1")
        listing = admin.list()
        (space,) = koodrive_sandbox.spaces()
        (element,) = listing.pop("groups")
        assert listing == {
            "code": 0,
            "msg": "success",
            "total": 1,
            "groupsTotal": 1,
            "groupsMax": 500,
            "assignedCapacity": 10,
            "maxCapacity": 2048,
        }
        assert set(element) == {
            "id", "groupName", "status", "capacity", "spaceUsed", "containerId", "userNum", "ownerId",
            "ownerName", "tenantId", "creator", "modifier", "createTime", "updateTime", "bizRootFileId",
            "bizSboxFileId", "iconUrl",
        }  # fmt: skip
        assert (element["id"], element["containerId"]) == (space["id"], space["containerId"])
        assert (element["ownerName"], element["userNum"]) == ("Tenant Administrator", 1)

    def test_searches_names_and_owners_in_any_case(self, admin: Caller, user: Caller) -> None:
        admin.create("ÉCOLE")
        admin.create("100%")
        user.create("Finance")
        assert admin.names(keyWord="école") == ["ÉCOLE"]
        assert admin.names(keyWord="%") == ["100%"]
        assert admin.names(keyWord="USER 002") == ["Finance"]
        assert admin.list(keyWord="finance", limit=1, offset=1)["total"] == 1

    @pytest.mark.parametrize(
        "query",
        [
            {},
            {"offset": 0},
            {"limit": 10},
            {"offset": -1, "limit": 10},
            {"offset": "x", "limit": 10},
            {"offset": "1.0", "limit": 10},
            {"offset": "9" * 30, "limit": 10},
            {"offset": 0, "limit": 0},
            {"offset": 0, "limit": 101},
            {"offset": 0, "limit": "\N{FULLWIDTH DIGIT FIVE}"},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("which", ["groupList", "teamList"])
    def test_refuses_the_page(self, admin: Caller, which: str, query: dict[str, Any]) -> None:
        assert refusal(admin.send("GET", f"/space/{which}", query=query)) == (400, 13000102)


class TestTeamList:
    def test_shows_the_callers_own_and_joined_spaces(
        self, user: Caller, other: Caller, admin: Caller
    ) -> None:
        user.create("own")
        other.create("joined", addGroupUsers=[{"userId": user.user_id, "template": -1}])
        admin.create("foreign")
        assert user.names("teamList", teamType=1) == ["own"]
        assert user.names("teamList", teamType=2) == ["joined"]
        assert user.names("teamList") == ["own", "joined"]
        assert user.names("teamList", teamType=0) == []
        assert user.names("teamList", keyWord="OWN") == ["own"]
        roles = {team["groupName"]: team["role"] for team in user.list("teamList")["teams"]}
        assert roles == {"own": 0, "joined": 2}

    def test_refuses_another_type(self, user: Caller) -> None:
        answer = user.send("GET", "/space/teamList", query={"offset": 0, "limit": 10, "teamType": 3})
        assert refusal(answer) == (400, 13000102)


class TestQuerySpace:
    @pytest.fixture
    def space(self, user: Caller) -> dict[str, Any]:
        user.create("Finance")
        return user.sandbox.spaces()[0]

    @pytest.fixture(params=["group", "container"])
    def ask(self, request: pytest.FixtureRequest, space: dict[str, Any]) -> Callable[[Caller], Any]:
        if request.param == "group":
            return lambda caller: caller.send("GET", f"/space/{space['id']}", query={"type": 2})
        return lambda caller: caller.send("GET", f"/space/container/{space['containerId']}")

    def test_is_for_members_and_administrators(
        self, ask: Callable[[Caller], Any], space: dict[str, Any], user: Caller, admin: Caller, other: Caller
    ) -> None:
        for caller in (user, admin):
            data = ask(caller).json()["data"]
            assert (data["ownerId"], data["containerId"]) == (space["id"], space["containerId"])
            assert (data["type"], data["capacity"], data["creator"]) == ("2", "10", user.user_id)
        assert refusal(ask(other)) == (400, 13000410)

    def test_finds_group_spaces_only(self, user: Caller, space: dict[str, Any]) -> None:
        assert refusal(user.send("GET", f"/space/{space['id']}", query={"type": 0})) == (400, 13000102)
        assert refusal(user.send("GET", "/space/42", query={"type": 2})) == (400, 13000309)
        assert refusal(user.send("GET", "/space/container/42")) == (400, 13000309)


class TestDismiss:
    def test_is_for_owners_and_administrators(
        self, admin: Caller, user: Caller, other: Caller, koodrive_sandbox: Sandbox
    ) -> None:
        for name in "ab":
            user.create(name, addGroupUsers=[{"userId": other.user_id, "template": -1}])
        first, second = (space["id"] for space in koodrive_sandbox.spaces())
        assert refusal(other.send("DELETE", f"/space/group/{first}")) == (400, 13000410)
        assert user.send("DELETE", f"/space/group/{first}").json() == {"code": 0, "msg": "success"}
        assert admin.send("DELETE", f"/space/group/{second}").status_code == 200
        assert koodrive_sandbox.spaces() == []
        assert refusal(admin.send("DELETE", f"/space/group/{second}")) == (400, 13000309)
        assert [call.committed for call in koodrive_sandbox.calls[-4:]] == [False, True, True, False]

    def test_frees_the_name_but_not_the_id(self, user: Caller, koodrive_sandbox: Sandbox) -> None:
        gone = user.create("Finance").json()["id"]
        user.send("DELETE", f"/space/group/{gone}")
        assert user.create("Finance").json()["id"] != gone


class TestResponseFormat:
    def test_2024_07_writes_strings(self) -> None:
        with Sandbox(edition="2024-07") as sandbox:
            admin = Caller(sandbox)
            answer = admin.send("POST", "/space/group", {"name": "Finance", "userIds": []}).json()
            assert (answer["code"], answer["msg"]) == ("0", "OK")
            assert admin.send("POST", "/space/group", {"name": "Sales"}).json()["code"] == "0"
            assert refusal(admin.create("Finance")) == (400, "13000405")
            listing = admin.list(keyWord="Finance")
            assert (listing["total"], listing["maxCapacity"], listing["groupsMax"]) == ("1", "2048", 500)
            assert listing["groups"][0]["name"] == "Finance"
            assert "groupName" not in listing["groups"][0]
            assert admin.list("teamList")["total"] == "2"

    @pytest.mark.parametrize("edition", ["2025-03", "2024-07"])
    def test_may_leave_out_the_names_of_teams(self, edition: Any) -> None:
        with Sandbox(edition=edition, team_list_names=False) as sandbox:
            admin = Caller(sandbox)
            admin.create("Finance")
            (team,) = admin.list("teamList")["teams"]
            assert not {"name", "groupName"} & set(team)

    @pytest.mark.parametrize(("create_id", "field"), [("group", "id"), ("container", "containerId")])
    def test_may_answer_a_create_with_another_id(self, create_id: Any, field: str) -> None:
        with Sandbox(create_id=create_id) as sandbox:
            assert Caller(sandbox).create("Finance").json()["id"] == sandbox.spaces()[0][field]

    def test_may_answer_a_create_without_id(self) -> None:
        with Sandbox(create_id="none") as sandbox:
            assert "id" not in Caller(sandbox).create("Finance").json()

    @pytest.mark.parametrize("wrong", [{"edition": "2023"}, {"create_id": "space"}])
    def test_refuses_an_unknown_format(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="must be one of"):
            Sandbox(**wrong)
