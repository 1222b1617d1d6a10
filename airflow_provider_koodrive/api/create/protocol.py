"""
The rules of creating exactly once, as one pure function: no I/O, no clock, no log.

KooDrive's create has no idempotency key, and names are unique per creator only (user guide, "Group Space").
So the calling user's own spaces are listed before a create is sent, and again whenever an attempt leaves its
outcome unknown; a create is sent again only after a complete listing that does not show the space.
:mod:`airflow_provider_koodrive.api.create.runner` carries out the steps and reports what came of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_koodrive.api.http.retry import Outcome, classify
from airflow_provider_koodrive.exceptions import (
    KooDriveConflictError,
    KooDriveError,
    KooDriveResponseError,
)

if TYPE_CHECKING:
    from airflow_provider_koodrive.api.resources.models import CreateAnswer

Space: TypeAlias = Mapping[str, Any]


class Phase(Enum):
    """The answer that is awaited."""

    FIRST_LOOK = "first look"
    SENDING = "sending"
    LOOK_NOW = "look now"
    LOOK_BEFORE_RESEND = "look before resend"
    LOOK_AFTER_REFUSAL = "look after refusal"
    CONFIRMING = "confirming"


class Earlier(Enum):
    """What earlier tries of the task have left behind."""

    NOTHING = "nothing"
    UNKNOWN = "a create whose outcome is unknown"
    CREATED = "a space whose id is known"


@dataclass(frozen=True)
class Progress:
    """
    How far a create has come.

    :param phase: the answer that is awaited
    :param earlier: what earlier tries of the task have left behind
    :param reuse: whether an existing space of the calling user is accepted
    :param lost: whether this try has sent a create whose outcome is unknown
    :param absence_shown: False once a create was sent after a listing that lacked records
    :param error: the last error; in LOOK_AFTER_REFUSAL the refusal, in CONFIRMING the last look's
    :param answer: KooDrive's answer to the create
    """

    reuse: bool
    earlier: Earlier = Earlier.NOTHING
    phase: Phase = Phase.FIRST_LOOK
    lost: bool = False
    absence_shown: bool = True
    error: KooDriveError | None = None
    answer: CreateAnswer | None = None

    @property
    def may_exist(self) -> bool:
        """Whether the space may exist because of what this task has sent."""
        return self.lost or self.earlier is not Earlier.NOTHING

    @property
    def outcome_unknown(self) -> bool:
        """Whether a create was sent whose outcome is unknown."""
        return self.lost or self.earlier is Earlier.UNKNOWN


@dataclass(frozen=True)
class Found:
    """The lists show the space."""

    space: Space


@dataclass(frozen=True)
class Absent:
    """
    Complete lists do not show the space.

    :param earlier_is_over: whether what earlier tries have sent can no longer arrive
    """

    earlier_is_over: bool = False


@dataclass(frozen=True)
class Incomplete:
    """The lists do not show the space, and have fewer records than they count."""

    error: KooDriveError


@dataclass(frozen=True)
class LookFailed:
    """The lists could not be read."""

    error: KooDriveError


@dataclass(frozen=True)
class Created:
    """KooDrive says that it has created the space."""

    answer: CreateAnswer


@dataclass(frozen=True)
class SendFailed:
    """The create was not sent, was refused, or its outcome is unknown."""

    error: KooDriveError


@dataclass(frozen=True)
class Exhausted:
    """No attempt or no time is left to wait and look once more."""


@dataclass(frozen=True)
class Look:
    """Look for the space in the calling user's own at once."""


@dataclass(frozen=True)
class WaitAndLook:
    """
    Look after a wait.

    :param until_deadline: whether the deadline alone ends the looks, not the number of attempts
    """

    until_deadline: bool = False


@dataclass(frozen=True)
class Send:
    """Send the create."""


@dataclass(frozen=True)
class Claim:
    """A space of the name exists: find out who created it, and use or refuse it."""

    space: Space


@dataclass(frozen=True)
class Finish:
    """KooDrive has created the space in this try."""

    space: Space


@dataclass(frozen=True)
class GiveUp:
    """
    Raise an error; see :func:`leaves_outcome_unknown`.

    :param error: the cause; None where the lists do not show a space that KooDrive has created
    """

    error: KooDriveError | None


Event: TypeAlias = Found | Absent | Incomplete | LookFailed | Created | SendFailed | Exhausted
Step: TypeAlias = Look | WaitAndLook | Send | Claim | Finish | GiveUp


