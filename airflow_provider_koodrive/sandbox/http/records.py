"""Records of the calls."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RECORDS = 100_000


@dataclass(frozen=True)
class CallRecord:
    """
    A call to the sandbox; holds no secrets.

    :param operation: name of the operation, such as ``create`` or ``groupList``
    :param method: HTTP method
    :param path: path without the query
    :param query: parameters of the query
    :param status: HTTP status of the response, None if none was sent
    :param trace_id: ``X-Traceid`` of the request
    :param user_id: the user on whose behalf the call ran, None if authentication failed
    :param committed: whether the call has changed the stored data
    :param faults: kinds of the faults that were applied to it
    """

    operation: str
    method: str
    path: str
    query: Mapping[str, str]
    status: int | None
    trace_id: str | None
    user_id: str | None
    committed: bool
    faults: tuple[str, ...]


class Records:
    """The last 100,000 calls; safe to read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: deque[CallRecord] = deque(maxlen=MAX_RECORDS)
        self._authorizations: deque[str] = deque(maxlen=MAX_RECORDS)

    def add(self, record: CallRecord, authorization: str | None) -> None:
        with self._lock:
            self._records.append(record)
            if authorization is not None:
                self._authorizations.append(authorization)

    def all(self) -> list[CallRecord]:
        with self._lock:
            return list(self._records)

    def authorizations(self) -> list[str]:
        with self._lock:
            return list(self._authorizations)
