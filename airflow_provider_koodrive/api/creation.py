"""
Creating exactly once.

KooDrive's create has no idempotency key, and names are unique per creator only (user guide, "Group
Space"). So the caller's own spaces are looked at before a create is sent, and again whenever an attempt
leaves its outcome unknown; a create is sent again only after a look that succeeded and found nothing.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pendulum

from airflow_provider_koodrive.api.intent import Intent, Whose, created_at, moment, read_intent
from airflow_provider_koodrive.api.members import add_missing
from airflow_provider_koodrive.api.records import parse_create_answer
from airflow_provider_koodrive.api.request import new_trace_id
from airflow_provider_koodrive.api.retry import Verdict, judge
from airflow_provider_koodrive.exceptions import (
    KooDriveConflictError,
    KooDriveError,
    KooDriveMembersError,
    KooDriveOutcomeUnknownError,
    KooDriveResponseError,
)
from airflow_provider_koodrive.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_koodrive.api.group_spaces import GroupSpaces
    from airflow_provider_koodrive.api.intent import CreateJournal
    from airflow_provider_koodrive.api.members import Member
    from airflow_provider_koodrive.api.records import CreateAnswer

log = logging.getLogger(__name__)

CREATE_PATH = "/koodrive/ose/v1/space/group"

# KooDrive's times and its Date header are compared, one of which has whole seconds only.
CLOCK_TOLERANCE_SECONDS = 2

# How long KooDrive takes for a create at most, where a worker died and nobody saw the answer.
CREATE_SECONDS = 10

# A create that was given up may still arrive so much later.
LATE_SECONDS = 60

LONGEST_ATTEMPT_SECONDS = 24 * 60 * 60


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
        self._earlier = read_intent(journal, self._name)
        self._intent: Intent | None = None
        self._first_sent: pendulum.DateTime | None = None
        self._unknown = False
        self._blind = False
        self._refusal: KooDriveError | None = None

    def run(self) -> dict[str, Any]:
        """Return the space, see :meth:`GroupSpaces.create`."""
        space = self._first_look()
        if space is None:
            sent = self._send()
            if isinstance(sent, _Created):
                space = self._listed(sent.answer["id"])
                self._note(space["id"])
                return self._result(space, True, sent.answer["failedList"])
            space = sent
        return self._take(space)

    def _first_look(self) -> Mapping[str, Any] | None:
        try:
            space = self._find()
        except KooDriveError as err:
            if self._earlier is not None and self._earlier.space_id is None:
                raise self._nothing_tells() from err
            raise
        now, _ = self._client.by_server(pendulum.now("UTC"))
        if space is None and self._earlier is not None and now > moment(self._earlier.settled_by):
            self._earlier = None
        return space

    def _take(self, space: Mapping[str, Any]) -> dict[str, Any]:
        whose = self._whose(space)
        if whose is Whose.OURS:
            self._note(space["id"])
        elif whose is Whose.ANOTHERS or self._reuse:
            self._take_back()
        else:
            self._note_end()
            raise self._outcome_unknown(
                f"nothing tells whether the calling user's group space {self._name!r}, id {space['id']}, "
                f"created at {one_line(str(space.get('createTime')))}, comes from this create, {self._sent}, "
                "or from another: look in KooDrive, and take it with if_exists='reuse' if it is the right one"
            )
        if whose is Whose.ANOTHERS and not self._reuse:
            raise KooDriveConflictError(
                f"the calling user already owns a group space {self._name!r}, id {space['id']}",
                trace_id=self._trace_id,
            ) from self._refusal
        return self._result(space, whose is Whose.OURS, self._complete(space))

    def _whose(self, space: Mapping[str, Any]) -> Whose:
        if self._unknown and not (self._blind and self._is_older(space)):
            return Whose.OURS
        if self._earlier is not None:
            now = self._client.by_server(pendulum.now("UTC"))[1].add(seconds=CLOCK_TOLERANCE_SECONDS)
            return self._earlier.whose(space, now)
        return Whose.UNCLEAR if self._unknown else Whose.ANOTHERS

    def _send(self) -> _Created | Mapping[str, Any]:
        what = f"POST {CREATE_PATH} of {self._name!r}"
        try:
            return self._client.repeating(what, self._again, self._deadline, self._trace_id)(self._attempt)
        except KooDriveError as err:
            if self._unknown:
                self._note_end()
            else:
                self._take_back()
            if self._unknown or self._earlier is not None:
                raise self._nothing_tells() from err
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
            elif verdict is Verdict.REPEAT or not (self._unknown or _may_mean_exists(err)):
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

    def _find(self, new_id: str | None = None) -> Mapping[str, Any] | None:
        space, complete = self._spaces.look(
            self._name, new_id=new_id, deadline=self._deadline, trace_id=self._trace_id
        )
        if space is None and not complete:
            if self._unknown or self._earlier is not None:
                raise KooDriveResponseError(
                    "KooDrive's lists lack group spaces that they count, so nothing tells whether the "
                    f"calling user owns {self._name!r}",
                    trace_id=self._trace_id,
                )
            self._blind = True
        return space

    def _listed(self, new_id: str | None) -> Mapping[str, Any]:
        """Look the new space up: documents differ on whether the answer's id is the group's."""

        def look() -> Mapping[str, Any]:
            space = self._find(new_id)
            if space is None:
                raise self._outcome_unknown(
                    f"KooDrive created the group space {self._name!r}, {self._sent}, but its lists do not "
                    "show it yet: look for it among the calling user's own in KooDrive"
                )
            return space

        def again(error: KooDriveError) -> bool:
            return isinstance(error, KooDriveOutcomeUnknownError)

        try:
            what = f"look for the new space {self._name!r}"
            return self._client.repeating(what, again, self._deadline, self._trace_id)(look)
        except KooDriveError as err:
            if new_id is None or not new_id.isdecimal():
                self._note_end()
                if isinstance(err, KooDriveOutcomeUnknownError):
                    raise
                raise self._outcome_unknown(
                    f"KooDrive created the group space {self._name!r}, {self._sent}, but its lists cannot be "
                    "asked for its id: look for it among the calling user's own in KooDrive"
                ) from err
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
        try:
            return add_missing(
                self._client,
                str(space["id"]),
                self._members,
                api_edition=self._spaces.api_edition,
                deadline=self._deadline,
                trace_id=self._trace_id,
            )
        except KooDriveError as err:
            raise KooDriveMembersError(
                f"the group space {self._name!r}, id {space['id']}, exists, but nothing tells whether it has "
                f"all of its {len(self._members)} members: {err.args[0]}; another try adds what it lacks",
                failed=[member.user_id for member in self._members],
                http_status=err.http_status,
                code=err.code,
                msg=err.msg,
                trace_id=err.trace_id,
                method=err.method,
                path=err.path,
            ) from err

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

    def _nothing_tells(self) -> KooDriveOutcomeUnknownError:
        return self._outcome_unknown(
            f"nothing tells whether KooDrive created the group space {self._name!r}, {self._sent}: look for "
            "it among the calling user's own in KooDrive before it is created again"
        )

    @property
    def _sent(self) -> str:
        intent = self._intent or self._earlier
        return f"first sent {intent.sent_at}" if intent else "sent just now"

    def _outcome_unknown(self, message: str) -> KooDriveOutcomeUnknownError:
        return KooDriveOutcomeUnknownError(
            message, name=self._name, trace_id=self._trace_id, method="POST", path=CREATE_PATH
        )

    def _note(self, space_id: str | None = None, *, over: bool = False) -> None:
        """
        Note what is about to be sent, or what came of it; an earlier try's create may still arrive.

        :param over: whether this try has seen how it ended
        """
        now = pendulum.now("UTC")
        self._first_sent = self._first_sent or now
        longest = (
            0 if over else min(self._client.longest_attempt, self._deadline.left(), LONGEST_ATTEMPT_SECONDS)
        )
        now_there = self._client.by_server(now)[1]
        tolerant = now_there.add(seconds=CLOCK_TOLERANCE_SECONDS)
        # A try that is over has looked last of all: what comes later need not be its own.
        ours_until = now_there if over else tolerant.add(seconds=min(longest, CREATE_SECONDS))
        settled_by = tolerant.add(seconds=longest + LATE_SECONDS)
        if self._earlier is not None:
            ours_until = max(ours_until, moment(self._earlier.ours_until))
            settled_by = max(settled_by, moment(self._earlier.settled_by))
        self._intent = Intent(
            self._name,
            sent_at=self._sent_at().isoformat(),
            ours_until=ours_until.isoformat(),
            settled_by=settled_by.isoformat(),
            trace_id=self._trace_id,
            space_id=space_id,
        )
        if self._journal:
            self._journal.note(asdict(self._intent))

    def _note_end(self) -> None:
        """Note that this try is over, so that what appears later is not taken for its own."""
        if self._intent is None:
            return
        try:
            self._note(over=True)
        except Exception:  # whatever the journal's store raises: the error at hand matters more
            log.warning("The end of the create of %r cannot be noted", self._name, exc_info=True)

    def _sent_at(self) -> pendulum.DateTime:
        """Return when the create that is open first went out, at the earliest, by KooDrive's clock."""
        if self._earlier is not None and self._earlier.space_id is None:
            return moment(self._earlier.sent_at)
        first_sent = self._first_sent or pendulum.now("UTC")
        return self._client.by_server(first_sent)[0].subtract(seconds=CLOCK_TOLERANCE_SECONDS)

    def _is_older(self, space: Mapping[str, Any]) -> bool:
        created = created_at(space)
        return created is not None and created < self._sent_at()

    def _take_back(self) -> None:
        """Note that nothing came of what was about to be sent."""
        if self._journal and self._intent:
            if self._earlier is not None:
                self._journal.note(asdict(self._earlier))
            else:
                self._journal.forget()


def _may_mean_exists(error: KooDriveError) -> bool:
    # KooDrive's documents give no code for a name that is taken: any refusal of unknown meaning counts.
    return isinstance(error, KooDriveConflictError) or type(error) is KooDriveError
