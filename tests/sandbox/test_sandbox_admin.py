"""The sandbox's own API: its calls and its fault plan over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from sandbox_calls import Caller

    from airflow_provider_koodrive.sandbox.server import Sandbox


class TestAdminSurface:
    @pytest.fixture
    def call(self, koodrive_sandbox: Sandbox) -> Any:
        headers = {"Authorization": f"Bearer {koodrive_sandbox.app_secret}"}

        def call(method: str, path: str, body: object = None, **options: Any) -> requests.Response:
            url = f"{koodrive_sandbox.url}/sandbox/{path}"
            return requests.request(method, url, json=body, timeout=10, **{"headers": headers, **options})

        return call

    def test_shows_calls_without_secrets(self, call: Any, admin: Caller) -> None:
        admin.create("Finance")
        admin.names(keyWord="x")
        shown = call("GET", "calls").json()
        assert shown["counts"] == {"create": 1, "groupList": 1}
        assert [record["operation"] for record in shown["calls"]] == ["create", "groupList"]
        assert shown["calls"][1]["query"]["keyWord"] == "x"
        assert admin.session.headers["Authorization"].partition("+")[2] not in str(shown)

    def test_changes_the_fault_plan(self, call: Any, admin: Caller) -> None:
        added = call("POST", "faults", {"operation": "create", "kind": "error_500_before", "times": 1}).json()
        assert added["faults"][0]["kind"] == "error_500_before"
        assert admin.create("Finance").status_code == 500
        assert call("GET", "faults").json()["hits"] == [
            {"operation": "create", "kind": "error_500_before", "trace_id": None}
        ]
        assert call("DELETE", "faults").json()["faults"] == []

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("", "not JSON"),
            ("{", "not JSON"),
            ("[" * 100_000, "not JSON"),
            ("[]", "not a JSON object"),
            ('"create"', "not a JSON object"),
            ("null", "not a JSON object"),
            ('{"operation": "create"}', "'kind'"),
            ('{"operation": "a", "kind": "b"}', "no such operation: a"),
            ('{"operation": ["create"], "kind": "redirect"}', "no such operation"),
            ('{"operation": "\\ud800", "kind": "redirect"}', "not JSON"),
            ('{"operation": "create", "kind": {}}', "no such fault"),
            ('{"operation": "create", "kind": "redirect", "self": 1}', "'self'"),
            ('{"operation": "create", "kind": "slow_body", "seconds": "x"}', "seconds must be"),
            ('{"operation": "create", "kind": "slow_body", "seconds": NaN}', "seconds must be"),
        ],
        ids=lambda text: text[:80],
    )
    def test_refuses_an_invalid_fault(self, call: Any, body: str, message: str) -> None:
        refused = call("POST", "faults", data=body)
        assert refused.status_code == 400
        assert message in refused.json()["error"]
        assert call("GET", "faults").json()["faults"] == []

    @pytest.mark.parametrize("header", ["", "Bearer guess"])
    @pytest.mark.parametrize(
        ("method", "path"), [("GET", "calls"), ("GET", "faults"), ("POST", "faults"), ("DELETE", "faults")]
    )
    def test_is_guarded_by_the_secret(self, call: Any, header: str, method: str, path: str) -> None:
        assert call(method, path, headers={"Authorization": header}).status_code == 401
