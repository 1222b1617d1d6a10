"""
Call the REST interface of the Airflow that runs this, as an administrator without a log-in.

Reads one call per line, ``[METHOD, PATH, BODY]``, and answers each with a line ``REST [STATUS, BODY]``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import airflow


def flask_client() -> Any:
    from airflow.www.app import create_app

    app = create_app()
    app.config["AUTH_ROLE_PUBLIC"] = "Admin"
    return app.test_client()


def fastapi_client() -> Any:
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    client = TestClient(create_app())
    token = client.get("/auth/token").json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


if __name__ == "__main__":
    old = airflow.__version__.startswith("2.")
    client = flask_client() if old else fastapi_client()
    for line in sys.stdin:
        method, path, body = json.loads(line)
        if old:
            response = client.open(path, method=method, json=body)
            answer = [response.status_code, response.json]
        else:
            response = client.request(method, path, json=body)
            answer = [response.status_code, response.json()]
        print("REST", json.dumps(answer), flush=True)  # noqa: T201
