"""Clients with short waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.api.auth import AppAuth, TokenAuth
from airflow_provider_koodrive.api.client import KooDriveClient

if TYPE_CHECKING:
    from airflow_provider_koodrive.sandbox.server import Sandbox

TOKEN = "s3cr3t-t0ken-of-a-session"
APP_SECRET = "s3cr3t-of-the-application"

# For servers that answer at once; tests of what takes long bring their own.
IMPATIENT: dict[str, Any] = {"connect_timeout": 5.0, "read_timeout": 5.0, "deadline": 30.0, "backoff": 0.001}


def token_client(url: str, **options: Any) -> KooDriveClient:
    return KooDriveClient(url, TokenAuth(TOKEN), **{**IMPATIENT, **options})


def app_client(url: str, **options: Any) -> KooDriveClient:
    return KooDriveClient(
        url, AppAuth("app-id", APP_SECRET, "1505084218764547200"), **{**IMPATIENT, **options}
    )


def sandbox_client(
    sandbox: Sandbox, *, user_id: str | None = None, token: str | None = None, **options: Any
) -> KooDriveClient:
    """
    Make a client of a sandbox.

    :param user_id: whom to sign for, None for the administrator
    :param token: access token to use instead of app authentication
    """
    user_id = user_id or sandbox.admin_user_id
    auth = TokenAuth(token) if token else AppAuth(sandbox.app_id, sandbox.app_secret, user_id)
    return KooDriveClient(sandbox.url, auth, **{**IMPATIENT, **options})
