"""Departments from KooDrive's own tree, over the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from support.clients import sandbox_client

from airflow_provider_koodrive.api.resources.directory import Directory
from airflow_provider_koodrive.departments import DepartmentList, KooDriveDepartments
from airflow_provider_koodrive.departments import koodrive as module
from airflow_provider_koodrive.exceptions import (
    KooDriveError,
    KooDrivePermissionError,
    KooDriveServerError,
    KooDriveSourceError,
)
from airflow_provider_koodrive.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TREE = """\
name,parent
Sales,
Sales EU,Sales
Sales US,Sales
Spain,Sales EU
Law,
Tax,Law
VAT,Tax
EU VAT,VAT
"""
IN_ORDER = ["Sales", "Sales EU", "Spain", "Sales US", "Law", "Tax", "VAT", "EU VAT"]

Read = Callable[..., DepartmentList]


class Access:
    def __init__(self, directory: Any) -> None:
        self.directory = lambda: directory

    open_file = query = None


class Root:
    """A directory that notes which departments are asked for."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    def list_departments(self, parent_id: str | None) -> list[dict[str, Any]]:
        self.asked.append(parent_id)
        return []


@pytest.mark.parametrize("root", [None, ""])
def test_a_template_of_none_is_the_root(root: str | None) -> None:
    directory = Root()
    assert KooDriveDepartments(root, max_depth=1).read(Access(directory)).departments == ()
    assert directory.asked == [None]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    file: Path = tmp_path_factory.mktemp("tree") / "departments.csv"
    file.write_text(TREE)
    with Sandbox(departments=file, users=17) as sandbox:
        yield sandbox


@pytest.fixture(params=["flat", "tree"])
def read(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[Read]:
    """Read as an administrator, who may read the flat list, or as somebody who may not."""
    user_id = sandbox.user_ids[0 if request.param == "flat" else 1]
    client = sandbox_client(sandbox, user_id=user_id)
    yield lambda **options: KooDriveDepartments(**options).read(Access(Directory(client)))  # type: ignore[arg-type]
    client.close()


def names(found: DepartmentList) -> list[str]:
    return [department.name for department in found.departments]


class TestTree:
    def test_all_in_the_order_of_the_tree(self, read: Read) -> None:
        found = read()
        assert names(found) == IN_ORDER
        assert found.complete
        assert not found.bad_rows
        spain = found.departments[2]
        assert spain.path == "Sales/Sales EU/Spain"
        assert spain.origin == f"department {spain.key}"
        assert spain.user_ids is None

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"max_depth": 1}, ["Sales", "Law"]),
            ({"max_depth": 2}, ["Sales", "Sales EU", "Sales US", "Law", "Tax"]),
            ({"leaves_only": True}, ["Spain", "Sales US", "EU VAT"]),
            ({"include": ["Sales*"]}, ["Sales", "Sales EU", "Spain", "Sales US"]),
            ({"include": ["Sales*"], "exclude": ["*/Sales EU*"]}, ["Sales", "Sales US"]),
            ({"exclude": ["*/*"]}, ["Sales", "Law"]),
        ],
    )
    def test_a_part(self, read: Read, options: dict[str, Any], expected: list[str]) -> None:
        assert names(read(**options)) == expected

    def test_below_a_department(self, read: Read) -> None:
        law = read().departments[4]
        found = read(root_department_id=law.key)
        assert names(found) == ["Tax", "VAT", "EU VAT"]
        assert found.departments[1].path == "Tax/VAT"

    @pytest.mark.parametrize("options", [{"max_depth": 0}, {"members": "some"}])
    def test_arguments_that_are_wrong(self, read: Read, options: dict[str, Any]) -> None:
        with pytest.raises(KooDriveSourceError, match=next(iter(options))):
            read(**options)


