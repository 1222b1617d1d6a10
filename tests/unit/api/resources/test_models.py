from __future__ import annotations

import json
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_koodrive.api.resources.models import (
    parse_batch_answer,
    parse_create_answer,
    parse_group_space_page,
    parse_member_page,
)
from airflow_provider_koodrive.exceptions import KooDriveResponseError

# The printed example of "Querying the List of Group Spaces in an Enterprise", its array closed.
PRINTED_EXAMPLE = {
    "code": 0,
    "msg": "OK",
    "total": 1,
    "groupsTotal": 1,
    "groupsMax": 500,
    "assignedCapacity": 100,
    "maxCapacity": 2048,
    "groups": [
        {
            "id": "1417956457311344513",
            "groupName": "api01",
            "status": 0,
            "capacity": 20,
            "spaceUsed": 0,
            "containerId": "IAAE49hOR8LulgAAA1417956457328121729",
            "userNum": 1,
            "ownerId": "1410172329509745795",
            "ownerName": "someone",
            "tenantId": "1",
            "creator": "1410172329509745795",
            "createTime": "2024-05-10T01:46:22.000Z",
            "iconUrl": "1",
        }
    ],
}


def space(**fields):
    page = parse_group_space_page({"groups": [{"id": "1", **fields}]}, key="groups")
    return page["groups"][0]


class TestGroupSpacePage:
    def test_printed_example(self):
        page = parse_group_space_page(PRINTED_EXAMPLE, key="groups")
        assert page["groups"][0] == {
            **{key: value for key, value in PRINTED_EXAMPLE["groups"][0].items() if key != "groupName"},
            "name": "api01",
        }
        numbers = ("total", "groupsTotal", "groupsMax", "assignedCapacity", "maxCapacity")
        assert [page[name] for name in numbers] == [1, 1, 500, 100, 2048]

    def test_a_page_of_teams(self):
        page = parse_group_space_page({"total": "1", "teams": [{"id": "1", "name": "a"}]}, key="teams")
        assert page["total"] == 1
        assert [(team["id"], team["name"]) for team in page["groups"]] == [("1", "a")]

    @pytest.mark.parametrize(
        ("value", "number"),
        [
            (7, 7),
            ("7", 7),
            (" 7 ", 7),
            (7.0, 7),
            ("0", 0),
            (2**70, 2**70),
            (None, None),
            ("", None),
            ("many", None),
            (7.5, None),
            ([], None),
            ({}, None),
            (1e400, None),
            ("9" * 5000, None),
        ],
    )
    @pytest.mark.parametrize("name", ["total", "groupsTotal", "groupsMax", "assignedCapacity", "maxCapacity"])
    def test_numbers(self, name, value, number):
        assert parse_group_space_page({name: value, "groups": []}, key="groups")[name] == number

    def test_absent_numbers(self):
        page = parse_group_space_page({"groups": []}, key="groups")
        assert page == {
            "total": None,
            "groupsTotal": None,
            "groupsMax": None,
            "assignedCapacity": None,
            "maxCapacity": None,
            "groups": [],
        }

    @pytest.mark.parametrize(
        "envelope", [{"data": [{"id": 1}], "total": 1}, {"data": {"groups": [{"id": 1}], "total": "1"}}]
    )
    def test_places(self, envelope):
        page = parse_group_space_page(envelope, key="groups")
        assert (page["total"], page["groups"]) == (1, [{"id": "1", "name": None}])

    @pytest.mark.parametrize("total", [None, 1, "x"])
    def test_no_list_at_all(self, total):
        with pytest.raises(KooDriveResponseError, match="has no groups"):
            parse_group_space_page({"total": total}, key="groups")

    def test_no_list_and_nothing_to_list(self):
        assert parse_group_space_page({"total": 0}, key="groups")["groups"] == []

    def test_null_is_no_space(self):
        assert parse_group_space_page({"groups": None}, key="groups")["groups"] == []

    @pytest.mark.parametrize("records", [[{}], [{"id": None}], [{"id": ""}], [{"id": "1"}, {"name": "a"}]])
    @pytest.mark.parametrize("key", ["groups", "teams"])
    def test_no_id(self, key, records):
        with pytest.raises(KooDriveResponseError, match=r"unexpected groups\.\d\.id"):
            parse_group_space_page({key: records}, key=key)

    @pytest.mark.parametrize("groups", [{}, "", "a", 1, [1], [None], [[]], ["a"], True])
    def test_no_list_of_objects(self, groups):
        with pytest.raises(KooDriveResponseError, match="unexpected groups"):
            parse_group_space_page({"groups": groups}, key="groups")


class TestGroupSpace:
    @pytest.mark.parametrize(
        ("fields", "name"),
        [
            ({"name": "a"}, "a"),
            ({"groupName": "a"}, "a"),
            ({"name": "a", "groupName": "b"}, "a"),
            ({"name": None, "groupName": "b"}, "b"),
            ({"name": "", "groupName": "b"}, "b"),
            ({"name": None}, None),
            ({}, None),
            ({"name": 7}, "7"),
        ],
    )
    def test_name(self, fields, name):
        assert space(**fields)["name"] == name
        assert "groupName" not in space(**fields)

    @pytest.mark.parametrize("value", [1417956457311344513, "1417956457311344513"])
    def test_ids_are_text(self, value):
        record = space(id=value, ownerId=value, creator=value, containerId=value)
        for name in ("id", "ownerId", "creator", "containerId"):
            assert record[name] == "1417956457311344513"

    @pytest.mark.parametrize(("value", "number"), [(20, 20), ("20", 20), (None, None), ("much", None)])
    @pytest.mark.parametrize("name", ["status", "capacity", "spaceUsed", "userNum"])
    def test_numbers(self, name, value, number):
        assert space(**{name: value})[name] == number

    def test_unknown_fields_are_kept(self):
        unknown = {"top": 1, "nested": {"a": [1, None]}, "": "x", "role": "0"}
        assert unknown.items() <= space(**unknown).items()

    def test_what_is_absent(self):
        assert space(name="a") == {"id": "1", "name": "a"}

    @pytest.mark.parametrize("value", [{}, [], True])
    @pytest.mark.parametrize("field", ["id", "name", "containerId", "ownerId"])
    def test_wrong_types(self, field, value):
        with pytest.raises(KooDriveResponseError, match=rf"unexpected groups\.0\.{field}"):
            space(**{field: value})

    def test_error_shows_no_value(self):
        with pytest.raises(KooDriveResponseError) as caught:
            space(name=["s3cr3t"])
        assert "s3cr3t" not in str(caught.value)


