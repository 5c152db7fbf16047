"""What is written to JSON and read back: fields of a known name, never changed."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A record whose fields are fixed; a field that it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
