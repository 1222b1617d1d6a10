"""An end for what knows none by itself, such as looking up a host's name."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


LONGEST_DEADLINE_SECONDS = 1e9  # what is longer cannot be calculated with


class Deadline:
    """
    The moment after which a call with all its attempts is given up.

    :param seconds: seconds from now
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + min(seconds, LONGEST_DEADLINE_SECONDS)

    def left(self) -> float:
        """Return the seconds until then, never negative."""
        return max(0.0, self._end - time.monotonic())


class TooLateError(Exception):
    """What was called has not ended in time."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """
    Call in a thread that can be left behind; without an end where no thread can be started.

    :raises TooLateError: it has not ended after so many seconds
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as err:
            result.set_exception(err)

    thread = threading.Thread(target=copy_context().run, args=(run,), name="koodrive-patience", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # no thread can be started any more: better late than never
        run()
    if not wait([result], seconds).done:
        raise TooLateError
    return result.result()
