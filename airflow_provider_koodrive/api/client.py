"""KooDriveClient: one session, and the one method that sends."""

from __future__ import annotations

import logging
import random
import time
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.request import getproxies

import requests
import tenacity
import urllib3.exceptions

from airflow_provider_koodrive.api.auth import AppAuth
from airflow_provider_koodrive.api.endpoints import Endpoint
from airflow_provider_koodrive.api.http.adapter import (
    ACCEPT_ENCODING,
    DeadlineAdapter,
    Transfer,
    current_transfer,
    read_body,
)
from airflow_provider_koodrive.api.http.envelope import open_envelope
from airflow_provider_koodrive.api.http.errors import connection_error
from airflow_provider_koodrive.api.http.headers import header_value, server_date
from airflow_provider_koodrive.api.http.proxies import check_proxy, has_password, proxy_secrets
from airflow_provider_koodrive.api.http.redaction import SHORTEST_SECRET, Redactor
from airflow_provider_koodrive.api.http.request import (
    CallContext,
    checked_method,
    checked_path,
    encode_body,
    new_trace_id,
    prepare,
    query_string,
    url_of,
)
from airflow_provider_koodrive.api.http.retry import (
    LONGEST_RETRY_AFTER_SECONDS,
    Outcome,
    classify,
    wait_seconds,
)
from airflow_provider_koodrive.api.http.server_clock import ServerClock
from airflow_provider_koodrive.api.http.timeouts import LONGEST_TIMEOUT_SECONDS, Deadline
from airflow_provider_koodrive.exceptions import (
    KooDriveConnectionError,
    KooDriveError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_koodrive.api.auth import TokenAuth

log = logging.getLogger(__name__)

T = TypeVar("T")


class KooDriveClient:
    """
    A client of KooDrive's REST API; usable without Airflow.

    :param endpoint: scheme, host and, where needed, port, e.g. ``https://intl.myhuaweicloud-koodrive.com``
    :param auth: :class:`~airflow_provider_koodrive.api.auth.AppAuth` or
        :class:`~airflow_provider_koodrive.api.auth.TokenAuth`
    :param language: ``language`` header, e.g. ``en-US``; None does not send it
    :param connect_timeout: seconds to wait for a connection
    :param read_timeout: seconds to wait between two packets of a response
    :param max_attempts: attempts for one call
    :param deadline: seconds for one call with all its attempts
    :param verify: as in ``requests``: True, False, or the path of a CA bundle
    :param proxies: as in ``requests``
    :param user_agent: ``User-Agent`` header
    :param backoff: upper bound of the first wait between two attempts, in seconds; doubles each time
    :param longest_retry_after: seconds up to which a ``Retry-After`` of KooDrive is honoured
    :raises KooDriveConfigError: a header's value holds a line break, a control or a non-ASCII character
    """

    def __init__(
        self,
        endpoint: str,
        auth: AppAuth | TokenAuth,
        *,
        language: str | None = None,
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
        max_attempts: int = 5,
        deadline: float = 300.0,
        verify: bool | str = True,
        proxies: Mapping[str, str] | None = None,
        user_agent: str = "airflow-provider-koodrive",
        backoff: float = 1.0,
        longest_retry_after: float = LONGEST_RETRY_AFTER_SECONDS,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.auth = auth
        self.max_attempts = max_attempts
        self._connect_timeout = min(connect_timeout, LONGEST_TIMEOUT_SECONDS)
        self._read_timeout = min(read_timeout, LONGEST_TIMEOUT_SECONDS)
        self._deadline_seconds = deadline
        self._backoff = backoff
        self._longest_retry_after = longest_retry_after
        self.clock = ServerClock()
        self._verify = verify
        self._proxies = dict(proxies or {})
        self._redactor = self._new_redactor()
        self._session = _Session()
        self._session.mount("https://", DeadlineAdapter())
        self._session.mount("http://", DeadlineAdapter())
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": ACCEPT_ENCODING,
            "Connection": "keep-alive",
            "User-Agent": header_value("User-Agent", user_agent),
        }
        if language is not None:
            self._headers["language"] = header_value("language", language)

    @cached_property
    def _route(self) -> dict[str, Any]:
        # Looked up once: requests reads the whole environment for it, which costs as much as the sending.
        route = self._session.merge_environment_settings(
            self.endpoint, self._proxies, stream=True, verify=self._verify, cert=None
        )
        if proxy := requests.utils.select_proxy(self.endpoint, route["proxies"]):
            check_proxy(proxy)
        return dict(route)

    def _new_redactor(self) -> Redactor:
        environment = (address for scheme, address in getproxies().items() if scheme != "no")
        addresses = [str(address) for address in (self.endpoint, *self._proxies.values(), *environment)]
        secrets = list(self.auth.secrets())
        passwords = [secret for address in addresses for secret in proxy_secrets(address)]
        _warn_if_short("The App secret or access token", secrets)
        _warn_if_short("The password of a proxy", passwords if any(map(has_password, addresses)) else [])
        return Redactor([*secrets, *passwords])

    def redact(self, text: str) -> str:
        """Remove the client's secrets from a text of a log, an error or a message."""
        return self._redactor.redact(text)

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def new_context(self) -> CallContext:
        """Start a call: its deadline begins now, its trace id is new."""
        return CallContext(Deadline(self._deadline_seconds), new_trace_id())

    def call(
        self,
        endpoint: Endpoint[T],
        *,
        ids: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        context: CallContext | None = None,
    ) -> T:
        """
        Call KooDrive, with retries, and return the parsed result.

        Reads are repeated; a write is repeated only if KooDrive certainly did not carry it out.

        :param endpoint: the call, see :mod:`airflow_provider_koodrive.api.endpoints`
        :param ids: ids for the names in braces in the endpoint's path
        :param params: query parameters; None values are left out
        :param json: body, sent as UTF-8 JSON; None sends no body
        :param context: deadline and trace id; None for new ones
        :raises KooDriveError: of the kind that fits
        """
        context = context or self.new_context()
        send = partial(self.send, endpoint, context, ids=ids, params=params, json=json)
        # Most calls succeed at once, and the loop costs more than the rest of this method.
        try:
            return send()
        except KooDriveError as error:
            failures = [error]

        def attempt() -> T:
            if failures:
                raise failures.pop()
            return send()

        result: T = self.repeating(
            f"{endpoint.method} {endpoint.path_of(**(ids or {}))}",
            lambda error: classify(endpoint.method, error) is Outcome.NOT_APPLIED,
            context,
        )(attempt)
        return result

    def request(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None
    ) -> dict[str, Any]:
        """
        Call any path of KooDrive and return its envelope; see :meth:`call`.

        :param method: HTTP method
        :param path: path below ``/koodrive/``, without a query
        :param params: query parameters; None values are left out
        :param json: body, sent as UTF-8 JSON; None sends no body
        :raises KooDriveValidationError: the method, path, query or body cannot be sent
        :raises KooDriveError: of the kind that fits
        """
        return self.call(
            Endpoint(checked_method(method), checked_path(path), (), _whole, "any"), params=params, json=json
        )

    def repeating(
        self,
        what: str,
        again: Callable[[KooDriveError], bool],
        context: CallContext,
    ) -> tenacity.Retrying:
        """
        Return the loop of one call: attempts, waits and a warning for each wait.

        :param what: the call, for the log
        :param again: whether an error leads to another attempt
        :param context: no attempt starts after its deadline
        """

        def warn(state: tenacity.RetryCallState) -> None:
            log.warning(
                "Attempt %s of %s of %s failed: %s; next in %.1f s (trace id %s)",
                state.attempt_number,
                self.max_attempts,
                what,
                state.outcome.exception() if state.outcome else None,
                state.upcoming_sleep,
                context.trace_id,
            )

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, KooDriveError) and again(error)
            ),
            wait=lambda state: self.backoff_seconds(
                state.attempt_number, state.outcome.exception() if state.outcome else None
            ),
            stop=tenacity.stop_before_delay(context.deadline.left())
            | tenacity.stop_after_attempt(self.max_attempts),
            before_sleep=warn,
            reraise=True,
        )

    def backoff_seconds(self, attempt: int, error: BaseException | None, *, jitter: bool = True) -> float:
        """
        Return the seconds to wait after an attempt.

        :param attempt: number of the attempt that failed, from 1
        :param error: its error, which may have a ``Retry-After``
        :param jitter: whether the wait may be shorter than the backoff
        """
        return wait_seconds(
            attempt,
            error,
            backoff=self._backoff,
            jitter=random.random() if jitter else 1.0,  # noqa: S311 - jitter needs no cryptography
            longest_retry_after=self._longest_retry_after,
        )

    def send(
        self,
        endpoint: Endpoint[T],
        context: CallContext,
        *,
        ids: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
    ) -> T:
        """
        Send one request, once, and return the parsed result; see :meth:`call`.

        :raises KooDriveError: of the kind that fits, with the call's details
        """
        method, path, trace_id = endpoint.method, endpoint.path_of(**(ids or {})), context.trace_id
        query, body = query_string(params), encode_body(json)
        started = time.monotonic()
        try:
            exchange = partial(self._exchange, method, path, query, body, context, endpoint.success_fields)
            envelope = (
                self.clock.exchange_signed(self.auth, context.deadline, exchange)
                if isinstance(self.auth, AppAuth)
                else exchange()
            )
            result = endpoint.parse(envelope)
        except KooDriveError as error:
            error.trace_id, error.method, error.path = trace_id, method, path
            # A parser's error may show a value of the response, which may be anything.
            error.args = (self.redact(str(error.args[0])), *error.args[1:])
            log.debug("%s %s failed: %s", method, path, error)
            # The frames below hold the request and the response, in which a server may have repeated secrets.
            error.__context__ = None
            raise error.with_traceback(None) from None
        milliseconds = (time.monotonic() - started) * 1000
        log.debug("%s %s succeeded after %.0f ms (trace id %s)", method, path, milliseconds, trace_id)
        return result

    def _transmit(
        self, prepared: requests.PreparedRequest, seconds: float, redactor: Redactor
    ) -> tuple[requests.Response, bytes]:
        response = self._session.send(
            prepared,
            timeout=(min(self._connect_timeout, seconds), min(self._read_timeout, seconds)),
            allow_redirects=False,
            **self._route,
        )
        with response:
            self.clock.last_date = server_date(response.headers)
            return response, read_body(response, redactor.redact)

    def _exchange(
        self,
        method: str,
        path: str,
        query: str,
        body: bytes | None,
        context: CallContext,
        expects: Sequence[str],
    ) -> dict[str, Any]:
        left = _checked(context.deadline)
        transfer = Transfer(context.deadline, self._read_timeout)
        token = current_transfer.set(transfer)
        redactor = self._redactor
        try:
            headers = {**self._headers, "X-Traceid": context.trace_id}
            prepared = prepare(method, url_of(self.endpoint, path) + query, headers, body, self.auth)
            redactor = redactor.with_signature(str(prepared.headers.get("Authorization", "")))
            response, answer = self._transmit(prepared, left, redactor)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as err:
            raise connection_error(err, transfer.sent, redactor.redact) from None
        except BaseException as err:
            # A task's time-out, a signal: the frames below hold the proxy's password.
            err.__context__ = None
            raise err.with_traceback(None) from None
        finally:
            current_transfer.reset(token)
        return open_envelope(
            response.status_code,
            response.headers,
            answer,
            expects=expects,
            redact=redactor.redact,
            signed=isinstance(self.auth, AppAuth),
        )


def _checked(deadline: Deadline) -> float:
    """Return the seconds left; raise an error if the deadline has passed."""
    left = deadline.left()
    if left <= 0:
        advice = KooDriveConnectionError.advice_for_deadline
        raise KooDriveConnectionError("not sent, since the deadline has passed", advice=advice, sent=False)
    return left


def _warn_if_short(name: str, secrets: Iterable[str]) -> None:
    if any(len(secret) < SHORTEST_SECRET for secret in secrets):
        log.warning(
            "%s has fewer than %s characters, so it is not removed from errors and logs: choose a longer one",
            name,
            SHORTEST_SECRET,
        )


def _whole(envelope: dict[str, Any]) -> dict[str, Any]:
    return envelope


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        # Even with allow_redirects=False, requests parses Location and reads the whole body of a redirect.
        return None
