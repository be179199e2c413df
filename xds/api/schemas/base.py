"""What all documents have in common: strictness on the way in, and the shapes of lists and problems on the way out."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Input(BaseModel):
    """A document that a caller sends: no unknown field, no guessed type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Output(BaseModel):
    """A document that a caller gets; made by us, so nothing is checked twice."""

    model_config = ConfigDict(frozen=True)


class Page(Output, Generic[T]):
    """A part of a list."""

    items: list[T]
    next: str | None = Field(None, description="pass it as `after` to get the next page; null on the last one")
    revision: int = Field(description="the revision of everything declared, at the time of the answer")


class FieldError(Output):
    """One wrong field."""

    pointer: str = Field(description="RFC 6901 pointer into the document that was sent")
    detail: str


class ProblemOut(Output):
    """An error, as RFC 9457 has it, with a stable `code` and a pointer to the field."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:fairlead:problem:unknown_version",
                    "title": "Unprocessable Entity",
                    "status": 422,
                    "detail": "default/web has no instance of version 'v9'; it has v1, v2",
                    "code": "unknown_version",
                    "pointer": "/version",
                    "request": "5f0c-1a",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    pointer: str = ""
    request: str = ""
    errors: list[FieldError] | None = None
