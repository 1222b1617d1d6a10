"""The table of fields, and what is made of it: Airflow's form, and the README's table."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest
from support.fields_table import fields_table

from airflow_provider_koodrive.connection.fields import EXTRA_FIELDS, FIELDS, Field
from airflow_provider_koodrive.connection.form import conn_fields, form_widgets, help_text, ui_field_behaviour
from airflow_provider_koodrive.connection.settings import settings_from

README = Path(__file__).resolve().parents[3] / "README.md"
UNCHANGED = {"user_id": "1505084218764547200"}


def settings(extra: object):
    return settings_from(
        SimpleNamespace(
            conn_id="koodrive_test",
            host="127.0.0.1",
            port=None,
            schema=None,
            login="example-app-id",
            password="example-app-secret",
            extra=json.dumps(extra),
        )
    )


class TestTable:
    @pytest.mark.parametrize("entry", FIELDS, ids=lambda entry: entry.name)
    def test_each_field_is_explained_with_an_example(self, entry: Field) -> None:
        assert entry.label
        assert "e.g. " in entry.description

    def test_names_are_unique(self) -> None:
        assert len({entry.name for entry in FIELDS}) == len(FIELDS)

    @pytest.mark.parametrize("entry", EXTRA_FIELDS, ids=lambda entry: entry.name)
    def test_the_default_is_what_parsing_gives(self, entry: Field) -> None:
        parsed = getattr(settings(UNCHANGED), entry.name, None)
        assert parsed == (UNCHANGED.get(entry.name) or entry.default)

    def test_help_names_limits_and_default(self) -> None:
        texts = {entry.name: help_text(entry) for entry in FIELDS}
        assert texts["max_attempts"].endswith("; 1 to 100; default 5")
        assert texts["read_timeout"].endswith("; more than 0, at most 86400; default 60")
        assert texts["verify"].endswith("; default true")
        assert texts["token_prefix"].endswith("; default Bearer+")
        assert texts["host"].endswith("; default intl.myhuaweicloud-koodrive.com")


class TestProviderInfo:
    """What Airflow 3.2 and later show."""

    def test_each_extra_is_there_in_the_order_of_the_table(self) -> None:
        shown = conn_fields()
        assert list(shown) == [entry.name for entry in EXTRA_FIELDS]
        assert [field["label"] for field in shown.values()] == [entry.label for entry in EXTRA_FIELDS]
        assert [field["description"] for field in shown.values()] == [*map(help_text, EXTRA_FIELDS)]

    def test_labels_and_hidden_fields(self) -> None:
        behaviour = ui_field_behaviour()
        assert behaviour["hidden-fields"] == ["schema"]
        assert behaviour["relabeling"] == {
            "host": "Endpoint",
            "port": "Port",
            "login": "App ID",
            "password": "App secret or access token",
        }

    @pytest.mark.parametrize(("name", "field"), conn_fields().items())
    def test_a_form_saved_unchanged_changes_nothing(self, name: str, field: dict) -> None:
        saved = field["schema"].get("default")
        jsonschema.validate(saved, field["schema"])
        assert settings({**UNCHANGED, **({name: saved} if name != "user_id" else {})}) == settings(UNCHANGED)

    @pytest.mark.parametrize("name", [entry.name for entry in EXTRA_FIELDS if entry.name != "user_id"])
    @pytest.mark.parametrize("absent", [None, "", "  "], ids=["null", "empty", "blanks"])
    def test_null_and_empty_text_count_as_absent(self, name: str, absent: str | None) -> None:
        assert settings({**UNCHANGED, name: absent}) == settings(UNCHANGED)

    def test_a_default_with_a_name_that_airflow_masks_stays_out(self) -> None:
        """The form would get, and save, *** for the default of a field called token_prefix."""
        assert "default" not in conn_fields()["token_prefix"]["schema"]

    def test_an_id_is_text_since_a_browser_would_round_it(self) -> None:
        assert conn_fields()["permission_template"]["schema"]["type"] == ["string", "null"]
        given = settings({**UNCHANGED, "permission_template": "1590626552448551681"})
        assert given.permission_template == 1590626552448551681

    def test_secrets_have_the_format_of_a_password(self) -> None:
        secret = {
            name for name, field in conn_fields().items() if field["schema"].get("format") == "password"
        }
        assert secret == {"proxies", "proxy_password"}

    def test_limits(self) -> None:
        schema = conn_fields()["max_attempts"]["schema"]
        assert schema == {"type": ["integer", "null"], "minimum": 1, "maximum": 100}
        jsonschema.validate("2024-07", conn_fields()["api_edition"]["schema"])
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate("2023-01", conn_fields()["api_edition"]["schema"])


class TestWidgets:
    """What Airflow 2.11 to 3.1 show, where they have WTForms."""

    def test_they_agree_with_the_provider_info(self) -> None:
        if find_spec("flask_appbuilder") is None:
            # Airflow takes the lack of these two for a form that nobody wants, and of others for a fault.
            with pytest.raises(ModuleNotFoundError) as missing:
                form_widgets()
            assert missing.value.name in ("wtforms", "flask_appbuilder")
            return
        shown, widgets = conn_fields(), form_widgets()
        assert list(widgets) == list(shown)
        for name, widget in widgets.items():
            schema = shown[name]["schema"]
            assert widget.args == (shown[name]["label"],)
            assert widget.kwargs["description"] == shown[name]["description"]
            secret = schema.get("format") == "password"
            assert widget.field_class.__name__ == ("PasswordField" if secret else "StringField")
            checks = widget.kwargs["validators"]
            allowed = [value for check in checks for value in getattr(check, "values", ())]
            assert allowed == [value for value in schema.get("enum", ()) if value is not None]


class TestReadme:
    def test_its_table_is_the_table(self) -> None:
        text = README.read_text(encoding="utf-8")
        start, end = "<!-- connection-fields:start -->\n", "<!-- connection-fields:end -->"
        assert text[text.index(start) + len(start) : text.index(end)].strip() == fields_table()
