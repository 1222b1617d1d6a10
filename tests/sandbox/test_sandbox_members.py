"""Members of a group space: list, add, remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sandbox_calls import Caller, refusal

from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    import requests


@pytest.fixture
def group(user: Caller) -> str:
    return str(user.create("Finance").json()["id"])


def change(caller: Caller, group: str, how: str, body: dict[str, Any]) -> requests.Response:
    return caller.send("POST", f"/usergroups/{group}/members/{how}", body)


def members(caller: Caller, group: str, **query: Any) -> requests.Response:
    return caller.send("GET", f"/usergroups/{group}/members", query={"offset": 0, "limit": 100, **query})


def result(answer: requests.Response) -> tuple[int, list[str]]:
    assert answer.status_code == 200, answer.text
    return answer.json()["status"], answer.json()["failedList"]


class TestList:
    def test_shows_the_members(self, user: Caller, other: Caller, group: str) -> None:
        change(user, group, "batchAdd", {"userIds": [other.user_id]})
        listing = members(user, group).json()
        assert listing["total"] == 2
        owner, member = listing["userGroupMemberInfos"]
        assert (owner["userId"], owner["role"]) == (user.user_id, 0)
        assert (member["userId"], member["userName"], member["role"]) == (other.user_id, "User 003", 2)
        assert set(member) == {
            "userId", "userName", "deptId", "deptName", "mobile", "createdTime", "updatedTime", "role", "top",
        }  # fmt: skip

    def test_pages_and_searches(self, user: Caller, other: Caller, group: str) -> None:
        change(user, group, "batchAdd", {"userIds": [other.user_id]})
        second = members(user, group, offset=1, limit=1).json()
        assert [member["userId"] for member in second["userGroupMemberInfos"]] == [other.user_id]
        assert second["total"] == 2
        assert members(user, group, keyWord="user 003").json()["total"] == 1

    def test_is_for_members_and_administrators(self, admin: Caller, other: Caller, group: str) -> None:
        assert members(admin, group).status_code == 200
        assert refusal(members(other, group)) == (400, 13000410)
        assert refusal(members(admin, "42")) == (400, 13000309)


@pytest.mark.parametrize("form", ["amendModRoles", "userIds"])
class TestBatch:
    def body(self, form: str, user_ids: list[str]) -> dict[str, Any]:
        if form == "userIds":
            return {"userIds": user_ids}
        return {"amendModRoles": [{"userId": int(user_id)} for user_id in user_ids]}

    def test_reports_users_that_failed(self, user: Caller, other: Caller, group: str, form: str) -> None:
        def run(how: str, *user_ids: str) -> tuple[int, list[str]]:
            return result(change(user, group, how, self.body(form, list(user_ids))))

        assert run("batchAdd", other.user_id) == (0, [])
        assert run("batchAdd", other.user_id) == (0, [])
        assert run("batchAdd", other.user_id, "42") == (1, ["42"])
        assert run("batchAdd", "42") == (2, ["42"])
        assert not user.sandbox.calls[-1].committed
        assert run("batchDelete", other.user_id, "42") == (1, ["42"])
        assert run("batchDelete", other.user_id) == (2, [other.user_id])
        assert user.sandbox.spaces()[0]["members"] == [user.user_id]

    def test_never_removes_the_owner(self, user: Caller, group: str, form: str) -> None:
        assert result(change(user, group, "batchDelete", self.body(form, [user.user_id]))) == (
            2,
            [user.user_id],
        )

    @pytest.mark.parametrize("how", ["batchAdd", "batchDelete"])
    def test_is_for_owners_and_administrators(
        self, admin: Caller, other: Caller, user: Caller, group: str, form: str, how: str
    ) -> None:
        body = self.body(form, [other.user_id])
        change(user, group, "batchAdd", body)
        assert refusal(change(other, group, how, body)) == (400, 13000410)
        assert result(change(admin, group, how, body)) == (0, [])
        assert refusal(change(admin, "42", how, body)) == (400, 13000309)

    @pytest.mark.parametrize("how", ["batchAdd", "batchDelete"])
    def test_needs_users(self, user: Caller, group: str, form: str, how: str) -> None:
        assert refusal(change(user, group, how, {form: []})) == (400, 13000102)

    def test_stops_at_200_members(self, form: str) -> None:
        with Sandbox(users=202) as sandbox:
            admin = Caller(sandbox)
            group = admin.create("Finance").json()["id"]
            candidates = sandbox.user_ids[1:]
            assert result(change(admin, group, "batchAdd", self.body(form, candidates[:199]))) == (0, [])
            assert refusal(change(admin, group, "batchAdd", self.body(form, candidates[199:]))) == (
                400,
                13000102,
            )
            assert result(change(admin, group, "batchAdd", self.body(form, candidates[:200]))) == (0, [])
            assert len(sandbox.spaces()[0]["members"]) == 201


def test_batch_refuses_both_forms_at_once(user: Caller, group: str) -> None:
    body = {"userIds": ["42"], "amendModRoles": [{"userId": 42}]}
    assert refusal(change(user, group, "batchAdd", body)) == (400, 13000102)
