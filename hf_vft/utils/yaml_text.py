"""Reads YAML that a stranger may have written."""

from __future__ import annotations

from typing import Any

import yaml

_LONGEST = 200

_RAISED = (
    yaml.YAMLError,
    ValueError,  # numbers of thousands of digits, the month 13
    LookupError,  # what PyYAML raises for `!!bool maybe` and `!!int ''`
    AttributeError,  # and for `!!timestamp soon`
)


def parse_yaml(text: str) -> Any:
    """The content of a YAML text: mappings, lists, numbers, texts, dates.

    Raises:
        ValueError: In one line of bounded length, whatever is wrong with the text.
    """
    try:
        return yaml.safe_load(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except _RAISED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]}…") from None
