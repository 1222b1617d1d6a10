"""The fault plan: the calls that its faults apply to, and the options that it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_koodrive.sandbox.faults.kinds import KINDS
from airflow_provider_koodrive.sandbox.faults.plan import FaultPlan, Hit

if TYPE_CHECKING:
    from sandbox_calls import Caller


class TestPlan:
    def test_a_fault_applies_to_its_operations(self, admin: Caller) -> None:
        admin.sandbox.faults.add("list", "error_500_before")
        assert admin.create("Finance").status_code == 200
        for which in ("groupList", "teamList"):
            answer = admin.send("GET", f"/space/{which}", query={"offset": 0, "limit": 1})
            assert answer.status_code == 500
        admin.sandbox.faults.clear()
        assert admin.names() == ["Finance"]
        assert [hit.operation for hit in admin.sandbox.faults.hits] == ["groupList", "teamList"]

    def test_a_star_stands_for_every_operation(self, admin: Caller) -> None:
        admin.sandbox.faults.add("*", "error_500_before")
        assert admin.send("GET", "/session/auth").status_code == 500
        assert admin.create("Finance").status_code == 500

    def test_one_fault_replaces_the_response_and_others_are_added(self, admin: Caller) -> None:
        plan = admin.sandbox.faults
        plan.add("create", "error_500_after_commit", times=1)
        plan.add("create", "gateway_html", times=1)
        plan.add("create", "stale_list", times=1, seconds=60)
        assert admin.create("Finance").status_code == 500
        assert admin.names() == []
        assert admin.sandbox.calls[0].faults == ("error_500_after_commit", "stale_list")
        assert admin.create("Sales").status_code == 502

    def test_a_hit_has_the_trace_id(self, admin: Caller) -> None:
        admin.sandbox.faults.add("*", "error_500_before")
        admin.send("GET", "/session/auth", headers={"X-Traceid": "t" * 58})
        assert admin.sandbox.faults.hits == [Hit("sessionAuth", "error_500_before", "t" * 58)]

    @pytest.mark.parametrize("how", ["fault", "plan"])
    def test_a_seed_makes_the_choice_of_calls_repeatable(self, how: str) -> None:
        def applied() -> list[bool]:
            plan = FaultPlan(7 if how == "plan" else None)
            plan.add("*", "error_500_before", probability=0.3, seed=7 if how == "fault" else None)
            return [bool(plan.select("create", None)) for _ in range(200)]

        assert applied() == applied()
        assert 30 < sum(applied()) < 90

    @pytest.mark.parametrize(
        ("arguments", "options", "message"),
        [
            (("delete", "error_500_before"), {}, "no such operation: delete"),
            (("create", "error_501"), {}, "no such fault: error_501"),
            (("create", "drop_after_commit"), {"seconds": 1}, "has no option seconds; its options are none"),
            (("create", "slow_body"), {"second": 1}, "has no option second; its options are seconds"),
            (
                ("dismiss", "stale_list"),
                {},
                "does not apply to dismiss; use one of create, groupList, teamList",
            ),
            (
                ("list", "member_failures"),
                {},
                "member_failures does not apply to list; use one of create, batchAdd, batchDelete",
            ),
        ],
    )
    def test_refuses(self, arguments: tuple[str, str], options: dict[str, Any], message: str) -> None:
        plan = FaultPlan()
        with pytest.raises(ValueError, match=message):
            plan.add(*arguments, **options)
        assert plan.as_dicts() == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_accepts_every_kind_for_its_operations_and_for_all(self, kind: str) -> None:
        plan = FaultPlan()
        for operation in ("*", *KINDS[kind].operations):
            plan.add(operation, kind, **KINDS[kind].options())
            aimed = KINDS[kind].operations[0] if operation == "*" else operation
            assert [fault.kind for fault in plan.select(aimed, None)] == [kind]
            plan.clear()

    @pytest.mark.parametrize(
        ("kind", "name", "wrong"),
        [
            ("slow_body", "probability", [1.1, -0.1, float("nan"), "0.5", True, None]),
            ("slow_body", "times", [0, 1.5, "2", True]),
            ("slow_body", "seed", ["x", 1.5, {}]),
            ("slow_body", "seconds", [-1, float("nan"), float("inf"), 1e10, "x", "3", True, None, []]),
            ("hang_after_commit", "seconds", [-0.1]),
            ("clock_skew", "seconds", [float("inf"), -1e10, "x", None]),
            ("throttle_429", "date", [1, "true", None]),
            ("gateway_html", "committed", [1, "true", None]),
            ("gateway_html", "status", [99999, 103, 204, 304, 599, "502", 502.0, True, None]),
            ("member_failures", "count", [-1, 1.5, "1", True, None]),
            ("error_200", "code", [True, 1.5, None, "", "a\nb"]),
            ("redirect", "location", ["http://a/\r\nX: y", "http://\u0142/", 7, None]),
            ("wrong_type_json", "body", [[], None, "\ud800"]),
        ],
    )
    def test_an_error_names_the_wrong_option(self, kind: str, name: str, wrong: list[Any]) -> None:
        plan = FaultPlan()
        for value in wrong:
            with pytest.raises(ValueError, match=rf"^{name} must be "):
                plan.add("create", kind, **{name: value})
        assert plan.as_dicts() == []

    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            ("slow_body", {"seconds": 0}),
            ("clock_skew", {"seconds": -10}),
            ("gateway_html", {"status": 400}),
            ("gateway_html", {"status": 511}),
            ("member_failures", {"count": 0}),
            ("error_200", {"code": "APIGW.0301"}),
            ("slow_body", {"times": None, "seed": None, "probability": 0}),
        ],
    )
    def test_accepts_valid_options(self, kind: str, options: dict[str, Any]) -> None:
        plan = FaultPlan()
        plan.add("create", kind, **options)
        (fault,) = plan.as_dicts()
        given = {name: value for name, value in options.items() if value is not None}
        assert fault.items() >= {"kind": kind, **given}.items()

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("create:drop_after_commit", {"operation": "create", "kind": "drop_after_commit", "times": None}),
            ("*:error_500_before:probability=0.3:times=2", {"probability": 0.3, "times": 2}),
            ("list:throttle_429:seconds=3:date=true", {"seconds": 3.0, "date": True}),
            ("create:gateway_html:status=504:committed=false", {"status": 504, "committed": False}),
            ("create:redirect:location=http://a:80/b:times=1", {"location": "http://a:80/b", "times": 1}),
            ("create:error_200:code=APIGW.0301", {"code": "APIGW.0301"}),
            ("create:error_200:code=13000301", {"code": 13000301}),
            ("create:clock_skew:seconds=-60", {"seconds": -60}),
        ],
    )
    def test_reads_text(self, text: str, expected: dict[str, Any]) -> None:
        plan = FaultPlan()
        plan.add_text(text)
        (fault,) = plan.as_dicts()
        assert expected.items() <= fault.items()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "no such operation"),
            ("create", "no such fault"),
            ("create:nonsense", "no such fault: nonsense"),
            ("create:nonsense:times", "no such fault: nonsense"),
            ("a:b:c=d", "no such operation: a"),
            ("list:member_failures", "does not apply to list"),
            ("create:drop_after_commit:times", "times has no value; write times=VALUE"),
            ("create:slow_body:seconds:times=1", "seconds has no value; write seconds=VALUE"),
            ("create:drop_after_commit:times=x", "times must be an integer of at least 1, not 'x'"),
            ("create:drop_after_commit:times=1.5", "times must be"),
            ("create:drop_after_commit:times=0", "times must be"),
            ("create:drop_after_commit:seed=", "seed must be"),
            ("create:slow_body:seconds=x", "seconds must be"),
            ("create:slow_body:seconds=nan", "seconds must be"),
            ("create:gateway_html:committed=1", "committed must be true or false, not '1'"),
            (
                "create:gateway_html:second=1",
                "gateway_html has no option second; its options are status, committed",
            ),
            ("create:redirect:operation=list", "redirect has no option operation; its options are location"),
        ],
    )
    def test_refuses_text(self, text: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            FaultPlan().add_text(text)
