"""An end for what knows none by itself, such as looking up a host's name."""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class TooLateError(Exception):
    """What was called has not ended in time."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """
    Call in a thread that can be left behind.

    :raises TooLateError: it has not ended after so many seconds
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(call())
        except BaseException as err:
            result.set_exception(err)

    context = copy_context()
    threading.Thread(target=context.run, args=(run,), name="koodrive-patience", daemon=True).start()
    if not wait([result], seconds).done:
        raise TooLateError
    return result.result()
