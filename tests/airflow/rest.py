"""
Call the REST interface of the Airflow that runs this, as an administrator without a log-in.

``python rest.py CALLS``, where each call is ``[METHOD, PATH, BODY]``, writes ``[STATUS, ANSWER]`` for each.
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
    answers = []
    for method, path, body in json.loads(sys.argv[1]):
        answer = (
            client.open(path, method=method, json=body) if old else client.request(method, path, json=body)
        )
        answers.append([answer.status_code, answer.json if old else answer.json()])
    print("REST", json.dumps(answers))  # noqa: T201
