"""Quota of the enterprise: KooDrive API Reference, "Service Management"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_koodrive.sandbox.service.call import Call


def quota_used(call: Call) -> dict[str, Any]:
    """``GET /service/quotaUsed`` (GetQuotaUsed): quotas in GB, usage in KB."""
    pool = call.limits.max_capacity
    amounts = {
        "spaceCapacity": 5 * pool,
        "spaceUsed": 0,
        "spaceQuotaUsed": call.store.assigned_capacity(),
        "userCount": call.store.user_count(),
        "userMaxCount": 10 * call.store.user_count(),
        "deptSpaceQuota": 3 * pool,
        "personalSpaceQuota": pool,
        "groupSpaceQuota": pool,
        "reservedSpaceQuota": 0,
        "deptSpaceUsed": 0,
        "personalSpaceUsed": 0,
        "groupSpaceUsed": 0,
        "deptSpaceQuotaUsed": 0,
        "personalSpaceQuotaUsed": 0,
        "groupSpaceQuotaUsed": call.store.assigned_capacity(),
    }
    return {"data": {name: call.response_format.number(amount) for name, amount in amounts.items()}}
