"""
The fault plan: what shall go wrong, at which calls, how often.

::

    sandbox.faults.add("create", "drop_after_commit", times=1)
    sandbox.faults.add("*", "error_500_before", probability=0.3, seed=7)

:data:`KINDS` lists the kinds of faults, with the options that each takes, and says whether a call that is
struck has changed what KooDrive stores.
"""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_koodrive.sandbox.faults import settings as fault_settings
from airflow_provider_koodrive.sandbox.service.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OPERATION_NAMES = tuple(dict.fromkeys(operation.name for operation in OPERATIONS))
_LISTS = ("groupList", "teamList")
ALIASES = {"*": OPERATION_NAMES, "list": _LISTS}


class Kind(NamedTuple):
    """
    A kind of fault.

    :param summary: what a client sees
    :param committed: whether a call that is struck does its work first; an option of this name overrides it
    :param options: options with their defaults; every ``seconds`` is in seconds
    :param operations: the operations that it can strike
    :param replaces_answer: whether it takes the answer's place; else it changes how the call is handled
    """

    summary: str
    committed: bool
    options: Mapping[str, Any] = {}
    operations: tuple[str, ...] = OPERATION_NAMES
    replaces_answer: bool = True


_CHANGES_MEMBERS = ("create", "batchAdd", "batchDelete")
_RETRY_AFTER = {"seconds": 1.0, "date": False}

KINDS: dict[str, Kind] = {
    "refuse_connection": Kind(
        "The connection is cut, and for `seconds` the port refuses every new one.", False, {"seconds": 0.5}
    ),
    "drop_before_commit": Kind("The connection is cut; nothing was done.", False),
    "drop_after_commit": Kind("The connection is cut; the work was done.", True),
    "hang_before_commit": Kind(
        "No answer until the client leaves or `seconds` have passed, then a cut; nothing was done.",
        False,
        {"seconds": 600.0},
    ),
    "hang_after_commit": Kind("As hang_before_commit, but the work was done.", True, {"seconds": 600.0}),
    "error_500_before": Kind("HTTP 500 with code 13000201; nothing was done.", False),
    "error_500_after_commit": Kind("HTTP 500 with code 13000201; the work was done.", True),
    "error_503_retry_after": Kind(
        "HTTP 503 with Retry-After of `seconds`, as a number or as a `date`; nothing was done.",
        False,
        _RETRY_AFTER,
    ),
    "throttle_429": Kind(
        "HTTP 429 with Retry-After of `seconds`, as a number or as a `date`; nothing was done.",
        False,
        _RETRY_AFTER,
    ),
    "gateway_html": Kind(
        "HTTP `status` with an HTML page; nothing was done unless `committed`.",
        False,
        {"status": 502, "committed": False},
    ),
    "truncated_json": Kind("The first half of the JSON; the work was done.", True),
    "wrong_type_json": Kind(
        "HTTP 200 with `body`, which is JSON but no object; the work was done.", True, {"body": "[]"}
    ),
    "error_200": Kind(
        "HTTP 200 with error `code`; nothing was done unless `committed`.",
        False,
        {"code": 13000201, "committed": False},
    ),
    "redirect": Kind(
        "HTTP 302 to `location`; nothing was done.", False, {"location": "http://elsewhere.invalid/"}
    ),
    "slow_body": Kind("The answer trickles in over `seconds`; the work was done.", True, {"seconds": 10.0}),
    "expired_token": Kind(
        "HTTP 401, as if the token or the signature's X-Date had run out; nothing was done.",
        False,
        replaces_answer=False,
    ),
    "clock_skew": Kind(
        "The server's clock is `seconds` ahead (negative: behind); the work is done if the call is let in.",
        True,
        {"seconds": -3600.0},
        replaces_answer=False,
    ),
    "member_failures": Kind(
        "The first `count` members land in failedList; the rest of the work is done.",
        True,
        {"count": 1},
        _CHANGES_MEMBERS,
        replaces_answer=False,
    ),
    "stale_list": Kind(
        "The new space shows in lists only after `seconds`, or the list that is struck leaves out all that "
        "are younger; the work is done.",
        True,
        {"seconds": 2.0},
        ("create", *_LISTS),
        replaces_answer=False,
    ),
}
"""The kinds of faults by name."""


@dataclass
class Fault:
    """
    A fault of the plan.

    :param operation: operation that it strikes, ``list`` for both lists, ``*`` for all
    :param kind: name of its kind
    :param times: how many calls it strikes still, None for no end
    :param probability: with which probability it strikes a call
    :param options: the kind's options
    """

    operation: str
    kind: str
    times: int | None
    probability: float
    options: dict[str, Any]
    dice: random.Random = field(repr=False)

    @property
    def committed(self) -> bool:
        """Whether a call that it strikes does its work first."""
        return bool(self.options.get("committed", KINDS[self.kind].committed))

    @property
    def replaces_answer(self) -> bool:
        """Whether it takes the answer's place."""
        return KINDS[self.kind].replaces_answer

    def strikes(self, operation: str) -> bool:
        """Decide on one call, and count it."""
        aimed = operation in ALIASES.get(self.operation, (self.operation,))
        if self.times == 0 or not aimed or operation not in KINDS[self.kind].operations:
            return False
        if self.dice.random() >= self.probability:
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def as_dict(self) -> dict[str, Any]:
        """Write it as plain JSON types."""
        return {
            "operation": self.operation,
            "kind": self.kind,
            "times": self.times,
            "probability": self.probability,
            **self.options,
        }