def advance(progress: Progress, event: Event) -> tuple[Progress, Step]:
    """
    Return how far the create is after an event, and the next step.

    :raises ValueError: the event cannot answer the step before it
    """
    match progress.phase, event:
        case Phase.CONFIRMING, _:
            return _confirm(progress, event)
        case Phase.SENDING, Created(answer):
            return replace(progress, phase=Phase.CONFIRMING, answer=answer, error=None), Look()
        case Phase.SENDING, SendFailed(error):
            return _send_failed(replace(progress, error=error), error)
        case Phase.SENDING, _:
            pass
        case _, Found(space):
            return progress, Claim(space)
        case _, Exhausted():
            return progress, GiveUp(progress.error)
        case Phase.LOOK_AFTER_REFUSAL, Absent() | Incomplete() | LookFailed():
            return _not_found_after_refusal(progress, event)
        case Phase.LOOK_NOW, Absent():
            return replace(progress, phase=Phase.LOOK_BEFORE_RESEND), WaitAndLook()
        case _, Absent(earlier_is_over):
            earlier = Earlier.NOTHING if earlier_is_over else progress.earlier
            return replace(progress, phase=Phase.SENDING, earlier=earlier), Send()
        case _, Incomplete() if not progress.may_exist:
            return replace(progress, phase=Phase.SENDING, absence_shown=False), Send()
        case Phase.FIRST_LOOK, Incomplete(error) | LookFailed(error):
            return progress, GiveUp(error)
        case _, LookFailed(error) if is_definite(error):
            return progress, GiveUp(error)
        case _, Incomplete(error) | LookFailed(error):
            return replace(progress, phase=Phase.LOOK_BEFORE_RESEND, error=error), WaitAndLook()
    raise ValueError(f"{type(event).__name__} cannot happen in phase {progress.phase.name}")


def _send_failed(progress: Progress, error: KooDriveError) -> tuple[Progress, Step]:
    match classify("POST", error):
        case Outcome.NOT_APPLIED:
            return replace(progress, phase=Phase.LOOK_BEFORE_RESEND), WaitAndLook()
        case Outcome.UNKNOWN:
            return replace(progress, phase=Phase.LOOK_NOW, lost=True), Look()
    if progress.lost or may_mean_exists(error):
        return replace(progress, phase=Phase.LOOK_AFTER_REFUSAL), Look()
    return progress, GiveUp(error)


def _not_found_after_refusal(
    progress: Progress, event: Absent | Incomplete | LookFailed
) -> tuple[Progress, Step]:
    refusal = progress.error
    should_exist = progress.may_exist or (progress.reuse and isinstance(refusal, KooDriveConflictError))
    if not should_exist or (isinstance(event, LookFailed) and is_definite(event.error)):
        return progress, GiveUp(refusal)
    return progress, WaitAndLook(until_deadline=progress.outcome_unknown and may_mean_exists(refusal))


def _confirm(progress: Progress, event: Event) -> tuple[Progress, Step]:
    group_id = group_id_of(progress.answer)
    match event:
        case Found(space):
            return progress, Finish(space)
        case Absent():
            return replace(progress, error=None), WaitAndLook(until_deadline=group_id is None)
        # The latter where lists do not show yet what they count.
        case Incomplete(error) | LookFailed(KooDriveResponseError() as error):
            return replace(progress, error=error), WaitAndLook(until_deadline=group_id is None)
        case LookFailed(error):
            progress = replace(progress, error=error)
        case Exhausted():
            pass
        case _:
            raise ValueError(f"{type(event).__name__} cannot happen in phase {progress.phase.name}")
    return progress, GiveUp(progress.error) if group_id is None else Finish({"id": group_id})


def leaves_outcome_unknown(progress: Progress, error: KooDriveError | None) -> bool:
    """
    Return whether giving up leaves it unknown whether a create was carried out.

    The first look of a try sends nothing. Where it fails for a reason that no other try can change, that
    reason is raised, whatever earlier tries have left behind.

    :param error: why the create is given up
    """
    if progress.phase is Phase.FIRST_LOOK:
        return progress.outcome_unknown and (error is None or error.retryable)
    return progress.may_exist or progress.phase is Phase.CONFIRMING


def group_id_of(answer: CreateAnswer | None) -> str | None:
    """
    Return the id of the group that was created, None where the answer does not have it.

    Documents differ on whether the answer's id is the group's, which is a number, or the container's.
    """
    answered = answer["id"] if answer else None
    return answered if answered is not None and answered.isdecimal() else None


def is_definite(error: KooDriveError) -> bool:
    """Return whether a look was refused for good, so that looking again changes nothing."""
    return classify("POST", error) is Outcome.REJECTED


def may_mean_exists(error: KooDriveError | None) -> bool:
    """Return whether a refused create may mean that the space exists."""
    # KooDrive's documents give no code for a name that exists: any refusal of unknown meaning counts.
    return isinstance(error, KooDriveConflictError) or type(error) is KooDriveError
