"""A bare client for the sandbox's tests, with a signature written for them alone."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_koodrive.sandbox.server import Sandbox

PREFIX = "/koodrive/ose/v1"
TIMEOUT = 10


def x_date(offset: float = 0) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + offset))


def sign(
    prepared: requests.PreparedRequest,
    *,
    app_id: str,
    secret: str,
    headers: Mapping[str, str],
    names: str = "host;x-date;x-user-id",
) -> None:
    """Sign a prepared request whose query has no name twice."""
    url, _, query = (prepared.url or "").partition("?")
    host, _, path = url.partition("//")[2].partition("/")
    signed = {"host": host, **{name.lower(): value for name, value in headers.items()}}
    body = prepared.body or b""
    payload = body if isinstance(body, bytes) else body.encode()
    lines = [
        prepared.method,
        f"/{path}/",
        "&".join(sorted(query.split("&"))),
        *(f"{name}:{signed.get(name, '')}" for name in names.split(";")),
        "",
        names,
        hashlib.sha256(payload).hexdigest(),
    ]
    digest = hashlib.sha256("\n".join(map(str, lines)).encode()).hexdigest()
    signature = hmac.new(secret.encode(), f"HMAC-SHA256\n{digest}".encode(), "sha256").hexdigest()
    authorization = f"HMAC-SHA256 AppId={app_id},SignedHeaders={names},Signature={signature}"
    prepared.headers.update({**headers, "Authorization": authorization})


class Caller:
    """Calls a sandbox with a user's token."""

    def __init__(self, sandbox: Sandbox, user_id: str | None = None) -> None:
        self.sandbox = sandbox
        self.user_id = user_id or sandbox.admin_user_id
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer+{sandbox.issue_token(self.user_id)}"

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> requests.Response:
        data = None if body is None else json.dumps(body).encode()
        text = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in (query or {}).items())
        url = f"{self.sandbox.url}{PREFIX}{path}" + (f"?{text}" if text else "")
        options = {"timeout": TIMEOUT, "allow_redirects": False, **kwargs}
        return self.session.request(method, url, data=data, **options)

    def create(self, name: str, **body: Any) -> requests.Response:
        return self.send("POST", "/space/group", {"name": name, "addGroupUsers": [], **body})

    def list(self, which: str = "groupList", **query: Any) -> dict[str, Any]:
        answer = self.send("GET", f"/space/{which}", query={"offset": 0, "limit": 100, **query})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def names(self, which: str = "groupList", **query: Any) -> list[str]:
        listing = self.list(which, **query)
        return [space["groupName"] for space in listing["groups" if which == "groupList" else "teams"]]


def refusal(answer: requests.Response) -> tuple[int, int | str]:
    """Return the HTTP status and KooDrive's code of an error."""
    return answer.status_code, answer.json()["code"]
