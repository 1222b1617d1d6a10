"""Deadlines, and a timeout for calls that have none, such as reading an Airflow connection."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

LONGEST_TIMEOUT_SECONDS = 86400.0  # a socket accepts no centuries
LONGEST_DEADLINE_SECONDS = 1e9  # a longer time overflows in calculations


class Deadline:
    """
    The moment at which a call, with all its attempts, is given up.

    :param seconds: seconds from now
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + min(seconds, LONGEST_DEADLINE_SECONDS)

    def left(self) -> float:
        """Return the seconds until the deadline, never negative."""
        return max(0.0, self._end - time.monotonic())


class TimeoutExpiredError(Exception):
    """A call did not end in time."""


def run_with_timeout(seconds: float, call: Callable[[], T]) -> T:
    """
    Run a blocking call with a timeout, in a thread that is left behind if the call does not end.

    If no thread can be started, the call runs in this one, without a timeout.

    :param seconds: seconds to wait for the call
    :param call: runs in a copy of the caller's context
    :return: the call's result
    :raises TimeoutExpiredError: the call has not ended in time
    :raises Exception: the call raised it
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as err:
            result.set_exception(err)

    thread = threading.Thread(target=copy_context().run, args=(run,), name="koodrive-timeout", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # no thread can be started any more: a late result is better than none
        run()
    if not wait([result], seconds).done:
        raise TimeoutExpiredError
    return result.result()