class Hit(NamedTuple):
    """
    A fault that struck.

    :param operation: operation of the call
    :param kind: kind of the fault
    :param trace_id: ``X-Traceid`` of the call, None where it had none
    """

    operation: str
    kind: str
    trace_id: str | None


class FaultPlan:
    """
    The faults that a sandbox has in store; safe to use from any thread.

    Faults are asked in the order in which they were added. Of those that take the answer's place the first
    that strikes wins; those that change how a call is handled come on top.

    :param seed: makes the dice of faults that bring no seed of their own repeatable
    """

    def __init__(self, seed: int | None = None) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._hits: list[Hit] = []
        self._seeds = random.Random(seed)  # noqa: S311 - dice, not keys

    def add(
        self,
        operation: str,
        kind: str,
        *,
        times: int | None = None,
        probability: float = 1.0,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        """
        Add a fault.

        :param operation: operation to strike, ``list`` for both lists, ``*`` for all
        :param kind: one of :data:`KINDS`
        :param times: how many calls to strike, None for no end
        :param probability: with which probability to strike a call
        :param seed: makes the dice repeatable
        :param options: the kind's options
        :raises ValueError: there is no such operation, kind or option, the kind cannot strike there, or a
            value makes no sense
        """
        _check_aim(operation, kind)
        _check_names(kind, options)
        taken = {**KINDS[kind].options, **options}
        settings = {"times": times, "probability": probability, "seed": seed, **taken}
        for name, value in settings.items():
            if value is not None or name not in ("times", "seed"):
                fault_settings.check(kind, name, value)
        with self._lock:
            dice = random.Random(self._seeds.random() if seed is None else seed)  # noqa: S311
            self._faults.append(Fault(operation, kind, times, probability, taken, dice))

    def add_text(self, text: str) -> None:
        """
        Add a fault that is written as ``OPERATION:KIND[:NAME=VALUE]...``.

        :param text: such as ``create:drop_after_commit:times=1`` or ``*:error_500_before:probability=0.3``
        :raises ValueError: it is not of this form, or see :meth:`add`
        """
        operation, _, rest = text.partition(":")
        # A value may hold colons, such as that of `location`.
        head, *settings = re.split(r":(?=\w+=)", rest)
        kind, _, stray = head.partition(":")
        _check_aim(operation, kind)
        if stray:
            raise ValueError(f"{stray} lacks =VALUE")
        named = dict(setting.split("=", 1) for setting in settings)
        _check_names(kind, named)
        read = {name: fault_settings.read(kind, name, value) for name, value in named.items()}
        self.add(operation, kind, **read)

    def clear(self) -> None:
        """Forget all faults; what struck stays in :attr:`hits`."""
        with self._lock:
            self._faults.clear()

    @property
    def hits(self) -> list[Hit]:
        """What struck, in order."""
        with self._lock:
            return list(self._hits)

    def as_dicts(self) -> list[dict[str, Any]]:
        """Write the plan as plain JSON types."""
        with self._lock:
            return [fault.as_dict() for fault in self._faults]

    def draw(self, operation: str, trace_id: str | None) -> list[Fault]:
        """Decide which faults strike a call."""
        with self._lock:
            drawn: list[Fault] = []
            for fault in self._faults:
                taken = fault.replaces_answer and any(other.replaces_answer for other in drawn)
                if not taken and fault.strikes(operation):
                    drawn.append(fault)
                    self._hits.append(Hit(operation, fault.kind, trace_id))
            return drawn


def _check_aim(operation: str, kind: str) -> None:
    if operation not in (*OPERATION_NAMES, *ALIASES):
        raise ValueError(
            f"no such operation: {operation}; there are {', '.join((*OPERATION_NAMES, *ALIASES))}"
        )
    if kind not in tuple(KINDS):
        raise ValueError(f"no such fault: {kind}; there are {', '.join(KINDS)}")
    operations = KINDS[kind].operations
    if not set(operations) & set(ALIASES.get(operation, (operation,))):
        raise ValueError(f"{kind} cannot strike {operation}, only {', '.join(operations)}")


def _check_names(kind: str, settings: Iterable[str]) -> None:
    takes = KINDS[kind].options
    if unknown := set(settings) - {"times", "probability", "seed", *takes}:
        raise ValueError(
            f"{kind} takes no {', '.join(sorted(unknown))}; it takes {', '.join(takes) or 'none'}"
        )
