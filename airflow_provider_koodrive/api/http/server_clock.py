"""KooDrive's clock, as far as the ``Date`` headers of its answers tell it."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import pendulum

if TYPE_CHECKING:
    from datetime import datetime

MOST_ANSWERS = 16

# A Date header has whole seconds, and an answer takes its time: up to so much shows no difference.
AGREEMENT_SECONDS = 2.0


class ServerClock:
    """
    What the last answers have told of KooDrive's time.

    One of them may be wrong, such as a load balancer's, so what most of them tell counts. The clock here and
    KooDrive's are taken to be equal unless that shows otherwise.
    """

    def __init__(self) -> None:
        self._skews: deque[float] = deque(maxlen=MOST_ANSWERS)
        self._dates = threading.local()

    @property
    def last_date(self) -> datetime | None:
        """The ``Date`` of the last response to a call of this thread, None if it had none."""
        return getattr(self._dates, "last", None)

    @last_date.setter
    def last_date(self, date: datetime | None) -> None:
        self._dates.last = date

    def hear(self, skew: float | None) -> None:
        """
        Take in what an answer has told.

        :param skew: seconds by which this machine's clock is ahead of KooDrive's; None where it does not tell
        """
        if skew is not None:
            self._skews.append(skew)

    @property
    def was_told(self) -> bool:
        """Whether any answer has told the time."""
        return bool(self._skews)

    def now(self) -> pendulum.DateTime:
        """Return KooDrive's present time, by the last answer that told it."""
        return pendulum.now("UTC").subtract(seconds=self._skews[-1] if self._skews else 0.0)

    def at(self, moment: pendulum.DateTime) -> tuple[pendulum.DateTime, pendulum.DateTime]:
        """
        Return what KooDrive's clock showed at the earliest and at the latest.

        :param moment: a time by this machine's clock
        """
        skews = self._agreeing()
        if all(0 <= skew <= AGREEMENT_SECONDS for skew in skews):
            return moment, moment
        latest = moment.subtract(seconds=min(skews)).add(seconds=AGREEMENT_SECONDS)
        return moment.subtract(seconds=max(skews)), latest

    def _agreeing(self) -> list[float]:
        """Of answers that agree the most; where two sides are as many, those closer to this machine's."""
        skews = list(self._skews)
        groups = ([skew for skew in skews if least <= skew <= least + AGREEMENT_SECONDS] for least in skews)
        return max(groups, key=lambda group: (len(group), -abs(group[0])), default=[])