class TestCalls:
    def test_the_flat_list_needs_few(
        self, sandbox: Sandbox, read: Read, request: pytest.FixtureRequest
    ) -> None:
        before = len(sandbox.calls)
        read()
        assert len(sandbox.calls) - before == (2 if "flat" in request.node.callspec.id else 2 + len(IN_ORDER))

    def test_are_bounded(self, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MAX_CALLS", 4)
        found = read(members="direct")
        assert not found.complete
        assert "not read on from here after 4 calls" in found.bad_rows[0].problem


class TestMembers:
    def test_direct_and_all(self, read: Read, sandbox: Sandbox) -> None:
        direct = {d.name: set(d.user_ids or ()) for d in read(members="direct").departments}
        below = {d.name: set(d.user_ids or ()) for d in read(members="all").departments}
        assert set().union(*direct.values()) == set(sandbox.user_ids)
        assert all(direct.values())
        assert below["Law"] == direct["Law"] | direct["Tax"] | direct["VAT"] | direct["EU VAT"]
        assert below["Spain"] == direct["Spain"]


class Fake:
    """A directory of two departments, for what the sandbox does not do."""

    def __init__(
        self, users: list[dict[str, Any]], *, complete: bool = True, error: KooDriveError | None = None
    ) -> None:
        self.users = users
        self.complete = complete
        self.error = error
        self.asked: list[str] = []

    def list_departments(self, parent_id: str | None) -> list[dict[str, Any]]:
        return [] if parent_id else [{"id": str(number), "name": f"D{number}"} for number in range(1, 10)]

    def list_department_spaces(self) -> tuple[list[dict[str, Any]], bool]:
        return [], True

    def list_users(self, department_id: str, *, direct: bool) -> tuple[list[dict[str, Any]], bool]:
        self.asked.append(department_id)
        if self.error:
            raise self.error
        return self.users, self.complete


def read_fake(directory: Fake) -> DepartmentList:
    return KooDriveDepartments(members="direct").read(Access(directory))  # type: ignore[arg-type]


class TestUsers:
    def test_disabled_ones_are_left_out(self) -> None:
        users: list[dict[str, Any]] = [
            {"id": "u1", "status": 0},
            {"id": "u2", "status": 1},
            {"id": "u3", "status": "1"},
            {"id": "u4"},
        ]
        assert read_fake(Fake(users)).departments[0].user_ids == ("u1", "u4")

    def test_zeros_at_the_end_of_an_id_are_kooDrives_own(self) -> None:
        users = [{"id": "1505084218764540000"}]
        assert read_fake(Fake(users)).departments[0].user_ids == ("1505084218764540000",)

    def test_more_than_200_are_a_bad_row(self) -> None:
        found = read_fake(Fake([{"id": f"u{number}"} for number in range(201)]))
        assert not found.departments
        assert str(found.bad_rows[0]) == "department 1 'D1' has 201 members, KooDrive allows 200"
        assert found.bad_rows[0].space_name == "D1"

    def test_a_page_that_is_missing(self) -> None:
        found = read_fake(Fake([{"id": "u1"}], complete=False))
        assert not found.complete
        assert "'D1': users came incompletely" in found.bad_rows[0].problem
        assert found.departments[0].user_ids == ("u1",)

    def test_errors_leave_the_members_alone_and_end_it(self) -> None:
        directory = Fake([], error=KooDriveServerError("KooDrive failed", http_status=500))
        found = read_fake(directory)
        assert not found.complete
        assert len(found.departments) == 9
        assert {department.user_ids for department in found.departments} == {None}
        assert "users could not be read: KooDrive failed" in found.bad_rows[0].problem
        assert len(directory.asked) == 5


class TestFailures:
    def test_the_first_call_is_refused(self) -> None:
        class Refusing(Fake):
            def list_departments(self, parent_id: str | None) -> list[dict[str, Any]]:
                raise KooDrivePermissionError("no")

        with pytest.raises(KooDrivePermissionError):
            read_fake(Refusing([]))

    def test_an_error_half_way(self, sandbox: Sandbox) -> None:
        client = sandbox_client(sandbox, user_id=sandbox.user_ids[1], max_attempts=1)
        directory = Directory(client)
        top = directory.list_departments(None)

        class HalfWay(Directory):
            def list_departments(self, parent_id: str | None = None) -> list[dict[str, Any]]:
                if parent_id == top[0]["id"]:
                    sandbox.faults.add("departmentList", "error_500_before", times=1)
                return super().list_departments(parent_id)

        found = KooDriveDepartments().read(Access(HalfWay(client)))  # type: ignore[arg-type]
        client.close()
        assert names(found) == ["Sales", "Law", "Tax", "VAT", "EU VAT"]
        assert not found.complete
        assert "'Sales': departments below could not be read" in found.bad_rows[0].problem
