"""
Creating exactly once.

KooDrive's create has no idempotency key, and names are unique per creator only (user guide, "Group
Space"). So the caller's own spaces are looked at before a create is sent, and again whenever an attempt
leaves its outcome unknown; a create is sent again only after a look that succeeded and found nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.api.create.journal import Notes, Whose, created_at
from airflow_provider_koodrive.api.endpoints import CREATE_GROUP_SPACE
from airflow_provider_koodrive.api.http.retry import Outcome, classify
from airflow_provider_koodrive.api.resources.members import add_missing, has_others
from airflow_provider_koodrive.exceptions import (
    FINAL_ERRORS,
    KooDriveConflictError,
    KooDriveError,
    KooDriveMembersError,
    KooDriveOutcomeUnknownError,
    KooDrivePermissionError,
    KooDriveResponseError,
)
from airflow_provider_koodrive.formatting import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_koodrive.api.create.journal import CreateJournal
    from airflow_provider_koodrive.api.resources.group_spaces import GroupSpaces
    from airflow_provider_koodrive.api.resources.members import Member
    from airflow_provider_koodrive.api.resources.models import CreateAnswer

log = logging.getLogger(__name__)

CREATE_PATH = CREATE_GROUP_SPACE.path


@dataclass(frozen=True)
class _Created:
    answer: CreateAnswer


class Creation:
    """
    One create, from the first look to the result.

    :param spaces: the caller's group spaces
    :param body: body of the create
    :param members: members that the space must have
    :param reuse: whether an existing space of the caller is taken
    :param journal: remembers across processes what was sent
    """

    def __init__(
        self,
        spaces: GroupSpaces,
        body: Mapping[str, Any],
        members: Sequence[Member],
        *,
        reuse: bool,
        journal: CreateJournal | None,
    ) -> None:
        self._spaces = spaces
        self._client = spaces.client
        self._body = body
        self._name = str(body["name"])
        self._members = members
        self._reuse = reuse
        self._context = spaces.client.new_context()
        self._trace_id = self._context.trace_id
        self._notes = Notes(journal, self._name, self._trace_id, self._client.clock)
        self._may_have_come = False
        self._unknown = False
        self._blind = False
        self._refusal: KooDriveError | None = None

    def run(self) -> dict[str, Any]:
        """Return the space, see :meth:`GroupSpaces.create`."""
        try:
            space = self._first_look()
            if space is None:
                sent = self._send()
                if isinstance(sent, _Created):
                    return self._created(sent.answer)
                space = sent
            return self._take(space)
        except KooDriveOutcomeUnknownError:
            self._notes.over()
            raise

    def _first_look(self) -> Mapping[str, Any] | None:
        try:
            space = self._find()
        except KooDriveError as err:
            if not self._is_earlier_open():
                raise
            if isinstance(err, FINAL_ERRORS):
                message = (
                    f"{err.args[0]}; a create of the group space {self._name!r}, {self._when()}, is open"
                )
                raise type(err)(message, **err.details()) from err
            raise self._nothing_tells(err) from err
        if space is None and self._notes.is_settled():
            self._notes.earlier = None
        return space

    def _is_earlier_open(self) -> bool:
        return self._notes.earlier is not None and self._notes.earlier.space_id is None

    def _take(self, space: Mapping[str, Any]) -> dict[str, Any]:
        whose = self._whose(space)
        if whose is Whose.OURS:
            self._notes.known(space["id"])
        elif whose is Whose.ANOTHERS or self._reuse:
            self._notes.take_back()
        else:
            raise self._outcome_unknown(
                f"nothing tells whether the calling user's group space {self._name!r}, id {space['id']}, "
                f"created at {one_line(str(space.get('createTime')))}, comes from this create, "
                f"{self._when()}, or from another: look in KooDrive, and take it with if_exists='reuse' if "
                "it is the right one"
            )
        if whose is Whose.ANOTHERS and not self._reuse:
            raise KooDriveConflictError(
                f"the calling user already owns a group space {self._name!r}, id {space['id']}",
                trace_id=self._trace_id,
            ) from self._refusal
        return self._result(space, whose is Whose.OURS, self._complete(space))

    def _whose(self, space: Mapping[str, Any]) -> Whose:
        if self._unknown and not (self._blind and self._is_older(space)):
            whose = Whose.OURS
        elif self._unknown and self._notes.earlier is None:
            whose = Whose.UNCLEAR
        else:
            whose = self._notes.whose(space)
        guessed = self._unknown or self._is_earlier_open()
        return Whose.UNCLEAR if guessed and whose is Whose.OURS and self._differs(space) else whose

    def _differs(self, space: Mapping[str, Any]) -> bool:
        """Whether a space is not what was asked for, so that it need not be ours."""
        if self._has_another_size(space):
            return True
        if self._unknown and not self._is_older(space):
            return False  # a look before the create has not shown it
        try:
            return has_others(
                self._client,
                space,
                self._members,
                owners=self._spaces.caller(self._context),
                context=self._context,
            )
        except KooDriveError as err:
            if self._reuse or isinstance(err, KooDrivePermissionError):
                return False  # nothing tells, so the time has to
            raise self._nothing_tells(err) from err

    def _send(self) -> _Created | Mapping[str, Any]:
        what = f"POST {CREATE_PATH} of {self._name!r}"
        try:
            return self._client.repeating(what, self._again, self._context)(self._attempt)
        except KooDriveError as err:
            if self._unknown or self._notes.earlier is not None:
                raise self._nothing_tells(err) from err
            raise

    def _attempt(self) -> _Created | Mapping[str, Any]:
        """Return KooDrive's answer, or the space that is there already."""
        if self._may_have_come:
            space = self._find()
            if space is not None:
                return space
        self._may_have_come = True  # by the next attempt, before which time passes
        self._notes.sending(min(self._client.longest_attempt, self._context.deadline.left()))
        try:
            return _Created(self._client.send(CREATE_GROUP_SPACE, self._context, json=self._body))
        except KooDriveError as err:
            outcome = classify("POST", err)
            if outcome is Outcome.UNKNOWN:
                self._unknown = True
            elif not self._unknown:
                self._notes.take_back()
            if outcome is Outcome.NOT_APPLIED or not (self._unknown or _may_mean_exists(err)):
                raise
            if outcome is Outcome.REJECTED:
                return self._look_after(err)
            space = self._find()
            if space is None:
                raise
            return space

    def _should_be_there(self, refusal: KooDriveError) -> bool:
        """Whether the space exists by what was sent or answered, and lists may only show it later."""
        sent_before = self._unknown or self._notes.earlier is not None
        return sent_before or (self._reuse and isinstance(refusal, KooDriveConflictError))

    def _look_after(self, refusal: KooDriveError) -> Mapping[str, Any]:
        """Look for a space that may exist by what KooDrive has answered, again and again if it should."""
        self._refusal = refusal

        def look() -> Mapping[str, Any]:
            try:
                space = self._find()
            except KooDriveError as err:
                raise refusal from err
            if space is None:
                raise refusal
            return space

        if not self._should_be_there(refusal):
            return look()
        ours = self._unknown or self._is_earlier_open()
        return self._look_again(
            look,
            lambda error: error is refusal and not isinstance(error.__cause__, FINAL_ERRORS),
            patient=ours and _may_mean_exists(refusal),
        )

    def _look_again(
        self,
        look: Callable[[], Mapping[str, Any]],
        again: Callable[[KooDriveError], bool],
        *,
        patient: bool,
    ) -> Mapping[str, Any]:
        what = f"the look for {self._name!r}"
        # Without jitter, which may have all looks at once.
        repeat = self._client.repeating(what, again, self._context, endless=patient, jitter=False)
        space: Mapping[str, Any] = repeat(look)
        return space

    def _again(self, error: KooDriveError) -> bool:
        return error is not self._refusal and classify("POST", error) is not Outcome.REJECTED

    def _find(self, new_id: str | None = None) -> Mapping[str, Any] | None:
        space, complete = self._spaces.look(self._name, new_id=new_id, context=self._context)
        if space is None and not complete:
            if self._unknown or self._notes.earlier is not None:
                raise KooDriveResponseError(
                    "KooDrive's lists lack group spaces that they count, so nothing tells whether the "
                    f"calling user owns {self._name!r}",
                    trace_id=self._trace_id,
                )
            self._blind = True
        self._notes.looked()
        return space

    def _created(self, answer: CreateAnswer) -> dict[str, Any]:
        answered = answer["id"]
        if answered is not None:
            self._notes.known(answered)
        space = self._listed(answered)
        if space["id"] != answered:
            self._notes.known(space["id"])
        return self._result(space, True, answer["failedList"])

    def _listed(self, new_id: str | None) -> Mapping[str, Any]:
        """Look the new space up: documents differ on whether the answer's id is the group's."""

        def look() -> Mapping[str, Any]:
            space = self._find(new_id)
            if space is None:
                raise self._outcome_unknown(
                    f"KooDrive created the group space {self._name!r}, {self._when()}, but its lists do not "
                    "show it yet: look for it among the calling user's own in KooDrive"
                )
            return space

        may_be_the_groups = new_id is not None and new_id.isdecimal()
        try:
            return self._look_again(
                look,
                # The latter where lists do not show yet what they count.
                lambda error: isinstance(error, KooDriveOutcomeUnknownError | KooDriveResponseError),
                patient=not may_be_the_groups,
            )
        except KooDriveError as err:
            if may_be_the_groups:
                log.warning(
                    "Group space %r is created, but its containerId cannot be looked up: %s", self._name, err
                )
                return {"id": new_id}
            if isinstance(err, KooDriveOutcomeUnknownError):
                raise
            raise self._outcome_unknown(
                f"KooDrive created the group space {self._name!r}, {self._when()}, but its lists cannot be "
                f"asked for its id, since {err.args[0]}: look for it among the calling user's own in KooDrive"
            ) from err

    def _complete(self, space: Mapping[str, Any]) -> list[str]:
        if self._has_another_size(space):
            log.warning(
                "Group space %r has %s GB, not %s: no call of KooDrive's changes that (trace id %s)",
                self._name,
                space["capacity"],
                self._body["capacity"],
                self._trace_id,
            )
        try:
            return add_missing(
                self._client,
                str(space["id"]),
                self._members,
                api_edition=self._spaces.api_edition,
                context=self._context,
            )
        except KooDriveError as err:
            message = (
                f"the group space {self._name!r}, id {space['id']}, exists, but nothing tells whether it has "
                f"all of its {len(self._members)} members: {err.args[0]}; another try adds what it lacks"
            )
            if isinstance(err, FINAL_ERRORS):
                raise type(err)(message, **err.details()) from err
            raise KooDriveMembersError(
                message,
                failed=[member.user_id for member in self._members],
                retry_after=getattr(err, "retry_after", None),
                **err.details(),
            ) from err

    def _has_another_size(self, space: Mapping[str, Any]) -> bool:
        wanted = self._body.get("capacity")
        return wanted is not None and space.get("capacity") not in (None, wanted)

    def _result(self, space: Mapping[str, Any], created: bool, failed: list[str]) -> dict[str, Any]:
        if failed:
            log.warning(
                "KooDrive could not add %s members to the group space %r: %s (trace id %s)",
                len(failed),
                self._name,
                ", ".join(failed),
                self._trace_id,
            )
        return {
            "id": space["id"],
            "containerId": space.get("containerId"),
            "name": self._name,
            "capacity": space.get("capacity") or self._body.get("capacity"),
            "created": created,
            "failedList": failed,
        }

    def _nothing_tells(self, cause: KooDriveError) -> KooDriveOutcomeUnknownError:
        error = self._outcome_unknown(
            f"nothing tells whether KooDrive created the group space {self._name!r}, {self._when()}, since "
            f"{cause}: look for it among the calling user's own in KooDrive before creating it again"
        )
        if cause.path == CREATE_PATH:
            error.http_status, error.code, error.msg = cause.http_status, cause.code, cause.msg
        return error

    def _when(self) -> str:
        noted = self._notes.last
        return f"first sent {noted.sent_at} by KooDrive's clock" if noted else "sent just now"

    def _outcome_unknown(self, message: str) -> KooDriveOutcomeUnknownError:
        noted = self._notes.last
        return KooDriveOutcomeUnknownError(
            message,
            name=self._name,
            # The create's, which may be an earlier try's.
            trace_id=noted.trace_id if noted else self._trace_id,
            method="POST",
            path=CREATE_PATH,
        )

    def _is_older(self, space: Mapping[str, Any]) -> bool:
        created = created_at(space)
        return created is not None and created < self._notes.sent_at()


def _may_mean_exists(error: KooDriveError) -> bool:
    # KooDrive's documents give no code for a name that is taken: any refusal of unknown meaning counts.
    return isinstance(error, KooDriveConflictError) or type(error) is KooDriveError
