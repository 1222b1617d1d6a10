"""The base of all kinds of faults, and the types of their options."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from airflow_provider_koodrive.sandbox.service.operations import OPERATION_NAMES

if TYPE_CHECKING:
    from starlette.responses import Response

    from airflow_provider_koodrive.sandbox.service.call import Call

# Some 30 years, so that every time that results can be written down.
MAX_SECONDS = 10**9


def _has_body(status: int) -> int:
    bodiless = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    if status not in list(HTTPStatus) or status < 200 or status in bodiless:
        raise ValueError("no such status")
    return status


def _is_printable(text: int | str) -> int | str:
    if isinstance(text, str) and not (text and text.isprintable()):
        raise ValueError("not printable")
    return text


def _is_header_value(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise ValueError("not printable ASCII")
    return text


def _is_encodable(text: str) -> str:
    text.encode()  # raises a ValueError for half a surrogate pair
    return text


# The description is the rule, in the words of the error.
Seconds = Annotated[
    float,
    Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False, description=f"a number from 0 to {MAX_SECONDS}"),
]
Skew = Annotated[
    float,
    Field(
        ge=-MAX_SECONDS,
        le=MAX_SECONDS,
        allow_inf_nan=False,
        description=f"a number from -{MAX_SECONDS} to {MAX_SECONDS}",
    ),
]
Count = Annotated[int, Field(ge=0, description="an integer of at least 0")]
Flag = Annotated[bool, Field(description="true or false")]
Status = Annotated[
    int,
    AfterValidator(_has_body),
    Field(description="a final HTTP status with a name and a body"),
]
Code = Annotated[
    int | str, AfterValidator(_is_printable), Field(description="an integer, or text such as APIGW.0301")
]
HeaderValue = Annotated[str, AfterValidator(_is_header_value), Field(description="printable ASCII")]
Text = Annotated[str, AfterValidator(_is_encodable), Field(description="text")]


class Fault(BaseModel):
    """
    Base class of all faults; each kind is a subclass with its options as fields.

    :param times: number of calls that it applies to, None for no limit
    :param probability: probability that it applies to a call
    :param seed: makes the choice of calls repeatable
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    kind: ClassVar[str]
    """Name of the kind."""
    summary: ClassVar[str]
    """Effect on the client, and whether the work was done."""
    commits: ClassVar[bool] = False
    """Whether the call does its work in spite of the fault; an option ``committed`` overrides it."""
    operations: ClassVar[tuple[str, ...]] = OPERATION_NAMES
    """The operations that it can apply to."""
    replaces_response: ClassVar[bool] = True
    """Whether the client gets :meth:`respond`; else :meth:`change` changes how the call is handled."""

    times: Annotated[int | None, Field(ge=1, description="an integer of at least 1")] = None
    probability: Annotated[float, Field(ge=0, le=1, description="a number from 0 to 1")] = 1.0
    seed: Annotated[int | None, Field(description="an integer")] = None

    @classmethod
    def options(cls) -> dict[str, Any]:
        """Return the options of this kind with their defaults."""
        return {
            name: field.default for name, field in cls.model_fields.items() if name not in Fault.model_fields
        }

    def does_work(self) -> bool:
        """Return whether the call does its work in spite of the fault."""
        return bool(getattr(self, "committed", self.commits))

    def change(self, call: Call) -> None:
        """Change how a call is handled."""

    def respond(self, call: Call, response: Response) -> Response:  # noqa: ARG002 - for subclasses
        """
        Return the response that the client gets.

        :param call: the call
        :param response: the response without the fault; empty if the work was not done
        """
        return response
