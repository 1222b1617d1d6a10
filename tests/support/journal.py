"""What a task remembers from try to try, and a worker that dies."""

from __future__ import annotations

import json
from typing import Any


class KilledError(BaseException):
    """The worker dies."""


class Journal:
    """
    A journal in memory.

    :param noted: what an earlier try has noted
    :param dies_after: number of the note after which the worker dies, 0 for never
    """

    def __init__(self, noted: dict[str, Any] | None = None, *, dies_after: int = 0) -> None:
        self.noted = noted
        self.history: list[dict[str, Any]] = []
        self._dies_after = dies_after

    def read(self) -> dict[str, Any] | None:
        return self.noted

    def note(self, intent: dict[str, Any]) -> None:
        # As Airflow stores it: plain JSON.
        self.noted = json.loads(json.dumps(intent, allow_nan=False))
        self.history.append(self.noted)
        if len(self.history) == self._dies_after:
            raise KilledError

    def forget(self) -> None:
        self.noted = None
