"""
The connection's form, made from the table of fields.

Airflow 3.2 and later read the provider info; 2.11 to 3.1 call the hook's class methods.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from airflow_provider_koodrive.connection.endpoint import DEFAULT_HOST
from airflow_provider_koodrive.connection.fields import EXTRA_FIELDS, FIELDS, Field

HIDDEN_FIELDS = ("schema",)
PLACEHOLDERS = {"host": DEFAULT_HOST}
LABELS = {entry.name: entry.label for entry in FIELDS if entry.standard}

# An id may be larger than a browser's numbers; an object is edited as JSON text.
_FORM_TYPES = {"id": "string", "object": "string"}


def conn_fields() -> dict[str, Any]:
    """Return ``conn-fields`` of the provider info: the extras, for Airflow 3.2 and later."""
    return {entry.name: _conn_field(entry) for entry in EXTRA_FIELDS}


def ui_field_behaviour() -> dict[str, Any]:
    """Return ``ui-field-behaviour`` of the provider info: Airflow's own fields, for Airflow 3.2 and later."""
    return {
        "hidden-fields": list(HIDDEN_FIELDS),
        "relabeling": dict(LABELS),
        "placeholders": dict(PLACEHOLDERS),
    }


def help_text(entry: Field) -> str:
    """Return the help of a field in the form: its description, limits and default."""
    default = default_text(entry)
    parts = (entry.description, entry.limits, default and f"default {default}")
    return "; ".join(part for part in parts if part)


def default_text(entry: Field) -> str:
    """Return a field's default as a user writes it, empty if it has none."""
    if entry.default is None:
        return ""
    return entry.default if isinstance(entry.default, str) else json.dumps(entry.default)


def _conn_field(entry: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": [_FORM_TYPES.get(entry.type, entry.type), "null"]}
    if entry.enum:
        schema["enum"] = [*entry.enum, None]
    if entry.secret:
        schema["format"] = "password"
    if entry.type in ("integer", "number"):
        limits = {"minimum": entry.minimum, "maximum": entry.maximum}
        schema |= {name: limit for name, limit in limits.items() if limit is not None}
    if entry.type == "boolean":
        # A switch shows nothing for "absent". Other defaults stay out: the form would save them, and show
        # and save *** for the token's prefix, whose name Airflow takes for a secret's.
        schema["default"] = entry.default
    return {"label": entry.label, "description": help_text(entry), "schema": schema}


def form_widgets() -> dict[str, Any]:
    """
    Return the extras as WTForms fields, for Airflow 2.11 to 3.1.

    All are text: the form of 2.11 would turn a switch that is absent, or the text ``false``, into its
    opposite when it is saved unchanged.
    """
    # FAB and WTForms are installed only with an Airflow that shows such a form.
    wtforms, validators = import_module("wtforms"), import_module("wtforms.validators")
    widgets = import_module("flask_appbuilder.fieldwidgets")
    form = {}
    for entry in EXTRA_FIELDS:
        field, widget = (
            (wtforms.PasswordField, widgets.BS3PasswordFieldWidget)
            if entry.secret
            else (wtforms.StringField, widgets.BS3TextFieldWidget)
        )
        form[entry.name] = field(
            entry.label,
            validators=[
                _Keep(entry.name),
                validators.Optional(),
                *([validators.any_of(list(entry.enum))] if entry.enum else []),
            ],
            description=help_text(entry),
            widget=widget(),
        )
    return form


class _Keep:
    """
    Keeps an extra that the form of Airflow 2.11 cannot show in its field, and would delete when it is saved.

    These are secrets, false and 0. The form's box "Extra" still has them, a secret as a placeholder.

    :param name: name of the extra
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, form: Any, field: Any) -> None:
        try:
            extra = json.loads(form.extra.data or "{}")
        except ValueError:
            return
        value = extra.get(self._name) if isinstance(extra, dict) else None
        shown = bool(value) and field.widget.input_type != "password"
        if not field.data and not shown and value not in (None, ""):
            field.data = value
