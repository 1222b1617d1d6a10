"""A create task's notes in Airflow's task state store, so that its next try knows its own space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

KEY = "koodrive_create_group_space"


class TaskStateJournal:
    """
    A journal in the task state store, which outlives a task's tries (Airflow 3.3 and later).

    :param store: ``context["task_state_store"]``
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    @classmethod
    def of(cls, context: Context) -> TaskStateJournal | None:
        """Return the journal of the running task, None below Airflow 3.3."""
        store = context.get("task_state_store")
        return None if store is None else cls(store)

    def read(self) -> dict[str, Any] | None:
        """Return what an earlier try noted last."""
        entry = self._store.get(KEY)
        return entry if isinstance(entry, dict) else None

    def note(self, intent: dict[str, Any]) -> None:
        """Note what is about to be sent, or its result."""
        self._store.set(KEY, intent)

    def forget(self) -> None:
        """Forget what was noted."""
        self._store.delete(KEY)
