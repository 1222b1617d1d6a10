"""
Create a group space exactly once.

Carries out the steps that :mod:`airflow_provider_koodrive.api.create.protocol` decides on.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.api.create.journal import Notes
from airflow_provider_koodrive.api.create.ownership import Evidence, Owner, has_another_size, owner_of
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
    advance,
    leaves_outcome_unknown,
)
from airflow_provider_koodrive.api.endpoints import CREATE_GROUP_SPACE
from airflow_provider_koodrive.api.resources.members import add_missing, list_member_ids
from airflow_provider_koodrive.api.resources.own_spaces import OwnSpaces
from airflow_provider_koodrive.exceptions import (
    KooDriveConflictError,
    KooDriveError,
    KooDriveMembersError,
    KooDriveOutcomeUnknownError,
    KooDrivePermissionError,
    KooDriveResponseError,
    KooDriveValidationError,
)
from airflow_provider_koodrive.formatting import one_line, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from airflow_provider_koodrive.api.client import KooDriveClient
    from airflow_provider_koodrive.api.create.journal import CreateJournal
    from airflow_provider_koodrive.api.create.spec import GroupSpaceSpec
    from airflow_provider_koodrive.types import CreatedGroupSpace

log = logging.getLogger(__name__)

LOOK_FOR_IT = "look for it among the calling user's own spaces in KooDrive before you create it again"


def create_group_space(
    client: KooDriveClient,
    spec: GroupSpaceSpec,
    *,
    api_edition: str = "2025-03",
    if_exists: str = "fail",
    journal: CreateJournal | None = None,
) -> CreatedGroupSpace:
    """
    Create a group space exactly once ("Creating a Group Space").

    :param client: the client that sends
    :param spec: the space
    :param api_edition: ``2025-03`` or ``2024-07``: how members are sent
    :param if_exists: ``reuse`` returns the calling user's own space of that name, ``fail`` raises
    :param journal: keeps a note across processes, so that the task's next try knows its own space
    :return: ``id``, ``containerId``, ``name``, ``capacity`` (GB), ``created``, ``failedList``
    :raises KooDriveValidationError: ``if_exists`` is neither; nothing was sent
    :raises KooDriveConflictError: the space exists and ``if_exists`` is ``fail``
    :raises KooDriveOutcomeUnknownError: it is not known whether the space was created
    :raises KooDriveError: of the kind that fits
    """
    if if_exists not in ("reuse", "fail"):
        raise KooDriveValidationError(f"if_exists={shown(if_exists)} is neither 'reuse' nor 'fail'")
    return _Creation(client, spec, api_edition, if_exists == "reuse", journal).run()


class _Creation:
    """One create, from the first look to the result."""

    def __init__(
        self,
        client: KooDriveClient,
        spec: GroupSpaceSpec,
        api_edition: str,
        reuse: bool,
        journal: CreateJournal | None,
    ) -> None:
        self._client = client
        self._own_spaces = OwnSpaces(client)
        self._spec = spec
        self._api_edition = api_edition
        self._context = client.new_context()
        self._notes = Notes(journal, spec.name, self._context.trace_id)
        self._progress = Progress(reuse, _left_by(self._notes))
        self._waits: Counter[Phase] = Counter()
        # KooDrive's time of the last listing, since the create if one was sent.
        self._listed_at: datetime | None = None
        self._look_error: KooDriveError | None = None

    def run(self) -> CreatedGroupSpace:
        try:
            return self._run()
        except KooDriveOutcomeUnknownError:
            self._notes.gave_up(self._listed_at, created=self._progress.answer is not None)
            raise

    def _run(self) -> CreatedGroupSpace:
        step: Step = Look()
        while True:
            match step:
                case Claim(space):
                    return self._claim(space)
                case Finish(space):
                    return self._finish(space)
                case GiveUp(error):
                    reason = self._reason_to_give_up(error)
                    cause = self._look_error if reason is error else error
                    raise reason from (None if cause is reason else cause)  # never an error from itself
            event = self._carry_out(step)
            self._progress, step = advance(self._progress, event)
            if isinstance(event, SendFailed) and not self._progress.lost:
                self._notes.withdraw()
            if self._progress.earlier is Earlier.NOTHING:
                self._notes.forget_earlier()

    def _carry_out(self, step: Look | WaitAndLook | Send) -> Event:
        if isinstance(step, Send):
            return self._send()
        if isinstance(step, WaitAndLook) and not self._wait(step.until_deadline):
            return Exhausted()
        return self._look()

    def _look(self) -> Event:
        answer = self._progress.answer
        try:
            found = self._own_spaces.look_up(
                self._spec.name, new_id=answer["id"] if answer else None, context=self._context
            )
        except KooDriveError as err:
            self._look_error = err
            return LookFailed(err)
        self._look_error = None
        self._listed_at = found.date
        if found.space is not None:
            return Found(found.space)
        if found.complete:
            return Absent(self._notes.is_earlier_over(found.date))
        return Incomplete(
            KooDriveResponseError(
                "KooDrive's lists lack group spaces that they count, so they do not say whether the calling "
                f"user owns {self._spec.name!r}",
                trace_id=self._context.trace_id,
            )
        )

    def _send(self) -> Event:
        self._notes.sending(self._listed_at, self._context.deadline.left())
        self._listed_at = None
        try:
            answer = self._client.send(
                CREATE_GROUP_SPACE, self._context, json=self._spec.to_json(self._api_edition)
            )
        except KooDriveError as err:
            return SendFailed(err)
        if answer["id"] is not None:
            self._notes.created(answer["id"])
        return Created(answer)

    def _wait(self, until_deadline: bool) -> bool:
        """Wait before the next look; return False if no attempt or no time is left for it."""
        phase, most = self._progress.phase, self._client.max_attempts
        self._waits[phase] += 1
        attempt = self._waits[phase]
        seconds = self._client.backoff_seconds(
            attempt,
            self._progress.error,
            # With jitter, all looks for what KooDrive shows late could come at once.
            jitter=phase is Phase.LOOK_BEFORE_RESEND,
        )
        if (attempt >= most and not until_deadline) or seconds >= self._context.deadline.left():
            return False
        log.warning(
            "Attempt %s%s to %s group space %r failed: %s; next in %.1f s (trace id %s)",
            attempt,
            "" if until_deadline else f" of {most}",
            "create" if phase is Phase.LOOK_BEFORE_RESEND else "find",
            self._spec.name,
            self._progress.error or "KooDrive created it, but its lists do not show it yet",
            seconds,
            self._context.trace_id,
        )
        time.sleep(seconds)
        return True

    def _finish(self, space: Mapping[str, Any]) -> CreatedGroupSpace:
        answer = self._progress.answer
        assert answer is not None  # noqa: S101 - only KooDrive's answer to the create leads to Finish
        if "containerId" not in space:
            log.warning(
                "Group space %r is created, but its containerId cannot be looked up: %s",
                self._spec.name,
                self._progress.error or "KooDrive's lists do not show it yet",
            )
        if space["id"] != answer["id"]:
            self._notes.created(space["id"])
        log.info("Group space %r created: id %s, %s", self._spec.name, self._id(space), self._size(space))
        return self._result(space, True, answer["failedList"])

    def _claim(self, space: Mapping[str, Any]) -> CreatedGroupSpace:
        name, owner = self._spec.name, self._owner(space)
        if owner is Owner.OURS:
            self._notes.created(space["id"])
            how = "taken back from an earlier try" if self._is_of_earlier_try(space) else "created"
        elif owner is Owner.UNDECIDED and not self._progress.reuse:
            created_at = one_line(self._client.redact(str(space.get("createTime"))))
            raise self._outcome_unknown(
                f"the calling user owns a group space {name!r}, id {self._id(space)}, created at "
                f"{created_at}, but it is not known whether it comes from this create, {self._when()}, or "
                "from another",
                "check it in KooDrive, and reuse it with if_exists='reuse' if it is the right one",
            )
        else:
            self._notes.withdraw()
            how = "reused"
            if not self._progress.reuse:
                raise KooDriveConflictError(
                    f"the calling user already owns a group space {name!r}, id {self._id(space)}",
                    trace_id=self._context.trace_id,
                ) from self._progress.error
        failed = self._complete(space)
        log.info("Group space %r %s: id %s, %s", name, how, self._id(space), self._size(space))
        return self._result(space, owner is Owner.OURS, failed)

    def _is_of_earlier_try(self, space: Mapping[str, Any]) -> bool:
        earlier = self._notes.earlier
        known = earlier is not None and earlier.space_id in (space["id"], space.get("containerId"))
        return known or not self._progress.lost

    def _owner(self, space: Mapping[str, Any]) -> Owner:
        evidence = Evidence(
            spec=self._spec,
            earlier=self._notes.earlier,
            lost=self._progress.lost,
            absence_shown=self._progress.absence_shown,
            not_sent_before=self._notes.not_sent_before,
            listed_at=self._listed_at,
        )
        owner = owner_of(space, evidence)
        return owner_of(space, evidence, self._others_in(space)) if owner is Owner.ASK_MEMBERS else owner

    def _others_in(self, space: Mapping[str, Any]) -> Collection[str]:
        try:
            members = list_member_ids(self._client, str(space["id"]), self._context)
            return members.difference(self._own_spaces.caller_ids(self._context))
        except KooDriveError as err:
            if self._progress.reuse or isinstance(err, KooDrivePermissionError):
                return ()  # nobody says, so the time has to decide
            raise self._not_known_whether_created(err) from err

    def _complete(self, space: Mapping[str, Any]) -> list[str]:
        name, members = self._spec.name, self._spec.members
        if has_another_size(space, self._spec):
            log.warning(
                "Group space %r has %s GB, not %s: no call of KooDrive's changes that (trace id %s)",
                name,
                space["capacity"],
                self._spec.capacity,
                self._context.trace_id,
            )
        try:
            return add_missing(
                self._client,
                str(space["id"]),
                members,
                api_edition=self._api_edition,
                context=self._context,
            )
        except KooDriveError as err:
            message = (
                f"the group space {name!r}, id {self._id(space)}, exists, but it is not known whether it has "
                f"all of its {len(members)} members: {err.args[0]}"
            )
            if not err.retryable:
                raise err.with_message(message) from err
            raise KooDriveMembersError(
                message,
                advice="let the task try again: another try adds the members that the space lacks",
                failed=[member.user_id for member in members],
                retry_after=getattr(err, "retry_after", None),
                **err.details(),
            ) from err

    def _id(self, space: Mapping[str, Any]) -> str:
        """Return the id for a text of a log or an error."""
        return self._client.redact(str(space["id"]))

    def _size(self, space: Mapping[str, Any]) -> str:
        capacity = space.get("capacity") or self._spec.capacity
        return f"{capacity} GB" if capacity else "default size"

    def _result(self, space: Mapping[str, Any], created: bool, failed: Sequence[str]) -> CreatedGroupSpace:
        if failed:
            log.warning(
                "KooDrive could not add %s members to the group space %r: %s (trace id %s)",
                len(failed),
                self._spec.name,
                self._client.redact(", ".join(failed)),
                self._context.trace_id,
            )
        return {
            "id": space["id"],
            "containerId": space.get("containerId"),
            "name": self._spec.name,
            "capacity": space.get("capacity") or self._spec.capacity,
            "created": created,
            "failedList": list(failed),
        }

    def _reason_to_give_up(self, error: KooDriveError | None) -> KooDriveError:
        created = f"KooDrive created the group space {self._spec.name!r}, {self._when()}, but its "
        if error is None:
            return self._outcome_unknown(f"{created}lists do not show it yet", LOOK_FOR_IT)
        if self._progress.phase is Phase.CONFIRMING:
            return self._outcome_unknown(f"{created}id cannot be looked up: {error.args[0]}", LOOK_FOR_IT)
        if leaves_outcome_unknown(self._progress, error):
            return self._not_known_whether_created(error)
        if self._progress.outcome_unknown:
            return error.with_message(
                f"{error.args[0]}; the outcome of a create of the group space {self._spec.name!r}, "
                f"{self._when()}, is open",
            )
        return self._naming_space_alike(error) if isinstance(error, KooDriveConflictError) else error

    def _naming_space_alike(self, error: KooDriveConflictError) -> KooDriveError:
        """Name the space that KooDrive may mean by "exists already", though its name is another."""
        try:
            space = self._own_spaces.look_up_alike(self._spec.name, self._context)
        except KooDriveError as err:
            log.warning("Spaces of a name like %r cannot be looked up: %s", self._spec.name, err)
            return error
        if space is None:
            return error
        owned = f"the calling user owns the group space {space['name']!r}, id {space['id']}"
        differs = f"differs from {self._spec.name!r} only in case or width"
        changed = error.with_message(f"{error.args[0]}; {owned}, whose name {differs}")
        changed.advice = f"use the name {space['name']!r} for this space, or choose one that differs in more"
        return changed

    def _not_known_whether_created(self, cause: KooDriveError) -> KooDriveOutcomeUnknownError:
        error = self._outcome_unknown(
            f"it is not known whether KooDrive created the group space {self._spec.name!r}, {self._when()}, "
            f"since {cause}",
            LOOK_FOR_IT,
        )
        if cause.path == CREATE_GROUP_SPACE.path:
            error.http_status, error.code, error.msg = cause.http_status, cause.code, cause.msg
        return error

    def _outcome_unknown(self, message: str, advice: str) -> KooDriveOutcomeUnknownError:
        noted = self._notes.last
        return KooDriveOutcomeUnknownError(
            message,
            advice=advice,
            name=self._spec.name,
            # The create's, which may be an earlier try's.
            trace_id=noted.trace_id if noted else self._context.trace_id,
            method=CREATE_GROUP_SPACE.method,
            path=CREATE_GROUP_SPACE.path,
        )

    def _when(self) -> str:
        noted = self._notes.last
        return (
            f"first sent {noted.sent_at} by KooDrive's clock" if noted and noted.sent_at else "sent just now"
        )


def _left_by(notes: Notes) -> Earlier:
    if notes.earlier is None:
        return Earlier.NOTHING
    return Earlier.UNKNOWN if notes.earlier.space_id is None else Earlier.CREATED
