"""
Check the rules of creating exactly once in all reachable states, and print them as a diagram and a table.

``python scripts/protocol_states.py`` prints the line of the check, the diagram and the table. An error stands
for a kind of failure, since the protocol asks nothing else of one.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, TypeAlias, cast

from airflow_provider_koodrive.api.create import protocol
from airflow_provider_koodrive.api.create.protocol import (
    Absent,
    Claim,
    Created,
    Earlier,
    Event,
    Exhausted,
    Finish,
    Found,
    GiveUp,
    Incomplete,
    Look,
    LookFailed,
    Phase,
    Progress,
    Send,
    SendFailed,
    Step,
    WaitAndLook,
)
from airflow_provider_koodrive.api.http.retry import Outcome, classify
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveConflictError,
    KooDriveConnectionError,
    KooDriveError,
    KooDriveGatewayError,
    KooDriveQuotaError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveThrottledError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_koodrive.api.resources.models import CreateAnswer

    Advance: TypeAlias = Callable[[Progress, Event], tuple[Progress, Step]]
    Key: TypeAlias = tuple[object, ...]

SPACE = {"id": "17"}
NOT_APPLIED = (KooDriveConnectionError("not sent", sent=False), KooDriveThrottledError("HTTP 429"))
UNKNOWN = (
    KooDriveConnectionError("connection lost"),
    KooDriveServerError("HTTP 500"),
    KooDriveGatewayError("HTTP 502", http_status=502),
    KooDriveConflictError("HTTP 500 with a code of its own", http_status=500),
    KooDriveResponseError("not KooDrive's"),
)
KNOWN_REASON = (KooDriveAuthenticationError("HTTP 401"), KooDriveQuotaError("no room"))
MAY_MEAN_EXISTS = (KooDriveError("a code of unknown meaning"), KooDriveConflictError("13000405"))
REJECTED = (*KNOWN_REASON, *MAY_MEAN_EXISTS)
ERRORS: tuple[KooDriveError, ...] = (*NOT_APPLIED, *UNKNOWN, *REJECTED)
LACKING = KooDriveResponseError("the lists lack records")
ANSWERS = tuple(cast("CreateAnswer", {"id": answered, "failedList": []}) for answered in ("17", "c17", None))

LISTINGS: tuple[Event, ...] = (Found(SPACE), Absent(), Absent(earlier_is_over=True), Incomplete(LACKING))
LOOKS: tuple[Event, ...] = (*LISTINGS, *map(LookFailed, ERRORS))
RESPONSES: tuple[Event, ...] = (*map(Created, ANSWERS), *map(SendFailed, ERRORS))


def events_after(step: Step) -> tuple[Event, ...]:
    """Return the events that can answer a step."""
    match step:
        case Look():
            return LOOKS
        case WaitAndLook():
            return (*LOOKS, Exhausted())
        case Send():
            return RESPONSES
    return ()


@dataclass(frozen=True)
class State:
    """
    The protocol's state, and what an observer knows beside it.

    :param progress: how far the create has come
    :param step: the next step
    :param lost: whether a create was sent whose outcome is unknown
    :param blind: whether a create was sent after lists that lack records
    :param confirmed: whether KooDrive said that it has created the space
    """

    progress: Progress
    step: Step
    lost: bool = False
    blind: bool = False
    confirmed: bool = False

    @cached_property
    def key(self) -> Key:
        """The state in a form that can be compared: each error and answer is one of those above."""
        now, step = self.progress, self.step
        known = (
            now.phase,
            now.earlier,
            now.reuse,
            now.lost,
            now.absence_shown,
            id(now.error),
            id(now.answer),
        )
        next_step = (type(step), getattr(step, "until_deadline", None), id(getattr(step, "error", None)))
        return (*known, *next_step, self.lost, self.blind, self.confirmed)


@dataclass(frozen=True)
class Transition:
    """A state, an event that answers its step, and the state that follows."""

    before: State
    event: Event
    after: State


def transitions(advance: Advance = protocol.advance) -> Iterator[Transition]:
    """Walk from each beginning through all reachable states."""
    queue = deque(
        State(Progress(reuse, earlier), Look()) for reuse, earlier in product([False, True], Earlier)
    )
    seen = {state.key for state in queue}
    while queue:
        before = queue.popleft()
        for event in events_after(before.step):
            progress, step = advance(before.progress, event)
            after = State(
                progress,
                step,
                lost=before.lost or (isinstance(event, SendFailed) and event.error in UNKNOWN),
                blind=before.blind or (isinstance(event, Incomplete) and isinstance(step, Send)),
                confirmed=before.confirmed or isinstance(event, Created),
            )
            yield Transition(before, event, after)
            if after.key not in seen:
                seen.add(after.key)
                queue.append(after)


def may_exist(state: State) -> bool:
    """Return whether the space may exist because of this task, as an observer knows it."""
    return state.lost or state.confirmed or state.progress.earlier is not Earlier.NOTHING


def _sends_only_what_is_absent(move: Transition) -> bool:
    if not isinstance(move.after.step, Send):
        return True
    return isinstance(move.event, Absent) or (
        isinstance(move.event, Incomplete) and not may_exist(move.before)
    )


def _forgets_only_what_is_over(move: Transition) -> bool:
    if move.after.progress.earlier is move.before.progress.earlier:
        return True
    over = isinstance(move.event, Absent) and move.event.earlier_is_over
    return over and move.after.progress.earlier is Earlier.NOTHING


def _uses_what_is_found(move: Transition) -> bool:
    if isinstance(move.event, Found):
        return move.after.step == (Finish(SPACE) if move.before.confirmed else Claim(SPACE))
    return not isinstance(move.after.step, Claim)


def _finishes_only_what_is_confirmed(move: Transition) -> bool:
    if not isinstance(move.after.step, Finish) or isinstance(move.event, Found):
        return True
    return move.after.confirmed and move.after.progress.answer is ANSWERS[0]


def _knows_when_the_outcome_is_unknown(move: Transition) -> bool:
    step, progress = move.after.step, move.after.progress
    if not isinstance(step, GiveUp):
        return True
    expected = may_exist(move.after)
    if move.before.progress.phase is Phase.FIRST_LOOK:
        retryable = step.error is None or step.error.retryable
        expected = move.before.progress.earlier is Earlier.UNKNOWN and retryable
    return protocol.leaves_outcome_unknown(progress, step.error) == expected


def _ends_looking_if_refused(move: Transition) -> bool:
    refused = isinstance(move.event, LookFailed) and move.event.error in REJECTED
    return not refused or isinstance(move.after.step, GiveUp | Finish)


def _waits_until_the_deadline_with_reason(move: Transition) -> bool:
    step, now = move.after.step, move.after.progress
    if not isinstance(step, WaitAndLook):
        return True
    if now.phase is Phase.CONFIRMING:
        return step.until_deadline == (now.answer is not ANSWERS[0])
    unknown = move.after.lost or now.earlier is Earlier.UNKNOWN
    refused = now.phase is Phase.LOOK_AFTER_REFUSAL and now.error in MAY_MEAN_EXISTS
    return step.until_deadline == (unknown and refused)


INVARIANTS: dict[str, Callable[[Transition], bool]] = {
    "a create is sent only after a listing without the space": _sends_only_what_is_absent,
    "nothing is sent after KooDrive said 'created'": lambda move: (
        not (move.after.confirmed and isinstance(move.after.step, Send))
    ),
    "a create whose outcome is unknown is never forgotten": lambda move: (
        move.after.progress.lost == move.after.lost
    ),
    "an earlier try is forgotten only if it is over": _forgets_only_what_is_over,
    "a create on incomplete lists is never forgotten": lambda move: (
        move.after.progress.absence_shown != move.after.blind
    ),
    "a found space ends in Claim or Finish": _uses_what_is_found,
    "only what KooDrive confirmed is finished": _finishes_only_what_is_confirmed,
    "the outcome is unknown exactly if a create may have been carried out": (
        _knows_when_the_outcome_is_unknown
    ),
    "a look that is refused for good ends the looking": _ends_looking_if_refused,
    "looks go on until the deadline only with a reason": _waits_until_the_deadline_with_reason,
}


@dataclass
class Report:
    """
    The result of a check.

    :param broken: each invariant that does not hold, with an example
    """

    states: int = 0
    transitions: int = 0
    seconds: float = 0.0
    broken: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        found = f"{self.states} states, {self.transitions} transitions"
        return f"protocol: {found}, {self.seconds:.2f} s of CPU time"


def check(advance: Advance = protocol.advance) -> Report:
    """Hold all reachable transitions against the invariants."""
    report, started = Report(), time.process_time()
    states: set[Key] = set()
    without_wait: dict[Key, set[Key]] = {}
    try:
        for move in transitions(advance):
            report.transitions += 1
            before, after = move.before.key, move.after.key
            states |= {before, after}
            if not isinstance(move.after.step, WaitAndLook):
                without_wait.setdefault(before, set()).add(after)
            for name, holds in INVARIANTS.items():
                if not holds(move):
                    report.broken.setdefault(name, str(move))
    except ValueError as err:
        report.broken["each event has a transition"] = str(err)
    if has_cycle(without_wait):
        report.broken["no cycle without a wait"] = "the graph of the steps without a wait has one"
    report.states, report.seconds = len(states), time.process_time() - started
    return report


def has_cycle(graph: dict[Key, set[Key]]) -> bool:
    """Return whether a graph has a cycle: whether leaves can be taken off until nothing is left."""
    left = {node: set(targets) for node, targets in graph.items()}
    while left:
        leaves = [node for node, targets in left.items() if targets.isdisjoint(left)]
        if not leaves:
            return True
        for node in leaves:
            del left[node]
    return False


def diagram() -> str:
    """Return the phases, and the events that lead from one to the next, as Mermaid text."""
    edges: dict[tuple[str, str, str], set[str]] = {}
    for move in transitions():
        step = move.after.step
        ends = isinstance(step, Claim | Finish | GiveUp)
        target = "[*]" if ends else move.after.progress.phase.name
        edge = (move.before.progress.phase.name, target, type(step).__name__)
        edges.setdefault(edge, set()).add(_label(move.event))
    lines = ["stateDiagram-v2", f"    [*] --> {Phase.FIRST_LOOK.name}: Look"]
    order = [phase.name for phase in Phase]
    for (source, target, step_name), events in sorted(
        edges.items(), key=lambda item: (order.index(item[0][0]), item[0])
    ):
        lines.append(f"    {source} --> {target}: {', '.join(sorted(events))} / {step_name}")
    return "\n".join(lines)


def _label(event: Event) -> str:
    name = type(event).__name__
    if isinstance(event, SendFailed):
        name += f" ({classify('POST', event.error).value})"
    if isinstance(event, LookFailed) and event.error in REJECTED:
        name += " for good"
    return name


FAILURES: dict[str, tuple[KooDriveError, ...]] = {
    "the request did not leave: name unknown, connection refused or not made in time, TLS refused": (
        NOT_APPLIED[0],
    ),
    "HTTP 429": (NOT_APPLIED[1],),
    "connection lost, or no response in time": (UNKNOWN[0],),
    "HTTP 5xx, whatever its code, or code 13000201": UNKNOWN[1:4],
    "HTTP below 500 with a body that is not KooDrive's, or a redirect": (UNKNOWN[4],),
    "KooDrive refuses for a reason that is known: its code, HTTP 401 or 403": KNOWN_REASON,
    "KooDrive refuses, and it may mean that the space exists: a code of unknown meaning, or 13000405": (
        MAY_MEAN_EXISTS
    ),
}
"""Kinds of failures, in the words of the table, and the errors that stand for each."""

REPEATED, RAISED = "repeated", "raised"
LOOKED_UP, LOOKED_UP_ONCE = "looked up, then repeated", "looked up, then raised"


def after_a_failed_call(method: str, error: KooDriveError) -> str:
    """Return what the client does after a failed call that is not a create."""
    return REPEATED if classify(method, error) is Outcome.NOT_APPLIED else RAISED


def after_a_failed_create(error: KooDriveError) -> str:
    """Return what follows where the first create of a task fails and the lists do not show the space."""
    progress, step = protocol.advance(Progress(reuse=False, phase=Phase.SENDING), SendFailed(error))
    if isinstance(step, GiveUp):
        return RAISED
    while True:
        progress, step = protocol.advance(progress, Absent())
        if isinstance(step, Send | GiveUp):
            return LOOKED_UP if isinstance(step, Send) else LOOKED_UP_ONCE


def cells(errors: tuple[KooDriveError, ...]) -> tuple[str, str, str]:
    """
    Return what follows a kind of failure: of a read, of a create, of another write.

    :raises ValueError: its errors do not lead to the same
    """
    found = {
        (after_a_failed_call("GET", error), after_a_failed_create(error), after_a_failed_call("POST", error))
        for error in errors
    }
    if len(found) != 1:
        raise ValueError(f"{errors} lead to {found}")
    return found.pop()


def truth_table() -> str:
    """Return what follows each kind of failure as Markdown."""
    lines = ["| what happened | a read | creating a space | another write |", "|---|---|---|---|"]
    lines += [f"| {failure} | {' | '.join(cells(errors))} |" for failure, errors in FAILURES.items()]
    return "\n".join(lines)


def main() -> int:
    report = check()
    print(report, *report.broken, diagram(), truth_table(), sep="\n")
    return 1 if report.broken else 0


if __name__ == "__main__":
    sys.exit(main())
