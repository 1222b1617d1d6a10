"""
The connection's form, as the Airflow that runs this makes it.

``python airflows_form.py SAVE READ`` writes the form, what is left of each extra in SAVE after its form was
opened and saved unchanged, and what the REST interface shows of each extra in READ.
"""

from __future__ import annotations

import json
import sys
import warnings
from types import SimpleNamespace
from typing import Any

import airflow

TYPE = "koodrive"
VERSION = tuple(map(int, airflow.__version__.split(".")[:2]))


def show() -> dict[str, Any]:
    from airflow.providers_manager import ProvidersManager

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        form = _show_2() if VERSION < (3, 0) else _show_3()
        form["testable"] = ProvidersManager().hooks[TYPE].connection_testable
    ours = [str(warning.message) for warning in caught if TYPE in f"{warning.message}{warning.filename}"]
    return {**form, "warnings": ours}


def _show_2() -> dict[str, Any]:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    behaviour = manager.field_behaviours[TYPE]
    return {
        "hook_name": manager.hooks[TYPE].hook_name,
        "labels": behaviour["relabeling"],
        "hidden": behaviour["hidden_fields"],
        "extras": {
            widget.field_name: {
                "label": widget.field.args[0],
                "help": widget.field.kwargs["description"],
                "secret": widget.is_sensitive,
            }
            for key, widget in manager.connection_form_widgets.items()
            if key.startswith(f"extra__{TYPE}__")
        },
    }


def _show_3() -> dict[str, Any]:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    types = {meta.connection_type: meta for meta in HookMetaService.hook_meta_data()}
    meta = types[TYPE]
    standard = meta.standard_fields.model_dump() if meta.standard_fields else {}
    names = {"url_schema": "schema"}
    fields = {names.get(name, name): field for name, field in standard.items() if field}
    return {
        "hook_name": meta.hook_name,
        "labels": {name: field["title"] for name, field in fields.items() if field["title"]},
        "hidden": [name for name, field in fields.items() if field["hidden"]],
        "extras": {
            name: {
                "label": field["schema"]["title"],
                "help": field["description"],
                "secret": field["schema"].get("format") == "password",
                "value": field["value"],
            }
            for name, field in (meta.extra_fields or {}).items()
        },
    }


def read(extras: list[dict[str, Any]]) -> list[str]:
    from airflow.models import Connection

    connections = [Connection(conn_id="form", conn_type=TYPE, extra=json.dumps(extra)) for extra in extras]
    if VERSION < (3, 0):
        from airflow.api_connexion.schemas.connection_schema import connection_schema

        return [connection_schema.dump(connection)["extra"] for connection in connections]
    from airflow.api_fastapi.core_api.datamodels.connections import ConnectionResponse

    return [str(ConnectionResponse.model_validate(connection).extra) for connection in connections]


def save(extras: list[dict[str, Any] | None]) -> list[str | None]:
    return [(_save_2 if VERSION < (3, 0) else _save_3)(extra) for extra in extras]


def _save_2(extra: dict[str, Any] | None) -> str | None:
    """Open and send the form as the views of Flask-AppBuilder and a browser do."""
    import os
    from html.parser import HTMLParser

    from airflow.www.forms import create_connection_form_class
    from airflow.www.views import ConnectionModelView
    from flask import Flask
    from flask_babel import Babel
    from werkzeug.datastructures import MultiDict

    class Value(HTMLParser):
        value = ""

        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            self.value = dict(attributes).get("value") or "" if tag == "input" else ""

        def handle_data(self, data: str) -> None:
            self.value = data.strip() or self.value

    def sent(field: Any) -> str:
        parser = Value()
        parser.feed(str(field()))
        return parser.value

    app = Flask(__name__)
    app.secret_key = "for a form"
    Babel(app)
    stored = None if extra is None else json.dumps(extra)
    connection = {"conn_id": "form", "conn_type": TYPE, "host": "127.0.0.1", "port": 8443}
    os.environ["AIRFLOW_CONN_FORM"] = json.dumps({"conn_type": TYPE, "extra": extra})
    view: Any = object.__new__(ConnectionModelView)
    with app.test_request_context():
        form_class = create_connection_form_class()
        opened = form_class(obj=SimpleNamespace(**connection, extra=stored), meta={"csrf": False})
        view.prefill_form(opened, 1)
        answer = {name: sent(field) for name, field in opened._fields.items()}
        answer["conn_type"] = TYPE
        form = form_class(formdata=MultiDict(answer), meta={"csrf": False})
        assert form.validate(), form.errors
        view.process_form(form, False)
        return form.extra.data


def _save_3(extra: dict[str, Any] | None) -> str | None:
    """Read and send the connection as the web interface does: see its ``ConnectionForm``."""
    from airflow.api_fastapi.core_api.datamodels.connections import ConnectionBody, ConnectionResponse
    from airflow.api_fastapi.core_api.services.public.connections import update_orm_from_pydantic
    from airflow.models import Connection

    stored = Connection(conn_id="form", conn_type=TYPE, extra=None if extra is None else json.dumps(extra))
    shown = ConnectionResponse.model_validate(stored).extra
    if not shown or shown == "{}":
        # The form of a connection without extras starts from, and sends, the value of each field.
        shown = json.dumps({name: field["value"] for name, field in show()["extras"].items()})
    body = ConnectionBody(connection_id="form", conn_type=TYPE, extra=shown)
    update_orm_from_pydantic(stored, body, ["extra"])
    return stored.extra


if __name__ == "__main__":
    to_save, to_read = map(json.loads, sys.argv[1:])
    answer = {"form": show(), "saved": save(to_save), "read": read(to_read)}
    print("FORM", json.dumps(answer))  # noqa: T201
