"""KooDrive's envelope: codes, refusals, and the two forms in which its editions answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

Edition = Literal["2025-03", "2024-07"]
CreateId = Literal["group", "container", "none"]

CODE_INTERNAL = 13000201
CODE_PARAMETERS = 13000102
CODE_NOT_FOUND = 13000309
CODE_NO_SPACE_LEFT = 13000311
CODE_DUPLICATE_NAME = 13000405
"""KooDrive's "Duplicate file name."; that it also refuses duplicate spaces is (inferred)."""
CODE_NO_PERMISSION = 13000410
CODE_TOKEN = "APIGW.0301"  # noqa: S105 - a code, no secret
"""The API gateway's refusal of a token (inferred)."""
CODE_THROTTLED = "APIGW.0308"
"""The API gateway's refusal for load (inferred)."""
CODE_SIGNATURE = "APIGW.0303"
"""The API gateway's refusal of an app signature (inferred)."""


class RefusalError(Exception):
    """
    A call that KooDrive refuses.

    :param code: ``code`` of the envelope
    :param msg: ``msg`` of the envelope, without secrets
    :param http_status: HTTP status of the response
    """

    def __init__(self, code: int | str, msg: str, *, http_status: int = 400) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg
        self.http_status = http_status


def bad_parameters(detail: str) -> RefusalError:
    return RefusalError(CODE_PARAMETERS, f"Verify parameters failed. {detail}")


def unknown_group(group_id: str) -> RefusalError:
    return RefusalError(CODE_NOT_FOUND, f"Resource does not exist: group {group_id}")


def no_permission(detail: str) -> RefusalError:
    return RefusalError(CODE_NO_PERMISSION, f"No permission. {detail}")


@dataclass(frozen=True)
class ResponseFormat:
    """
    The form of the responses; KooDrive's documents contradict each other.

    :param edition: ``2025-03`` answers as the examples print: numbers, ``groupName``. ``2024-07`` answers
        ``code``, totals and amounts as strings, and ``name``
    :param team_list_names: whether teamList names its spaces; the table of 2025-03 has no name there
    :param create_id: ``id`` in the response to a create: the group's, the container's ("space id"), or none
    """

    edition: Edition = "2025-03"
    team_list_names: bool = True
    create_id: CreateId = "group"

    def __post_init__(self) -> None:
        if self.edition not in get_args(Edition):
            raise ValueError(f"edition must be one of {get_args(Edition)}, not {self.edition!r}")
        if self.create_id not in get_args(CreateId):
            raise ValueError(f"create_id must be one of {get_args(CreateId)}, not {self.create_id!r}")

    @property
    def name_field(self) -> str:
        return "groupName" if self.edition == "2025-03" else "name"

    def number(self, value: int) -> int | str:
        return value if self.edition == "2025-03" else str(value)

    def success(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"code": self.number(0), "msg": "success" if self.edition == "2025-03" else "OK", **payload}

    def refusal(self, refusal: RefusalError) -> dict[str, Any]:
        code = self.number(refusal.code) if isinstance(refusal.code, int) else refusal.code
        return {"code": code, "msg": refusal.msg}
