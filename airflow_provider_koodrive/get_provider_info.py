"""Describes the provider to Airflow's discovery: cheap, and without Airflow."""

from __future__ import annotations

from typing import Any

from airflow_provider_koodrive import __version__
from airflow_provider_koodrive.connection.fields import CONN_TYPE
from airflow_provider_koodrive.connection.form import conn_fields, ui_field_behaviour


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description; one dictionary serves all versions of Airflow."""
    name = "Huawei Cloud KooDrive"
    return {
        # Must equal the distribution's name: otherwise Airflow loads no provider at all.
        "package-name": "airflow-provider-koodrive",
        "name": name,
        "description": "Group spaces of Huawei Cloud KooDrive: create exactly once, list.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": name,
                "external-doc-url": "https://support.huaweicloud.com/intl/en-us/koodrive/index.html",
                "tags": ["service"],
            }
        ],
        "hooks": [
            {"integration-name": name, "python-modules": ["airflow_provider_koodrive.hooks.koodrive"]},
        ],
        "operators": [
            {
                "integration-name": name,
                "python-modules": [
                    "airflow_provider_koodrive.operators.departments",
                    "airflow_provider_koodrive.operators.group_space",
                ],
            },
        ],
        "extra-links": ["airflow_provider_koodrive.links.KooDriveSpaceLink"],
        "connection-types": [
            {
                "connection-type": CONN_TYPE,
                "hook-class-name": "airflow_provider_koodrive.hooks.koodrive.KooDriveHook",
                "hook-name": name,
                "conn-fields": conn_fields(),
                "ui-field-behaviour": ui_field_behaviour(),
            }
        ],
    }
