"""Departments, users, the session and the quota."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sandbox_calls import Caller, refusal

from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    from pathlib import Path


def departments(caller: Caller, **query: Any) -> list[dict[str, Any]]:
    return list(caller.send("GET", "/departmentList", query=query).json()["data"])


def users(caller: Caller, **query: Any) -> dict[str, Any]:
    return dict(caller.send("GET", "/userList", query={"offset": 0, "limit": 100, **query}).json())


class TestDepartments:
    def test_stand_below_the_root(self, user: Caller) -> None:
        rows = departments(user)
        assert [row["name"] for row in rows] == ["Finance", "Human Resources", "Research", "Sales"]
        assert set(rows[0]) == {"id", "orgId", "deptId", "parentId", "name", "tenantId"}
        assert departments(user, departmentId=rows[0]["parentId"]) == rows
        assert departments(user, departmentId=rows[0]["id"]) == []
        assert [row["name"] for row in departments(user, keyWord="HUMAN")] == ["Human Resources"]

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("departments.csv", "id,name\n1,Law\n2,\n3, Tax \n"),
            ("departments.tsv", "\ufeffname\twebsite\nLaw\thttp://a, b\nTax\t\n"),
        ],
    )
    def test_come_from_a_file(self, tmp_path: Path, name: str, text: str) -> None:
        (tmp_path / name).write_text(text, encoding="utf-8")
        with Sandbox(departments=tmp_path / name) as sandbox:
            assert [row["name"] for row in departments(Caller(sandbox))] == ["Law", "Tax"]

    def test_come_from_names(self) -> None:
        with Sandbox(departments=("Law", "Tax"), users=1) as sandbox:
            assert [row["name"] for row in departments(Caller(sandbox))] == ["Law", "Tax"]

    def test_stand_below_each_other(self, tmp_path: Path) -> None:
        text = "name;id;parent\nTax;7;L\nVAT;8;7\nLaw;L;\nEU VAT;;VAT\n;9;L\n"
        (tmp_path / "departments.csv").write_text(text, encoding="utf-16")
        with Sandbox(departments=tmp_path / "departments.csv") as sandbox:
            caller = Caller(sandbox)
            (law,) = departments(caller)
            (tax,) = departments(caller, departmentId=law["id"])
            (vat,) = departments(caller, departmentId=tax["id"])
            (eu_vat,) = departments(caller, departmentId=vat["id"])
            names = [row["name"] for row in (law, tax, vat, eu_vat)]
        assert names == ["Law", "Tax", "VAT", "EU VAT"]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("name,parent\nTax,Law\n", "the parent 'Law' is not among"),
            ("name,parent\nTax,Law\nLaw,Tax\n", "'Tax' is above itself"),
        ],
    )
    def test_a_tree_that_is_none(self, tmp_path: Path, text: str, problem: str) -> None:
        (tmp_path / "departments.csv").write_text(text)
        with pytest.raises(ValueError, match=problem), Sandbox(departments=tmp_path / "departments.csv"):
            pass

    def test_need_a_column(self, tmp_path: Path) -> None:
        (tmp_path / "departments.csv").write_text("title\nLaw\n")
        with pytest.raises(ValueError, match="no column 'name'"):
            Sandbox(departments=tmp_path / "departments.csv")


class TestDepartmentSpaces:
    def test_list_all_departments_in_pages(self, admin: Caller) -> None:
        def page(**query: Any) -> dict[str, Any]:
            return dict(admin.send("GET", "/space/departmentList", query=query).json())

        listing = page(offset=0, limit=100)
        names = ["Organisation", "Finance", "Human Resources", "Research", "Sales"]
        assert [row["name"] for row in listing["departments"]] == names
        assert set(listing["departments"][0]) == {"id", "parentId", "name", "tenantId"}
        assert listing["total"] == 5
        assert [row["name"] for row in page(offset=3, limit=1)["departments"]] == ["Research"]
        assert [row["name"] for row in page(offset=0, limit=9, keyWord="fin")["departments"]] == ["Finance"]

    def test_are_for_administrators(self, user: Caller) -> None:
        query = {"offset": 0, "limit": 1}
        assert refusal(user.send("GET", "/space/departmentList", query=query)) == (400, 13000410)


class TestUsers:
    def test_list_has_everybody(self, user: Caller, koodrive_sandbox: Sandbox) -> None:
        listing = users(user)
        assert listing["total"] == 20
        assert [row["id"] for row in listing["list"]] == koodrive_sandbox.user_ids
        assert set(listing["list"][0]) == {
            "id", "userId", "name", "deptId", "deptName", "mobile", "role", "status",
        }  # fmt: skip
        assert all(len(row["id"]) == 19 and int(row["id"]) > 2**53 for row in listing["list"])

    def test_list_pages_and_searches(self, user: Caller, koodrive_sandbox: Sandbox) -> None:
        page = users(user, offset=3, limit=2)
        assert [row["id"] for row in page["list"]] == koodrive_sandbox.user_ids[3:5]
        assert page["total"] == 20
        assert users(user, keyWord="administrator")["total"] == 1

    def test_list_can_be_of_a_department(self, user: Caller) -> None:
        finance = departments(user)[0]
        root = finance["parentId"]
        assert {row["deptName"] for row in users(user, deptId=finance["id"])["list"]} == {"Finance"}
        assert users(user, deptId=root)["total"] == 20
        assert users(user, deptId=root, isDirect="true")["total"] == 0
        answer = user.send("GET", "/userList", query={"offset": 0, "limit": 1, "isDirect": "yes"})
        assert refusal(answer) == (400, 13000102)

    def test_list_wants_a_page(self, user: Caller) -> None:
        assert refusal(user.send("GET", "/userList")) == (400, 13000102)

    def test_one_can_be_asked_for(self, user: Caller, admin: Caller) -> None:
        data = user.send("GET", f"/users/{admin.user_id}").json()["data"]
        assert (data["id"], data["name"], data["role"]) == (admin.user_id, "Tenant Administrator", 2)
        assert data["orgId"]
        assert refusal(user.send("GET", "/users/42")) == (400, 13000309)

    def test_there_must_be_one(self) -> None:
        with pytest.raises(ValueError, match="at least one user"):
            Sandbox(users=0).start()


def test_session_says_who_calls(user: Caller) -> None:
    data = user.send("GET", "/session/auth").json()["data"]
    assert (data["innerUserId"], data["userName"], data["role"]) == (user.user_id, "User 002", 1)
    assert data["userCount"] == 20


def test_quota_counts_what_is_assigned(user: Caller) -> None:
    user.create("Finance", capacity=20)
    data = user.send("GET", "/service/quotaUsed").json()["data"]
    assert (data["groupSpaceQuota"], data["groupSpaceQuotaUsed"]) == (2048, 20)


def test_2024_07_writes_strings_and_calls_the_users_data() -> None:
    with Sandbox(edition="2024-07") as sandbox:
        admin = Caller(sandbox)
        assert admin.send("GET", "/service/quotaUsed").json()["data"]["groupSpaceQuota"] == "2048"
        listing = users(admin)
        assert (listing["total"], len(listing["data"])) == ("20", 20)
