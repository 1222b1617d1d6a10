"""Tracebacks that show every frame's variables, as rich and error trackers do, show no secret."""

from __future__ import annotations

import json
import signal
import threading
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from rich.pretty import pretty_repr
from support.raw_server import RawServer

from airflow_provider_koodrive.exceptions import KooDriveError
from airflow_provider_koodrive.hooks.koodrive import KooDriveHook
from airflow_provider_koodrive.sandbox.faults.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from support.raw_server import Exchange

    from airflow_provider_koodrive.sandbox.server import Sandbox

SECRET = "5ec12e7a" * 8

MALFORMED: dict[str, dict[str, Any]] = {
    "token with a line break": {"password": f"{SECRET}\nx"},
    "long token with a line break": {"password": f"{SECRET * 10}\nx"},
    "prefix with a line break": {"password": SECRET, "extra": {"token_prefix": "a\nb"}},
    "app id with a line break": {"login": "app\nid", "password": SECRET, "extra": {"user_id": "1"}},
    "user id that is not ASCII": {"login": "app", "password": SECRET, "extra": {"user_id": "é"}},
    "no user id": {"login": "app", "password": SECRET},
    "number that is none": {"password": SECRET, "extra": {"read_timeout": "x"}},
    "proxies that are none": {"password": "token", "extra": {"proxies": f"http://u:{SECRET}@proxy"}},
    "proxy that refuses": {
        "password": "token",
        "extra": {"proxies": {"http": f"http://u:{SECRET}@127.0.0.1:9"}, "max_attempts": 1},
    },
    "host with a path": {"password": SECRET, "host": "https://koodrive.example/path"},
    "host with credentials": {"password": "token", "host": f"https://u:{SECRET}@koodrive.example"},
    "host where nothing listens": {"password": SECRET, "extra": {"max_attempts": 1}},
}


@pytest.fixture
def hook_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], KooDriveHook]:
    def hook_of(connection: dict[str, Any]) -> KooDriveHook:
        text = json.dumps({"conn_type": "koodrive", "host": "http://127.0.0.1:9", **connection})
        monkeypatch.setenv("AIRFLOW_CONN_KOODRIVE_DEFAULT", text)
        return KooDriveHook()

    return hook_of


def below_this_file(error: BaseException) -> TracebackType | None:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def frames(error: BaseException) -> Iterator[str]:
    """Write out every variable of every frame, also of the errors that no traceback would show."""
    todo: list[BaseException | None] = [error]
    while todo:
        link = todo.pop()
        if link is None:
            continue
        todo += [link.__cause__, None if link.__context__ is link.__cause__ else link.__context__]
        trace = below_this_file(link)
        while trace is not None:
            for name, value in trace.tb_frame.f_locals.items():
                # rich looks into dataclasses and the like by itself.
                yield f"{name} = {value!r} = {pretty_repr(value)}"
            trace = trace.tb_next


def everything(error: BaseException) -> str:
    """Write an error with all that belongs to it."""
    return "\n".join([repr(error), str(error), repr(vars(error)), *frames(error)])


def test_the_search_finds_a_variable() -> None:
    with pytest.raises(ValueError, match="property name") as caught:
        json.loads(f"{{{SECRET}")
    assert everything(caught.value).count(SECRET) > 1


@pytest.mark.parametrize("connection", MALFORMED.values(), ids=MALFORMED)
def test_a_wrong_connection_shows_no_secret(
    hook_of: Callable[[dict[str, Any]], KooDriveHook], connection: dict[str, Any]
) -> None:
    with pytest.raises(KooDriveError) as caught:
        hook_of(connection).list_group_spaces()
    assert SECRET not in everything(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_token", [False, True], ids=["app", "token"])
def test_a_failed_call_shows_no_secret(
    koodrive_sandbox: Sandbox,
    hook_of: Callable[[dict[str, Any]], KooDriveHook],
    kind: str,
    with_token: bool,
) -> None:
    token = koodrive_sandbox.issue_token()
    connection = json.loads(koodrive_sandbox.connection_json(token=token if with_token else None))
    hasty = {**connection.get("extra", {}), "read_timeout": 0.2, "max_attempts": 1, "deadline": 1}
    hook = hook_of({**connection, "extra": hasty})
    koodrive_sandbox.faults.add("*", kind)

    errors = [error for error in map(error_of, calls(hook, koodrive_sandbox)) if error is not None]

    shown = "\n".join([repr([hook, hook.settings, hook.client, hook.client.auth]), *map(everything, errors)])
    sent = set(koodrive_sandbox.authorizations)
    signatures = {header.rpartition("Signature=")[2] for header in sent}
    assert sent
    assert [
        secret for secret in {koodrive_sandbox.app_secret, token, *sent, *signatures} if secret in shown
    ] == []


class TimeIsUpError(BaseException):
    """What Airflow raises in the middle of anything when a task's time is up."""


def test_a_signal_in_the_middle_of_a_call_shows_no_secret(
    hook_of: Callable[[dict[str, Any]], KooDriveHook],
) -> None:
    def fail(exchange: Exchange) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        exchange.hang()

    def time_is_up(*_: object) -> None:
        raise TimeIsUpError

    before = signal.signal(signal.SIGUSR1, time_is_up)
    try:
        with RawServer(fail) as proxy:
            proxies = {"http": f"http://user:{SECRET}@127.0.0.1:{proxy.port}"}
            hook = hook_of({"password": f"token{SECRET}", "extra": {"proxies": proxies}})
            with pytest.raises(TimeIsUpError) as caught:
                hook.list_group_spaces()
            assert proxy.requests[0].has("Proxy-Authorization")
    finally:
        signal.signal(signal.SIGUSR1, before)
    shown = everything(caught.value)
    assert SECRET not in shown
    assert b64encode(f"user:{SECRET}".encode()).decode() not in shown


def calls(hook: KooDriveHook, sandbox: Sandbox) -> list[Callable[[], Any]]:
    return [
        hook.list_group_spaces,
        lambda: hook.find_group_space("Finance"),
        lambda: hook.create_group_space("Finance", user_ids=sandbox.user_ids[:2]),
        lambda: hook.request("DELETE", "/koodrive/ose/v1/space/group/42"),
    ]


def error_of(call: Callable[[], Any]) -> KooDriveError | None:
    try:
        call()
    except KooDriveError as error:
        return error
    return None
