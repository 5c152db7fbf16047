"""What every part of the recipe is made of."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Auto = Literal["auto"]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveFloat = Annotated[float, Field(gt=0.0)]
PositiveInt = Annotated[int, Field(ge=1, le=2**63 - 1)]
"""Up to what PyTorch, Arrow and file systems count to."""


class Section(BaseModel):
    """A part of the recipe: unknown keys, wrong types and numbers without end are errors."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _list_of_one(cls, value: object, info: ValidationInfo) -> Any:
        """Take one text for a list of one where the field is a list of texts."""
        field = cls.model_fields[info.field_name or ""]
        is_one = isinstance(value, str) and _takes_texts(field.annotation)
        return [value] if is_one and value not in _words(field.annotation) else value


def _members(annotation: object) -> tuple[Any, ...]:
    """The types of a union, or the only one."""
    if get_origin(annotation) in (Union, UnionType):
        return tuple(member for part in get_args(annotation) for member in _members(part))
    return (annotation,)


def _takes_texts(annotation: object) -> bool:
    members = _members(annotation)
    return str not in members and any(
        get_origin(member) is list and get_args(member) == (str,) for member in members
    )


def _words(annotation: object) -> set[str]:
    """The words that a field takes beside a list, such as ``auto``."""
    return {
        word
        for member in _members(annotation)
        if get_origin(member) is Literal
        for word in get_args(member)
    }
