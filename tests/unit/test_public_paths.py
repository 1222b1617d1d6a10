"""The import paths that users write: they do not move."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version

import pytest
from packaging.version import Version

PUBLIC = {
    "hooks.koodrive": ["KooDriveHook"],
    "operators.group_space": ["CreateGroupSpaceOperator", "GroupSpaceListOperator"],
    "exceptions": [
        "FINAL_ERRORS",
        "KooDriveAuthenticationError",
        "KooDriveConfigError",
        "KooDriveConflictError",
        "KooDriveConnectionError",
        "KooDriveError",
        "KooDriveGatewayError",
        "KooDriveMembersError",
        "KooDriveOutcomeUnknownError",
        "KooDrivePermissionError",
        "KooDriveQuotaError",
        "KooDriveResponseError",
        "KooDriveServerError",
        "KooDriveThrottledError",
        "KooDriveValidationError",
    ],
    "naming": ["NAME_MAX_CHARACTERS", "check_group_space_name", "group_space_name"],
    "types": ["CreatedGroupSpace", "GroupSpace", "GroupSpaceListing"],
    "api.auth": ["AppAuth", "TokenAuth"],
    "links": ["KooDriveSpaceLink"],
    "sandbox.server": ["Sandbox"],
    "sandbox.pytest_plugin": ["koodrive_conn", "koodrive_sandbox"],
    "get_provider_info": ["get_provider_info"],
    # Below Airflow 3.3 its import says why it cannot be imported, see test_retry_policy.py.
    **(
        {"retry_policy": ["KooDriveRetryPolicy"]}
        if Version(version("apache-airflow")) >= Version("3.3")
        else {}
    ),
}


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names(module: str) -> None:
    imported = import_module(f"airflow_provider_koodrive.{module}")
    assert [name for name in PUBLIC[module] if not hasattr(imported, name)] == []
