"""
The fault plan: the faults that a sandbox injects, and the calls that they apply to.

::

    sandbox.faults.add("create", "drop_after_commit", times=1)
    sandbox.faults.add("*", "error_500_before", probability=0.3, seed=7)

:data:`~airflow_provider_koodrive.sandbox.faults.kinds.KINDS` lists the kinds of faults.
"""

from __future__ import annotations

import json
import random
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from airflow_provider_koodrive.sandbox.faults.kinds import KINDS
from airflow_provider_koodrive.sandbox.service.operations import LISTS, OPERATION_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_koodrive.sandbox.faults.fault import Fault

ALIASES = {"*": OPERATION_NAMES, "list": LISTS}


@dataclass
class PlannedFault:
    """
    A fault of the plan.

    :param operation: operation that it applies to, ``list`` for both lists, ``*`` for all
    :param fault: the fault with its options
    :param left: number of calls that it still applies to, None for no limit
    :param generator: random numbers that decide on each call
    """

    operation: str
    fault: Fault
    left: int | None
    generator: random.Random = field(repr=False)

    def use_for(self, operation: str) -> bool:
        """Decide whether it applies to a call of an operation, and count the call if it does."""
        aimed = operation in ALIASES.get(self.operation, (self.operation,))
        if self.left == 0 or not aimed or operation not in self.fault.operations:
            return False
        if self.generator.random() >= self.fault.probability:
            return False
        if self.left is not None:
            self.left -= 1
        return True

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        settings = self.fault.model_dump(exclude={"seed", "times"})
        return {"operation": self.operation, "kind": self.fault.kind, "times": self.left, **settings}


class Hit(NamedTuple):
    """
    A fault that was applied to a call.

    :param operation: operation of the call
    :param kind: kind of the fault
    :param trace_id: ``X-Traceid`` of the call, None if it had none
    """

    operation: str
    kind: str
    trace_id: str | None


class FaultPlan:
    """
    The faults that a sandbox has planned; safe to use from any thread.

    Faults are tried in the order in which they were added. Of those that replace the response, only the
    first that applies is used; those that change how a call is handled are used as well.

    :param seed: makes the choice of calls repeatable for faults that bring no seed of their own
    """

    def __init__(self, seed: int | None = None) -> None:
        self._lock = threading.Lock()
        self._planned: list[PlannedFault] = []
        self._hits: list[Hit] = []
        self._seeds = random.Random(seed)  # noqa: S311 - no secrets

    def add(self, operation: str, kind: str, **settings: Any) -> None:
        """
        Add a fault.

        :param operation: operation that it applies to, ``list`` for both lists, ``*`` for all
        :param kind: one of :data:`KINDS`
        :param settings: ``times``, ``probability`` and ``seed``, see
            :class:`~airflow_provider_koodrive.sandbox.faults.fault.Fault`, and the kind's options
        :raises ValueError: there is no such operation, kind or option, the kind does not apply to the
            operation, or a value is not allowed
        """
        _check_target(operation, kind)
        _check_names(kind, settings)
        fault = _build(kind, settings)
        with self._lock:
            seed = self._seeds.random() if fault.seed is None else fault.seed
            generator = random.Random(seed)  # noqa: S311
            self._planned.append(PlannedFault(operation, fault, fault.times, generator))

    def add_text(self, text: str) -> None:
        """
        Add a fault that is written as ``OPERATION:KIND[:NAME=VALUE]...``.

        :param text: such as ``create:drop_after_commit:times=1`` or ``*:error_500_before:probability=0.3``
        :raises ValueError: it is not of this form, or see :meth:`add`
        """
        operation, _, rest = text.partition(":")
        # A value may hold colons, such as that of `location`.
        head, *parts = re.split(r":(?=\w+=)", rest)
        kind, _, stray = head.partition(":")
        _check_target(operation, kind)
        if stray:
            raise ValueError(f"{stray} has no value; write {stray}=VALUE")
        settings = dict(part.split("=", 1) for part in parts)
        _check_names(kind, settings)
        self.add(operation, kind, **{name: _read(kind, name, value) for name, value in settings.items()})

    def clear(self) -> None:
        """Remove all faults; :attr:`hits` stays."""
        with self._lock:
            self._planned.clear()

    @property
    def hits(self) -> list[Hit]:
        """The faults that were applied, in order."""
        with self._lock:
            return list(self._hits)

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return the plan as plain JSON types."""
        with self._lock:
            return [planned.as_dict() for planned in self._planned]

    def select(self, operation: str, trace_id: str | None) -> list[Fault]:
        """Select the faults that apply to a call, and record them as hits."""
        with self._lock:
            selected: list[Fault] = []
            for planned in self._planned:
                fault = planned.fault
                replaced = fault.replaces_response and any(other.replaces_response for other in selected)
                if not replaced and planned.use_for(operation):
                    selected.append(fault)
                    self._hits.append(Hit(operation, fault.kind, trace_id))
            return selected


def _check_target(operation: str, kind: str) -> None:
    if operation not in (*OPERATION_NAMES, *ALIASES):
        raise ValueError(
            f"no such operation: {operation}; use one of {', '.join((*OPERATION_NAMES, *ALIASES))}"
        )
    if kind not in tuple(KINDS):
        raise ValueError(f"no such fault: {kind}; use one of {', '.join(KINDS)}")
    operations = KINDS[kind].operations
    if not set(operations) & set(ALIASES.get(operation, (operation,))):
        raise ValueError(f"{kind} does not apply to {operation}; use one of {', '.join(operations)}")


def _check_names(kind: str, settings: Iterable[str]) -> None:
    if unknown := set(settings) - set(KINDS[kind].model_fields):
        options = ", ".join(KINDS[kind].options()) or "none"
        raise ValueError(f"{kind} has no option {', '.join(sorted(unknown))}; its options are {options}")


def _build(kind: str, settings: Mapping[str, Any]) -> Fault:
    try:
        return KINDS[kind].model_validate(settings)
    except ValidationError as err:
        name = str(err.errors()[0]["loc"][0])
        rule = KINDS[kind].model_fields[name].description
        raise ValueError(f"{name} must be {rule}, not {settings[name]!r}") from None


def _read(kind: str, name: str, text: str) -> Any:
    """Return a value that is written as text: a number or a boolean if the option is one, else the text."""
    with suppress(ValueError):
        value = json.loads(text)
        return getattr(_build(kind, {name: value}), name)
    return text
