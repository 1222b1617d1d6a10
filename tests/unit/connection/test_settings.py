"""What is read out of a connection, and what is refused with a word that helps."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from airflow_provider_koodrive.connection.endpoint import DEFAULT_HOST
from airflow_provider_koodrive.connection.fields import EXTRA_FIELDS
from airflow_provider_koodrive.connection.settings import settings_from
from airflow_provider_koodrive.exceptions import KooDriveConfigError

SECRET = "s3cr3t-of-the-connection"


def connection(extra=None, **fields):
    """An Airflow connection; `extra` as a dict or as the text itself."""
    given = {"host": None, "port": None, "schema": None, "login": None, "password": SECRET, **fields}
    text = extra if extra is None or isinstance(extra, str) else json.dumps(extra)
    return SimpleNamespace(conn_id="my_drive", extra=text, **given)


def refused(extra=None, **fields) -> str:
    with pytest.raises(KooDriveConfigError) as caught:
        settings_from(connection(extra, **fields))
    message = str(caught.value)
    assert "my_drive" in message
    assert SECRET not in message
    return message


class TestDefaults:
    def test_a_token_alone(self):
        settings = settings_from(connection())
        assert settings.endpoint == f"https://{DEFAULT_HOST}"
        assert (settings.login, settings.password, settings.user_id) == (None, SECRET, None)
        assert (settings.language, settings.token_prefix, settings.sign_host) == (None, "Bearer+", True)
        assert (settings.api_edition, settings.permission_template) == ("2025-03", None)
        assert (settings.connect_timeout, settings.read_timeout) == (10, 60)
        assert (settings.max_attempts, settings.deadline) == (5, 300)
        assert (settings.verify, settings.proxies, settings.allow_http) == (True, None, False)
        assert settings.space_url is None

    @pytest.mark.parametrize("nothing", ["", " ", None])
    def test_what_is_empty_counts_as_absent(self, nothing):
        saved = {entry.name: nothing for entry in EXTRA_FIELDS}
        assert settings_from(connection(saved)) == settings_from(connection())

    @pytest.mark.parametrize("field", ["host", "login", "schema"])
    @pytest.mark.parametrize("nothing", ["", " ", "\t \n"])
    def test_what_is_blank_counts_as_absent(self, field, nothing):
        assert settings_from(connection(**{field: nothing})) == settings_from(connection())

    @pytest.mark.parametrize("extra", ["", "  ", "{}", None])
    def test_no_extra(self, extra):
        assert settings_from(connection(extra)) == settings_from(connection())

    def test_repr_hides_secrets(self):
        settings = settings_from(connection({"proxies": {"https": f"http://a:{SECRET}@proxy.example.com"}}))
        assert SECRET not in repr(settings)


class TestCoercion:
    """A connection that is written as a URI brings every extra as text."""

    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("user_id", "1505084218764547200", "1505084218764547200"),
            ("language", "zh-CN", "zh-CN"),
            ("sign_host", "false", False),
            ("sign_host", "False", False),
            ("sign_host", "0", False),
            ("sign_host", "true", True),
            ("sign_host", "1", True),
            ("api_edition", "2024-07", "2024-07"),
            ("permission_template", "1590626552448551681", 1590626552448551681),
            ("permission_template", "-1", -1),
            ("connect_timeout", "3", 3.0),
            ("connect_timeout", "3.5", 3.5),
            ("read_timeout", "30", 30.0),
            ("max_attempts", "3", 3),
            ("deadline", "120", 120.0),
            ("verify", "true", True),
            ("verify", "false", False),
            ("verify", "/etc/ssl/ca.pem", "/etc/ssl/ca.pem"),
            ("proxies", '{"https": "http://proxy:3128"}', {"https": "http://proxy:3128"}),
            ("allow_http", "true", True),
            ("space_url", "https://drive.example.com/{id}", "https://drive.example.com/{id}"),
        ],
    )
    def test_text(self, name, text, value):
        assert getattr(settings_from(connection({name: text})), name) == value

    @pytest.mark.parametrize(
        ("name", "given", "value"),
        [
            ("user_id", 1505084218764547200, "1505084218764547200"),
            ("sign_host", False, False),
            ("connect_timeout", 3, 3.0),
            ("max_attempts", 1, 1),
            ("verify", False, False),
            ("verify", True, True),
            ("verify", 0, False),
            ("proxies", {"http": "http://p:1"}, {"http": "http://p:1"}),
            ("permission_template", 7, 7),
        ],
    )
    def test_json(self, name, given, value):
        assert getattr(settings_from(connection({name: given})), name) == value

    @pytest.mark.parametrize(
        ("name", "given", "value"),
        [
            ("user_id", " 1505084218764547200\n", "1505084218764547200"),
            ("language", " zh-CN ", "zh-CN"),
            ("sign_host", " False ", False),
            ("allow_http", " True ", True),
            ("api_edition", "2024-07 ", "2024-07"),
            ("permission_template", " 7 ", 7),
            ("read_timeout", " 30 ", 30.0),
            ("verify", " /etc/ssl/ca.pem ", "/etc/ssl/ca.pem"),
            ("space_url", " https://drive.example.com/{id} ", "https://drive.example.com/{id}"),
            ("token_prefix", "Token: ", "Token: "),
        ],
    )
    def test_outer_blanks(self, name, given, value):
        assert getattr(settings_from(connection({name: given})), name) == value

    def test_a_secrets_blanks_are_part_of_it(self):
        settings = settings_from(
            connection(
                {"user_id": "1", "proxies": {"https": "http://u@p:1"}, "proxy_password": " a "},
                login="app",
                password=f" {SECRET}\n",
            )
        )
        assert settings.password == f" {SECRET}\n"
        assert settings.proxies == {"https": "http://u:%20a%20@p:1"}

    @pytest.mark.parametrize(
        "url", ["HTTPS://drive.example.com", "https://drive.example.com/@me/{containerId}"]
    )
    def test_space_url(self, url):
        assert settings_from(connection({"space_url": url})).space_url == url

    @pytest.mark.parametrize(
        ("proxy", "sent"),
        [
            ("http://user@proxy:1", "http://user:a%2Fb@proxy:1"),
            ("user@proxy:1", "http://user:a%2Fb@proxy:1"),
            ("proxy.example.com:1", "http://proxy.example.com:1"),
            ("SOCKS5H://user@proxy:1", "socks5h://user:a%2Fb@proxy:1"),
        ],
    )
    def test_a_proxys_password_of_its_own(self, proxy, sent):
        extra = {"proxies": {"https": proxy}, "proxy_password": "a/b"}
        assert settings_from(connection(extra)).proxies == {"https": sent}

    @pytest.mark.parametrize(
        ("prefix", "sent"),
        [("Bearer+", "Bearer+"), ("Bearer ", "Bearer "), ("Bearer", "Bearer "), ("AT+", "AT+"), ("None", "")],
    )
    def test_token_prefix(self, prefix, sent):
        assert settings_from(connection({"token_prefix": prefix})).token_prefix == sent


class TestEndpoint:
    @pytest.mark.parametrize(
        ("host", "port", "endpoint"),
        [
            ("cn.myhuaweicloud-koodrive.com", None, "https://cn.myhuaweicloud-koodrive.com"),
            ("https://kd.example.com", None, "https://kd.example.com"),
            ("https://kd.example.com/", None, "https://kd.example.com"),
            ("kd.example.com", 8443, "https://kd.example.com:8443"),
            ("kd.example.com:8443", None, "https://kd.example.com:8443"),
            ("kd.example.com:8443", 8443, "https://kd.example.com:8443"),
            ("https://kd.example.com:8443", None, "https://kd.example.com:8443"),
            ("http://127.0.0.1:8089", None, "http://127.0.0.1:8089"),
            ("http://127.0.0.2", 8089, "http://127.0.0.2:8089"),
            ("http://localhost:8089", None, "http://localhost:8089"),
            ("http://[::1]:8089", None, "http://[::1]:8089"),
            ("[::1]", 8089, "https://[::1]:8089"),
            ("kd.example.com", "8443", "https://kd.example.com:8443"),
            ("kd.example.com:8443", "8443", "https://kd.example.com:8443"),
            ("kd.example.com", "", "https://kd.example.com"),
            ("kd.example.com", 65535, "https://kd.example.com:65535"),
            (" kd.example.com ", None, "https://kd.example.com"),
            ("HTTPS://KD.example.com", None, "https://kd.example.com"),
        ],
    )
    def test_host_and_port(self, host, port, endpoint):
        assert settings_from(connection(host=host, port=port)).endpoint == endpoint

    @pytest.mark.parametrize(
        "host",
        ["kd.example.com/koodrive", "https://kd.example.com/a", "kd.example.com/?a=b", "kd.example.com#a"],
    )
    def test_path(self, host):
        assert "has a path" in refused(host=host)

    def test_schema(self):
        """In a URI connection what follows the host is the schema."""
        assert "schema is set" in refused(host="kd.example.com", schema="koodrive")

    @pytest.mark.parametrize(
        "host",
        [
            "http://kd.example.com",
            "http://intl.myhuaweicloud-koodrive.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://2130706433",
            "http://10.0.0.1:8080",
        ],
    )
    def test_plain_http(self, host):
        assert "without TLS" in refused(host=host)
        assert settings_from(connection({"allow_http": "true"}, host=host)).endpoint == host

    @pytest.mark.parametrize(
        "host",
        [
            "https://",
            "ftp://kd.example.com",
            "kd example.com",
            "[::1",
            "kd.example.com:port",
            "a:99999",
            "a\nb",
        ],
    )
    def test_no_endpoint(self, host):
        assert "is not an endpoint" in refused(host=host)

    @pytest.mark.parametrize("host", ["evil.example.com\\kd.example.com", "a<b", "a%2fb", "a^b"])
    def test_names_that_are_none(self, host):
        assert "is not an endpoint" in refused(host=host)

    @pytest.mark.parametrize(
        "host", [f"user:{SECRET}@kd.example.com", f"https://:{SECRET}@kd.example.com", "user@kd.example.com"]
    )
    def test_credentials(self, host):
        assert "must not hold credentials" in refused(host=host)

    @pytest.mark.parametrize("port", [-5, 0, 65536, 99999999, "0", "99999"])
    def test_a_number_that_is_no_port(self, port):
        assert f"port {port} is not a port; give a number from 1 to 65535" in refused(port=port)

    @pytest.mark.parametrize("port", [SECRET, 8443.5, [8443], 10**5000], ids=lambda port: type(port).__name__)
    def test_a_port_that_is_no_number(self, port):
        assert "port is not a number; give one from 1 to 65535" in refused(port=port)

    def test_port_0_of_the_host(self):
        assert "port 0 is not a port" in refused(host="kd.example.com:0")

    def test_two_ports(self):
        assert "contradict" in refused(host="kd.example.com:8443", port=443)


class TestSeconds:
    @pytest.mark.parametrize("field", ["connect_timeout", "read_timeout", "deadline"])
    @pytest.mark.parametrize("seconds", [0, -1, "0", 86401, "1e12", 1e300, "inf", "nan"])
    def test_refused(self, field, seconds):
        assert f"extra {field} {seconds!r} is wrong" in refused({field: seconds})

    @pytest.mark.parametrize("field", ["connect_timeout", "read_timeout", "deadline"])
    def test_a_day(self, field):
        assert getattr(settings_from(connection({field: "86400"})), field) == 86400


class TestHeaders:
    """What goes out as a header is refused where its field is known."""

    @pytest.mark.parametrize("wrong", ["a\nb", "a\r\nX-Admin: 1", "b\xfcro", "\u5f20", "a\x00", "a\tb"])
    @pytest.mark.parametrize(
        ("field", "given"),
        [
            ("login", lambda wrong: connection({"user_id": "150"}, login=wrong)),
            ("password", lambda wrong: connection(password=SECRET + wrong)),
            ("extra user_id", lambda wrong: connection({"user_id": wrong}, login="app")),
            ("extra language", lambda wrong: connection({"language": wrong})),
            ("extra token_prefix", lambda wrong: connection({"token_prefix": wrong})),
        ],
    )
    def test_refused(self, field, given, wrong):
        with pytest.raises(KooDriveConfigError) as caught:
            settings_from(given(wrong))
        assert str(caught.value).startswith(f"connection 'my_drive': {field} holds a line break, a control")
        assert SECRET not in str(caught.value)

    def test_an_app_secret_is_no_header(self):
        settings = settings_from(connection({"user_id": "150"}, login="app", password="s\xe9cr\xe9t"))
        assert settings.password == "s\xe9cr\xe9t"

    def test_a_prefix_is_none_where_an_app_id_is_given(self):
        extra = {"user_id": "150", "token_prefix": "\xe9"}
        assert settings_from(connection(extra, login="app")).login == "app"


class TestRefused:
    @pytest.mark.parametrize("password", [None, ""])
    def test_no_password(self, password):
        assert "password" in refused(password=password)

    @pytest.mark.parametrize("extra", [{}, {"user_id": ""}, {"user_id": None}])
    def test_app_authentication_without_a_user(self, extra):
        assert "user_id is missing" in refused(extra, login="app-id")

    @pytest.mark.parametrize("extra", ["{", "no", "[1]", '"a"', "1", "null", "[" * 100_000])
    def test_extra_that_is_no_object(self, extra):
        assert "extra" in refused(extra)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("sign_host", "perhaps"),
            ("sign_host", 7),
            ("sign_host", []),
            ("api_edition", "2023-01"),
            ("api_edition", 2025),
            ("permission_template", "none"),
            ("permission_template", "-2"),
            ("permission_template", 1.5),
            ("connect_timeout", "soon"),
            ("connect_timeout", 0),
            ("connect_timeout", -1),
            ("read_timeout", "nan"),
            ("read_timeout", "inf"),
            ("read_timeout", "0"),
            ("max_attempts", 0),
            ("max_attempts", "-3"),
            ("max_attempts", 101),
            ("max_attempts", "2.5"),
            ("deadline", 0),
            ("deadline", "Infinity"),
            ("deadline", {}),
            ("verify", {}),
            ("proxies", "http://proxy:3128"),
            ("proxies", ["http://proxy:3128"]),
            ("proxies", {"https": None}),
            ("proxies", {"https": "http://"}),
            ("allow_http", "no way"),
            ("space_url", "javascript:alert(1)"),
            ("space_url", "//evil.example.com"),
            ("space_url", "https://a b"),
            ("space_url", "https://[drive"),
            ("space_url", "https://drive.example.com:port/"),
            ("user_id", []),
            ("user_id", 1.505084218764547e18),
            ("user_id", True),
            ("language", {}),
            ("token_prefix", []),
        ],
    )
    def test_extra(self, name, value):
        assert f"extra {name}" in refused({name: value})

    def test_an_id_that_was_rounded(self):
        assert "extra user_id 1.505084218764547e+18 is wrong: write it as text, in quotes" in refused(
            {"user_id": 1.505084218764547e18}
        )

    @pytest.mark.parametrize("placeholder", ["{name}", "{Id}", "{}", "{id", "id}", "{{id}}"])
    def test_placeholder_of_a_space_that_is_none(self, placeholder):
        message = refused({"space_url": f"https://drive.example.com/{placeholder}"})
        assert "{id} and {containerId} are the only placeholders" in message

    @pytest.mark.parametrize(
        "url",
        [
            f"https://app:{SECRET}@drive.example.com/{{id}}",
            f"https://app:{SECRET}/x@drive.example.com",
            f"//app:{SECRET}@drive.example.com",
            f"https://app:{SECRET}@[drive",
        ],
    )
    def test_credentials_in_the_address_of_a_space(self, url):
        assert "extra space_url is wrong" in refused({"space_url": url})

    @pytest.mark.parametrize(
        "proxy",
        [
            "ftp://proxy:3128",
            "socks://proxy:1080",
            f"user:{SECRET}@proxy:3128",
            f"ftp://user:{SECRET}@proxy:3128",
            "//proxy:3128",
            "proxy:3128",
        ],
    )
    def test_proxy_that_requests_cannot_use(self, proxy):
        message = refused({"proxies": {"https": proxy}})
        assert "must look like http://proxy.example.com:3128" in message
        assert "http, https, socks4, socks4a, socks5, socks5h" in message

    @pytest.mark.parametrize(
        "proxy",
        [
            "http://p:1",
            "HTTP://p:1",
            "https://p",
            "socks4a://p:1",
            "socks5h://p:1",
            "p.example.com:3128",
            "p",
        ],
    )
    def test_proxy_that_it_can_use(self, proxy):
        assert settings_from(connection({"proxies": {"https": proxy}})).proxies == {"https": proxy}

    @pytest.mark.parametrize(
        ("proxy", "warned"),
        [
            (f"http://user:{SECRET}@proxy:3128", True),
            (f"socks5://:{SECRET}@proxy:3128", True),
            ("http://user@proxy:3128", False),
            ("http://proxy:3128", False),
        ],
    )
    def test_a_proxys_password_among_the_proxies(self, caplog, proxy, warned):
        """Airflow 3.0 takes no extra of this name for a secret."""
        extra = {"proxies": {"http": proxy}, "proxy_password": "other"}
        assert settings_from(connection(extra)).proxies
        assert ["put it into extra proxy_password" in message for message in caplog.messages] == [
            True
        ] * warned
        assert SECRET not in caplog.text

    def test_a_proxys_password_is_not_shown(self):
        refused({"proxies": {"https": f"http://user:{SECRET}@"}})
        refused({"proxies": f"http://user:{SECRET}@proxy:3128"})

    def test_unknown_extras(self, caplog):
        settings_from(connection({"tiemout": 3, "proxi": SECRET, "deadline": 9}))
        (message,) = caplog.messages
        assert "'my_drive' has unknown extras, which are ignored: proxi, tiemout" in message
        assert SECRET not in message
