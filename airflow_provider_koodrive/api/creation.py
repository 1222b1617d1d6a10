"""
Creating exactly once.

KooDrive's create has no idempotency key, and names are unique per creator only (user guide, "Group
Space"). So the caller's own spaces are looked at before a create is sent, and again whenever an attempt
leaves its outcome unknown; a create is sent again only after a look that succeeded and found nothing.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pendulum

from airflow_provider_koodrive.api.members import add_missing
from airflow_provider_koodrive.api.records import parse_create_answer
from airflow_provider_koodrive.api.request import new_trace_id
from airflow_provider_koodrive.api.retry import Verdict, judge
from airflow_provider_koodrive.exceptions import (
    KooDriveConflictError,
    KooDriveError,
    KooDriveOutcomeUnknownError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_koodrive.api.group_spaces import GroupSpaces
    from airflow_provider_koodrive.api.members import Member
    from airflow_provider_koodrive.api.records import CreateAnswer

log = logging.getLogger(__name__)

CREATE_PATH = "/koodrive/ose/v1/space/group"

# KooDrive's times and its Date header are compared, one of which has whole seconds only.
CLOCK_TOLERANCE_SECONDS = 2

LONGEST_ATTEMPT_SECONDS = 24 * 60 * 60


@dataclass(frozen=True)
class Intent:
    """
    What an earlier try of the same task was about to do, or did.

    :param name: name of the space
    :param sent_at: when the create first went out, ISO 8601, by KooDrive's clock
    :param settled_by: when KooDrive has carried out the create or never will, ISO 8601, by KooDrive's clock
    :param trace_id: ``X-Traceid`` of the create
    :param space_id: id of the space, once it is known
    """

    name: str
    sent_at: str
    settled_by: str
    trace_id: str
    space_id: str | None = None

    def made(self, space: Mapping[str, Any]) -> bool:
        """Whether that try created this space of its name, as far as ids and times can tell."""
        if self.space_id is not None:
            return self.space_id == str(space["id"])
        created = _created_at(space)
        return created is not None and _moment(self.sent_at) <= created <= _moment(self.settled_by)


class CreateJournal(Protocol):
    """Remembers across processes what was sent, as plain JSON; the operator keeps it in Airflow."""

    def read(self) -> dict[str, Any] | None:
        """Return what an earlier try noted last, None where there is nothing."""

    def note(self, intent: dict[str, Any]) -> None:
        """Note what is about to be sent, or what came of it; see :class:`Intent`."""

    def forget(self) -> None:
        """Forget what was noted: KooDrive refused it, so nothing is open."""


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
        self._journal = journal
        self._deadline = spaces.client.deadline()
        self._trace_id = new_trace_id()
        self._earlier = _read(journal, self._name)
        self._intent: Intent | None = None
        self._first_sent: pendulum.DateTime | None = None
        self._unknown = False
        self._refusal: KooDriveError | None = None

    def run(self) -> dict[str, Any]:
        """Return the space, see :meth:`GroupSpaces.create`."""
        space: Mapping[str, Any] | None = self._find()
        if space is None:
            sent = self._send()
            if isinstance(sent, _Created):
                space = self._listed(sent.answer["id"])
                self._note(space["id"])
                return self._result(space, True, sent.answer["failedList"])
            space = sent
        return self._take(space)

    def _take(self, space: Mapping[str, Any]) -> dict[str, Any]:
        # A list that lags may show an older space only now, which another run has made.
        ours = self._unknown and not self._is_older(space)
        created = ours or (self._earlier is not None and self._earlier.made(space))
        if created:
            self._note(space["id"])
        else:
            self._take_back()
        if not created and not self._reuse:
            raise KooDriveConflictError(
                f"the calling user already owns a group space {self._name!r}, id {space['id']}",
                trace_id=self._trace_id,
            ) from self._refusal
        return self._result(space, created, self._complete(space))

    def _send(self) -> _Created | Mapping[str, Any]:
        what = f"POST {CREATE_PATH} of {self._name!r}"
        try:
            return self._client.repeating(what, self._again, self._deadline, self._trace_id)(self._attempt)
        except KooDriveError as err:
            if self._unknown or (self._earlier is not None and err is self._refusal):
                self._note(over=True)
                raise self._outcome_unknown(
                    "nothing tells whether KooDrive created the group space {name}, first sent {sent_at}: "
                    "look for it among the calling user's own in KooDrive before it is created again"
                ) from err
            self._take_back()
            raise

    def _attempt(self) -> _Created | Mapping[str, Any]:
        """Return KooDrive's answer, or the space that is there already."""
        if self._unknown or self._refusal is not None:
            space = self._find()
            if space is not None:
                return space
        if self._refusal is not None:
            raise self._refusal
        self._note()
        try:
            answer = self._client.send(
                "POST",
                CREATE_PATH,
                json=self._body,
                expects=("id", "failedList"),
                read=parse_create_answer,
                trace_id=self._trace_id,
                deadline=self._deadline,
            )
            return _Created(answer)
        except KooDriveError as err:
            verdict = judge("POST", err)
            if verdict is Verdict.UNKNOWN:
                self._unknown = True
            elif verdict is Verdict.REPEAT or not _may_mean_exists(err):
                raise
            elif self._should_be_there(err):
                self._refusal = err
            space = self._find()
            if space is None:
                raise
            return space

    def _should_be_there(self, refusal: KooDriveError) -> bool:
        """Whether the space exists by what was sent or answered, and lists may only show it later."""
        sent_before = self._unknown or self._earlier is not None
        return sent_before or (self._reuse and isinstance(refusal, KooDriveConflictError))

    def _again(self, error: KooDriveError) -> bool:
        return error is self._refusal or judge("POST", error) is not Verdict.RAISE

    def _find(self, new_id: str | None = None) -> dict[str, Any] | None:
        return self._spaces.find(
            self._name,
            new_id=new_id,
            certain=self._unknown or self._earlier is not None,
            deadline=self._deadline,
            trace_id=self._trace_id,
        )

    def _listed(self, new_id: str | None) -> Mapping[str, Any]:
        """Look the new space up: documents differ on whether the answer's id is the group's."""

        def look() -> Mapping[str, Any]:
            space = self._find(new_id)
            if space is None:
                raise self._outcome_unknown(
                    "KooDrive created the group space {name}, sent {sent_at}, but its lists do not show it "
                    "yet: look for it among the calling user's own in KooDrive"
                )
            return space

        def again(error: KooDriveError) -> bool:
            return isinstance(error, KooDriveOutcomeUnknownError)

        try:
            what = f"look for the new space {self._name!r}"
            return self._client.repeating(what, again, self._deadline, self._trace_id)(look)
        except KooDriveError as err:
            if new_id is None or not new_id.isdecimal():
                raise
            log.warning(
                "Group space %r is created, but its containerId cannot be looked up: %s", self._name, err
            )
            return {"id": new_id}

    def _complete(self, space: Mapping[str, Any]) -> list[str]:
        wanted = self._body.get("capacity")
        if wanted is not None and space.get("capacity") not in (None, wanted):
            log.warning(
                "Group space %r has %s GB, not %s: no call of KooDrive's changes that (trace id %s)",
                self._name,
                space["capacity"],
                wanted,
                self._trace_id,
            )
        return add_missing(
            self._client,
            str(space["id"]),
            self._members,
            api_edition=self._spaces.api_edition,
            deadline=self._deadline,
            trace_id=self._trace_id,
        )

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

    def _outcome_unknown(self, message: str) -> KooDriveOutcomeUnknownError:
        sent_at = self._intent.sent_at if self._intent else "by an earlier try"
        return KooDriveOutcomeUnknownError(
            message.format(name=repr(self._name), sent_at=sent_at),
            name=self._name,
            trace_id=self._trace_id,
            method="POST",
            path=CREATE_PATH,
        )

    def _note(self, space_id: str | None = None, *, over: bool = False) -> None:
        """
        Note what is about to be sent, or what came of it; an earlier try's create may still arrive.

        :param over: whether this try has ended, so that its create will not arrive any more
        """
        now = pendulum.now("UTC")
        self._first_sent = self._first_sent or now
        longest = min(self._client.longest_attempt, self._deadline.left(), LONGEST_ATTEMPT_SECONDS)
        last = self._client.by_server(now)[1].add(seconds=CLOCK_TOLERANCE_SECONDS + (0 if over else longest))
        if self._earlier is not None:
            last = max(last, _moment(self._earlier.settled_by))
        first = self._sent_at().isoformat()
        self._intent = Intent(self._name, first, last.isoformat(), self._trace_id, space_id)
        if self._journal:
            self._journal.note(asdict(self._intent))

    def _sent_at(self) -> pendulum.DateTime:
        """Return when the create that is open first went out, at the earliest, by KooDrive's clock."""
        if self._earlier is not None and self._earlier.space_id is None:
            return _moment(self._earlier.sent_at)
        first_sent = self._first_sent or pendulum.now("UTC")
        return self._client.by_server(first_sent)[0].subtract(seconds=CLOCK_TOLERANCE_SECONDS)

    def _is_older(self, space: Mapping[str, Any]) -> bool:
        created = _created_at(space)
        return created is not None and created < self._sent_at()

    def _take_back(self) -> None:
        """Note that nothing came of what was about to be sent."""
        if self._journal and self._intent:
            if self._earlier is not None:
                self._journal.note(asdict(self._earlier))
            else:
                self._journal.forget()


def _read(journal: CreateJournal | None, name: str) -> Intent | None:
    noted = journal.read() if journal else None
    try:
        intent = Intent(**noted) if noted else None
        if intent is None or intent.name != name:
            return None
        _moment(intent.sent_at), _moment(intent.settled_by)
    except (TypeError, ValueError, OverflowError):
        # Noted by another version of this provider, or by somebody else.
        return None
    return intent


def _created_at(space: Mapping[str, Any]) -> pendulum.DateTime | None:
    try:
        return _moment(space.get("createTime"))
    except (TypeError, ValueError, OverflowError):
        return None


def _moment(text: Any) -> pendulum.DateTime:
    moment = pendulum.parse(text)
    if not isinstance(moment, pendulum.DateTime):
        raise ValueError(f"{text!r} is not a point in time")
    return moment


def _may_mean_exists(error: KooDriveError) -> bool:
    # KooDrive's documents give no code for a name that is taken: any refusal of unknown meaning counts.
    return isinstance(error, KooDriveConflictError) or type(error) is KooDriveError
