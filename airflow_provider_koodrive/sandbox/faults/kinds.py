"""The kinds of faults, one class each: options, summary, behaviour."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_provider_koodrive.sandbox import clock
from airflow_provider_koodrive.sandbox.faults.fault import (
    Code,
    Count,
    Fault,
    Flag,
    HeaderValue,
    Seconds,
    Skew,
    Status,
    Text,
)
from airflow_provider_koodrive.sandbox.faults.responses import NoResponse, SlowResponse
from airflow_provider_koodrive.sandbox.service.envelope import CODE_INTERNAL, CODE_THROTTLED, RefusalError
from airflow_provider_koodrive.sandbox.service.operations import LISTS
from airflow_provider_koodrive.sandbox.service.responses import dated_response, refusal_response

if TYPE_CHECKING:
    from starlette.responses import Response

    from airflow_provider_koodrive.sandbox.service.call import Call


class RefuseConnection(Fault):
    kind = "refuse_connection"
    summary = "The connection is cut, and for `seconds` the port refuses every new one."
    seconds: Seconds = 0.5

    def respond(self, call: Call, response: Response) -> Response:  # noqa: ARG002
        return NoResponse(refuse_for=self.seconds)


class DropBeforeCommit(Fault):
    kind = "drop_before_commit"
    summary = "The connection is cut; nothing was done."

    def respond(self, call: Call, response: Response) -> Response:  # noqa: ARG002
        return NoResponse()


class DropAfterCommit(DropBeforeCommit):
    kind = "drop_after_commit"
    summary = "The connection is cut; the work was done."
    commits = True


class HangBeforeCommit(Fault):
    kind = "hang_before_commit"
    summary = "No response until the client leaves or `seconds` have passed, then a cut; nothing was done."
    seconds: Seconds = 600.0

    def respond(self, call: Call, response: Response) -> Response:  # noqa: ARG002
        return NoResponse(after=self.seconds)


class HangAfterCommit(HangBeforeCommit):
    kind = "hang_after_commit"
    summary = "As hang_before_commit, but the work was done."
    commits = True


class Error500Before(Fault):
    kind = "error_500_before"
    summary = "HTTP 500 with code 13000201; nothing was done."

    def respond(self, call: Call, response: Response) -> Response:  # noqa: ARG002
        msg = "Call internal server failed. Please try again later."
        return refusal_response(
            call.response_format, RefusalError(CODE_INTERNAL, msg, http_status=500), call.server_time
        )


class Error500AfterCommit(Error500Before):
    kind = "error_500_after_commit"
    summary = "HTTP 500 with code 13000201; the work was done."
    commits = True


class _RetryAfter(Fault):
    seconds: Seconds = 1.0
    date: Flag = False

    def _refuse(self, call: Call, code: int | str, msg: str, status: int) -> Response:
        seconds = math.ceil(self.seconds)
        header = clock.http_date(call.server_time + seconds) if self.date else str(seconds)
        refusal = RefusalError(code, msg, http_status=status)
        return refusal_response(
            call.response_format, refusal, call.server_time, headers={"Retry-After": header}
        )


class Error503RetryAfter(_RetryAfter):
    kind = "error_503_retry_after"
    summary = "HTTP 503 with Retry-After of `seconds`, as a number or as a `date`; nothing was done."

    def respond(self, call: Call, response: Response) -> Response:  # noqa: ARG002
        return self._refuse(call, CODE_INTERNAL, "The service is unavailable.", 503)


class Throttle429(_RetryAfter):
    kind = "throttle_429"
    summary = "HTTP 429 with Retry-After of `seconds`, as a number or as a `date`; nothing was done."

    def respond(self, call: Call, response: Response) -> Response:  # noqa: ARG002
        return self._refuse(call, CODE_THROTTLED, "The throttling threshold has been reached.", 429)


class GatewayHtml(Fault):
    kind = "gateway_html"
    summary = "HTTP `status` with an HTML page; nothing was done unless `committed`."
    status: Status = 502
    committed: Flag = False

    def respond(self, call: Call, response: Response) -> Response:  # noqa: ARG002
        status = HTTPStatus(self.status)
        title = f"{status.value} {status.phrase}"
        page = f"<html><head><title>{title}</title></head><body>{status.phrase}</body></html>"
        return dated_response(page.encode(), status.value, call.server_time, media_type="text/html")


class TruncatedJson(Fault):
    kind = "truncated_json"
    summary = "The first half of the JSON; the work was done."
    commits = True

    def respond(self, call: Call, response: Response) -> Response:
        body = bytes(response.body)
        return dated_response(body[: len(body) // 2], response.status_code, call.server_time)


class WrongTypeJson(Fault):
    kind = "wrong_type_json"
    summary = "HTTP 200 with `body`, which is JSON but no object; the work was done."
    commits = True
    body: Text = "[]"

    def respond(self, call: Call, response: Response) -> Response:  # noqa: ARG002
        return dated_response(self.body.encode(), 200, call.server_time)


class Error200(Fault):
    kind = "error_200"
    summary = "HTTP 200 with error `code`; nothing was done unless `committed`."
    code: Code = CODE_INTERNAL
    committed: Flag = False

    def respond(self, call: Call, response: Response) -> Response:  # noqa: ARG002
        refusal = RefusalError(self.code, "inner server invoke failure", http_status=200)
        return refusal_response(call.response_format, refusal, call.server_time)


class Redirect(Fault):
    kind = "redirect"
    summary = "HTTP 302 to `location`; nothing was done."
    location: HeaderValue = "http://elsewhere.invalid/"

    def respond(self, call: Call, response: Response) -> Response:  # noqa: ARG002
        return dated_response(b"", 302, call.server_time, headers={"Location": self.location})


class SlowBody(Fault):
    kind = "slow_body"
    summary = "The response trickles in over `seconds`; the work was done."
    commits = True
    seconds: Seconds = 10.0

    def respond(self, call: Call, response: Response) -> Response:  # noqa: ARG002
        return SlowResponse(response, self.seconds)


class ExpiredToken(Fault):
    kind = "expired_token"
    summary = "HTTP 401, as if the token or the signature's X-Date had expired; nothing was done."
    replaces_response = False

    def change(self, call: Call) -> None:
        call.expired = True


class ClockSkew(Fault):
    kind = "clock_skew"
    summary = (
        "The server's clock is `seconds` ahead (negative: behind); the work is done if the call is accepted."
    )
    commits = True
    replaces_response = False
    seconds: Skew = -3600.0

    def change(self, call: Call) -> None:
        call.skew = self.seconds


class MemberFailures(Fault):
    kind = "member_failures"
    summary = "The first `count` members land in failedList; the rest of the work is done."
    commits = True
    operations = ("create", "batchAdd", "batchDelete")
    replaces_response = False
    count: Count = 1

    def change(self, call: Call) -> None:
        call.failing_members = self.count


class StaleList(Fault):
    kind = "stale_list"
    summary = (
        "A create: lists show the new space only after `seconds`. A list: it leaves out all spaces that are "
        "younger than `seconds`. The work is done."
    )
    commits = True
    operations = ("create", *LISTS)
    replaces_response = False
    seconds: Seconds = 2.0

    def change(self, call: Call) -> None:
        call.stale_seconds = self.seconds


KINDS: dict[str, type[Fault]] = {
    fault.kind: fault
    for fault in (
        RefuseConnection,
        DropBeforeCommit,
        DropAfterCommit,
        HangBeforeCommit,
        HangAfterCommit,
        Error500Before,
        Error500AfterCommit,
        Error503RetryAfter,
        Throttle429,
        GatewayHtml,
        TruncatedJson,
        WrongTypeJson,
        Error200,
        Redirect,
        SlowBody,
        ExpiredToken,
        ClockSkew,
        MemberFailures,
        StaleList,
    )
}
"""The kinds of faults by name."""
