"""KooDrive's clock, which the ``Date`` headers of its responses show."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow_provider_koodrive.api.http.retry import Outcome, classify
from airflow_provider_koodrive.api.http.signing import SIGNATURE_SECONDS, signing_time
from airflow_provider_koodrive.exceptions import KooDriveAuthenticationError, KooDriveError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow_provider_koodrive.api.http.timeouts import Deadline

log = logging.getLogger(__name__)

T = TypeVar("T")

UNAUTHORIZED = 401


class Signer(Protocol):
    """Signs requests with the time of this machine, corrected by an offset in seconds."""

    clock_offset: float


class ServerClock:
    """KooDrive's clock as its responses show it; corrects this machine's clock for signatures."""

    def __init__(self) -> None:
        self._dates = threading.local()
        self._has_warned = False

    @property
    def last_date(self) -> datetime | None:
        """The ``Date`` of the last response to a call of this thread, None if it had none."""
        return getattr(self._dates, "last", None)

    @last_date.setter
    def last_date(self, date: datetime | None) -> None:
        self._dates.last = date

    def exchange_signed(self, signer: Signer, deadline: Deadline, exchange: Callable[[], T]) -> T:
        """
        Send a request; once more with KooDrive's time if the clock explains that its signature is refused.

        Only a request that was certainly not carried out is sent again, so this is safe for a write too. The
        offset stays for the requests that follow. If the second one is refused as well, a retry may run on a
        worker whose clock is right, so the error is retryable.

        :param signer: signs the request
        :param deadline: nothing is sent after it
        :param exchange: sends the request and returns the response's envelope
        :raises KooDriveError: of the kind that fits
        """
        offset, signed_at = signer.clock_offset, signing_time(signer.clock_offset)
        try:
            return exchange()
        except KooDriveError as error:
            right_offset = self._explains(error, signed_at)
            if right_offset is None or deadline.left() <= 0:
                raise
        signer.clock_offset = right_offset
        self._warn(right_offset)
        try:
            return exchange()
        except KooDriveError as error:
            if _is_refused_signature(error):
                signer.clock_offset = offset
                _blame_clock(error, right_offset)
                error.advice += f"; if that does not help, {KooDriveAuthenticationError.advice_for_app}"
            raise

    def _explains(self, error: KooDriveError, signed_at: int) -> float | None:
        """Return the right offset if a signature of that time cannot hold by KooDrive's clock, else None."""
        date = self.last_date
        if date is None or not _is_refused_signature(error):
            return None
        age = date.timestamp() - signed_at
        if 0 < age < SIGNATURE_SECONDS:
            return None
        right_offset = date.timestamp() - time.time()
        _blame_clock(error, right_offset)
        return right_offset

    def _warn(self, right_offset: float) -> None:
        if not self._has_warned:
            self._has_warned = True
            advice = KooDriveAuthenticationError.advice_for_clock(-right_offset)
            log.warning("Requests are signed with KooDrive's time; %s", advice)


def _is_refused_signature(error: KooDriveError) -> bool:
    refused = error.http_status == UNAUTHORIZED or isinstance(error, KooDriveAuthenticationError)
    # With a code of KooDrive's own failures, even a 401 leaves the outcome of a write unknown.
    return refused and classify("POST", error) is Outcome.REJECTED


def _blame_clock(error: KooDriveError, right_offset: float) -> None:
    error.retryable = True
    error.advice = KooDriveAuthenticationError.advice_for_clock(-right_offset)
