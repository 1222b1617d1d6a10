"""The table in ``docs/covered-calls.md``, as Markdown: ``python -m support.calls_table``."""

from __future__ import annotations

from airflow_provider_koodrive.api.endpoints import CATALOGUE


def calls_table() -> str:
    """Write the table."""
    head = ["| call | page in KooDrive's API reference |", "|---|---|"]
    rows = [f"| `{endpoint.method} {endpoint.path}` | {endpoint.page_title} |" for endpoint in CATALOGUE]
    return "\n".join([*head, *rows])


if __name__ == "__main__":
    print(calls_table())  # noqa: T201
