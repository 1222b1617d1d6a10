"""Operators for KooDrive's group spaces: create one exactly once, list them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_koodrive.exceptions import (
    KooDriveConflictError,
    KooDriveMembersError,
    KooDriveValidationError,
)
from airflow_provider_koodrive.formatting import shown
from airflow_provider_koodrive.hooks.koodrive import KooDriveHook
from airflow_provider_koodrive.links import KooDriveSpaceLink
from airflow_provider_koodrive.operators._task_state import TaskStateJournal
from airflow_provider_koodrive.operators.base import KooDriveBaseOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_koodrive.operators.base import Later
    from airflow_provider_koodrive.types import CreatedGroupSpace, GroupSpace, GroupSpaceListing


class CreateGroupSpaceOperator(KooDriveBaseOperator):
    """
    Create a KooDrive group space, exactly one, with its members.

    Sources in KooDrive's documents: "Creating a Group Space", "Adding Members to a User Group".

    The XCom ``return_value`` is a :class:`~airflow_provider_koodrive.types.CreatedGroupSpace`, ``{"id",
    "containerId", "name", "capacity", "created", "failedList"}``: ``id`` is the group id, ``capacity`` is in
    GB, ``created`` is False if an existing space was reused, ``failedList`` has the user ids that could not
    be added. The XCom ``koodrive_space_url`` is the address of the space.

    **Retries.** A create has no idempotency key in KooDrive, so each try lists the calling user's own spaces
    before it sends anything, and again after a failure that leaves the outcome unknown.

    - ``if_exists="reuse"``: a retry reuses the space of that name, whichever run of the calling user created
      it, and adds the members that it lacks. Safe on every Airflow, also after a worker's death.
    - ``"fail"`` and ``"skip"`` on Airflow 3.3 and later: the task notes in its task state store what it is
      about to send, and the id that comes back. A retry, also of a task that was cleared, takes back a space
      that its own earlier try created, known by its id or, if no response named it, by its creation time:
      between sending and the last listing of that try or, if the worker died, at most twelve seconds after
      the listing before sending. It must then have the size that was asked for and no other members. A space
      that another run of the same user creates within just those seconds, with the same size and members,
      cannot be told apart. A space that was created so soon after them that a create may have arrived late,
      that has another size or other members, or whose creation time makes no sense, raises
      ``KooDriveOutcomeUnknownError``; a later one fails or skips the task. Airflow keeps the note for 30 days
      by default (``[state_store]``); with its ``clear_on_success`` a task that succeeded and is cleared does
      not know its space any more.
    - ``"fail"`` and ``"skip"`` below Airflow 3.3: a retry cannot know its own space. If an earlier try died
      after KooDrive created it, the retry fails or skips, and nothing is created twice.

    An error that is not retryable fails the task at once: of configuration, authentication, permission or
    validation.

    .. code-block:: python

        CreateGroupSpaceOperator(
            task_id="create_space",
            name=group_space_name("Finance / Controlling"),
            user_ids=["1505084218764547202"],
            capacity=20,
        )

    :param name: name of the space, at most 30 characters (templated); see
        :func:`airflow_provider_koodrive.naming.group_space_name` for a department's
    :param space: ``{"name", "user_ids", "members", "capacity"}``, instead of these arguments, such as
        :func:`airflow_provider_koodrive.departments.select_new` returns. It is never rendered, so that
        ``.expand(space=…)`` is safe for any text
    :param user_ids: KooDrive user ids of the members, at most 200; they get the connection's permission
        template (templated)
    :param members: members with their own permissions, ``{"userId", "template", "capabilities"}`` each;
        instead of ``user_ids`` (templated)
    :param capacity: size in GB; None for KooDrive's default (templated)
    :param icon_url: picture of the space (templated)
    :param if_exists: if the calling user already owns a space of that name, ``reuse`` reuses it, ``fail``
        fails the task, ``skip`` skips the task (templated)
    :param fail_on_failed_members: whether the task fails if some members cannot be added; the space is kept
        and the XCom pushed either way
    :param koodrive_conn_id: id of the connection (templated)
    """

    template_fields: Sequence[str] = (
        "name",
        "user_ids",
        "members",
        "capacity",
        "icon_url",
        "if_exists",
        "koodrive_conn_id",
    )
    template_fields_renderers = {"user_ids": "json", "members": "json"}  # noqa: RUF012 - as in BaseOperator
    operator_extra_links = (KooDriveSpaceLink(),)

    def __init__(
        self,
        *,
        name: str | Later | None = None,
        space: Mapping[str, Any] | None = None,
        user_ids: Sequence[str] | Later | None = None,
        members: Sequence[Mapping[str, Any]] | str | Later | None = None,
        capacity: int | str | Later | None = None,
        icon_url: str | Later | None = None,
        if_exists: str | Later = "reuse",
        fail_on_failed_members: bool = True,
        koodrive_conn_id: str | Later = KooDriveHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(koodrive_conn_id=koodrive_conn_id, **kwargs)
        # Any, as the connection's id is.
        self.name: Any = name
        # No template field: what stands in it arrives as it is.
        self.space = space
        self.user_ids: Any = user_ids
        self.members: Any = members
        self.capacity: Any = capacity
        self.icon_url: Any = icon_url
        self.if_exists: Any = if_exists
        self.fail_on_failed_members = fail_on_failed_members

    def _run(self, context: Context) -> CreatedGroupSpace:
        if self.if_exists not in ("reuse", "fail", "skip"):
            raise KooDriveValidationError(
                f"if_exists={shown(self.if_exists)} is not allowed: give 'reuse', 'fail' or 'skip'"
            )
        wanted = self._wanted()
        try:
            space = self.hook.create_group_space(
                wanted["name"],
                user_ids=wanted["user_ids"],
                members=wanted["members"],
                capacity=wanted["capacity"],
                icon_url=self.icon_url,
                if_exists="reuse" if self.if_exists == "reuse" else "fail",
                journal=TaskStateJournal.of(context),
            )
        except KooDriveConflictError as err:
            # A conflict with a code is KooDrive's refusal, although the user's lists show no such space.
            if self.if_exists != "skip" or err.code is not None:
                raise
            raise AirflowSkipException(str(err)) from err
        task_instance = context.get("ti")  # none if a script calls execute by itself
        if task_instance:
            task_instance.xcom_push(key=KooDriveSpaceLink.xcom_key, value=self.hook.space_url(space))
        failed = space["failedList"]
        if failed and self.fail_on_failed_members:
            if task_instance:
                # The task is about to fail, but the space exists and later tasks may want it.
                task_instance.xcom_push(key="return_value", value=space)
            raise KooDriveMembersError(
                f"group space {space['name']!r} exists, but these members could not be added: "
                f"{', '.join(failed)}",
                advice=KooDriveMembersError.advice,
                failed=failed,
            )
        return space

    def _wanted(self) -> Mapping[str, Any]:
        given = {name: getattr(self, name) for name in ("name", "user_ids", "members", "capacity")}
        if self.space is None:
            return given
        names = [name for name, value in given.items() if value is not None]
        if names:
            raise KooDriveValidationError(f"space= and {', '.join(names)}= are both given; give one of them")
        if not isinstance(self.space, Mapping) or not set(self.space) <= set(given):
            raise KooDriveValidationError(
                f"space={shown(self.space)} must be an object with {', '.join(given)}, of which name alone "
                "is necessary"
            )
        return {**given, **self.space}


class GroupSpaceListOperator(KooDriveBaseOperator):
    """
    List the enterprise's group spaces; the calling user must be a tenant administrator.

    Source in KooDrive's documents: "Listing Group Spaces in an Enterprise".

    The XCom ``return_value`` is a :class:`~airflow_provider_koodrive.types.GroupSpaceListing`, all pages
    joined: ``{"total", "groupsTotal", "groupsMax", "assignedCapacity", "maxCapacity", "groups"}``, capacities
    in GB. Each number is also an XCom of its own, such as ``list_task.output["total"]``.

    :param fields: fields of each space to keep, such as ``("id", "name", "userNum")``, so that the XCom
        stays small; ``id`` and ``name`` always stay. None for all
    :param keyword: part of the name or of the owner's name (templated)
    :param page_size: spaces for one call, 1 to 100
    :param max_records: list at most so many spaces; None for all
    :param koodrive_conn_id: id of the connection (templated)
    """

    template_fields: Sequence[str] = ("keyword", "koodrive_conn_id")

    def __init__(
        self,
        *,
        keyword: str | Later | None = None,
        fields: Sequence[str] | None = None,
        page_size: int = 100,
        max_records: int | None = None,
        koodrive_conn_id: str | Later = KooDriveHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(koodrive_conn_id=koodrive_conn_id, **kwargs)
        self.keyword: Any = keyword
        self.fields = fields
        self.page_size = page_size
        self.max_records = max_records

    def _run(self, context: Context) -> GroupSpaceListing:
        listing = self.hook.list_group_spaces(
            keyword=self.keyword, page_size=self.page_size, max_records=self.max_records
        )
        self.log.info("Listed %s of %s group spaces", len(listing["groups"]), listing["total"])
        task_instance = context.get("ti")  # none if a script calls execute by itself
        if task_instance:
            for key, value in listing.items():
                if key != "groups":
                    task_instance.xcom_push(key=key, value=value)
        if self.fields is not None:
            kept = {"id", "name", *self.fields}
            groups = [
                {key: value for key, value in space.items() if key in kept} for space in listing["groups"]
            ]
            listing["groups"] = cast("list[GroupSpace]", groups)
        return listing
