"""Sessions: KooDrive API Reference, "Session Management"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.sandbox.storage.seed import ORGANISATION_ID, TENANT_ID

if TYPE_CHECKING:
    from airflow_provider_koodrive.sandbox.service.call import Call


def session_auth(call: Call) -> dict[str, Any]:
    """``GET /session/auth`` (authSession): the user of the token; not for app authentication."""
    return {
        "data": {
            "role": call.user["role"],
            "userName": call.user["name"],
            "innerUserId": call.user["id"],
            "userId": call.user["user_id"],
            "tenantId": TENANT_ID,
            "orgId": ORGANISATION_ID,
            "orgName": "Organisation",
            "deptId": call.user["dept_id"],
            "userCount": call.store.user_count(),
        }
    }
