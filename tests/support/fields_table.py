"""The README's table of the connection's fields, as Markdown: ``python -m support.fields_table``."""

from __future__ import annotations

from airflow_provider_koodrive.connection.fields import FIELDS, Field
from airflow_provider_koodrive.connection.form import default_text


def fields_table() -> str:
    """Write the table."""
    rows = ["| field | in the form | meaning | default |", "|---|---|---|---|", *map(_row, FIELDS)]
    return "\n".join(rows)


def _row(entry: Field) -> str:
    name = f"`{entry.name}`" if entry.standard else f"extra `{entry.name}`"
    meaning = "; ".join(part for part in (entry.description, entry.limits) if part)
    default = default_text(entry)
    return f"| {name} | {entry.label} | {meaning} | {f'`{default}`' if default else ''} |"


if __name__ == "__main__":
    print(fields_table())  # noqa: T201
