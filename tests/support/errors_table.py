"""The README's table of errors, as Markdown: ``python -m support.errors_table``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_koodrive.exceptions import ERRORS

if TYPE_CHECKING:
    from airflow_provider_koodrive.exceptions import KooDriveError


def errors_table() -> str:
    """Write the table."""
    head = ["| error | what happened | what to do | another try of the task |", "|---|---|---|---|"]
    return "\n".join([*head, *map(_row, ERRORS)])


def _row(kind: type[KooDriveError]) -> str:
    return f"| `{kind.__name__}` | {kind.meaning} | {kind.advice} | {'yes' if kind.retryable else 'no'} |"


if __name__ == "__main__":
    print(errors_table())  # noqa: T201