class TestMemberPage:
    @pytest.mark.parametrize(
        "envelope",
        [
            {"total": "1", "userGroupMemberInfos": [{"userId": "7", "userName": "a"}]},
            {"total": 1, "data": [{"userId": 7}]},
            {"total": 1, "userGroupMemberInfos": None, "data": [{"userId": 7}]},
        ],
    )
    def test_places(self, envelope):
        assert parse_member_page(envelope) == {"total": 1, "userGroupMemberInfos": [{"userId": "7"}]}

    @pytest.mark.parametrize("envelope", [{}, {"data": {"id": "1"}}, {"userGroupMemberInfos": []}])
    def test_none(self, envelope):
        assert parse_member_page(envelope) == {"total": None, "userGroupMemberInfos": []}

    @pytest.mark.parametrize(
        "members", [{}, "a", [1], [{}], [{"userId": None}], [{"userId": {}}], [{"userId": ""}]]
    )
    def test_wrong_types(self, members):
        with pytest.raises(KooDriveResponseError, match="unexpected userGroupMemberInfos"):
            parse_member_page({"userGroupMemberInfos": members})


class TestCreateAnswer:
    @pytest.mark.parametrize(
        ("envelope", "answer"),
        [
            ({"id": "1", "failedList": ["7"]}, {"id": "1", "failedList": ["7"]}),
            ({"id": 1, "failedList": [7]}, {"id": "1", "failedList": ["7"]}),
            ({"failedList": None}, {"id": None, "failedList": []}),
            ({}, {"id": None, "failedList": []}),
            ({"id": ""}, {"id": None, "failedList": []}),
            ({"id": "1\nERROR"}, {"id": None, "failedList": []}),
        ],
    )
    def test_tolerance(self, envelope, answer):
        assert parse_create_answer(envelope) == answer

    @pytest.mark.parametrize(
        "envelope",
        [{"id": {}}, {"failedList": {}}, {"failedList": [None]}, {"failedList": ["7\n8"]}, {"id": []}],
    )
    def test_wrong_types(self, envelope):
        with pytest.raises(KooDriveResponseError, match="unexpected"):
            parse_create_answer(envelope)


class TestBatchAnswer:
    @pytest.mark.parametrize(
        ("envelope", "answer"),
        [
            ({"status": 1, "failedList": ["7"]}, {"status": 1, "failedList": ["7"]}),
            ({"status": "2", "failedList": None}, {"status": 2, "failedList": []}),
            ({"status": "some", "failedList": [7]}, {"status": None, "failedList": ["7"]}),
            ({}, {"status": None, "failedList": []}),
        ],
    )
    def test_tolerance(self, envelope, answer):
        assert parse_batch_answer(envelope) == answer

    def test_wrong_type(self):
        with pytest.raises(KooDriveResponseError, match="unexpected failedList"):
            parse_batch_answer({"failedList": "7"})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = [
    "id",
    "name",
    "groupName",
    "containerId",
    "ownerId",
    "capacity",
    "total",
    "groups",
    "userId",
    "data",
]
objects = st.dictionaries(st.sampled_from(FIELDS) | st.text(), json_values)


@given(body=objects, records=st.lists(objects | json_values, max_size=3) | json_values)
def test_any_json(body, records):
    envelope = {**body, "groups": records, "userGroupMemberInfos": records, "failedList": records}
    for parse in (
        partial(parse_group_space_page, key="groups"),
        parse_member_page,
        parse_create_answer,
        parse_batch_answer,
    ):
        try:
            parse(envelope)
        except KooDriveResponseError as error:
            shown = str(error)
        else:
            shown = ""
        assert shown.isprintable()


spaces = st.fixed_dictionaries(
    {"id": st.sampled_from(["1", "a b", "", "1\n", 7])},
    optional={
        **{name: st.sampled_from(["a", "", 7, None]) for name in ("name", "groupName", "ownerId", "creator")},
        **{name: st.sampled_from([7, "7", "x", 7.5, True, None]) for name in ("capacity", "status")},
        "unknown": json_values.filter(lambda value: value == value),
    },
)


@given(records=st.lists(spaces, max_size=3))
def test_a_record_does_not_depend_on_its_neighbours(records):
    """A page is parsed by pydantic only if a record is odd, which changes nothing for the others."""

    def parsed(*others):
        page = {"groups": json.loads(json.dumps([*records, *others]))}
        try:
            groups = parse_group_space_page(page, key="groups")["groups"]
        except KooDriveResponseError as error:
            return str(error)
        return json.dumps(groups[: len(records)], sort_keys=True)

    assert parsed() == parsed({"id": 8, "status": "odd"})
