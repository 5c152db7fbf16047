"""Takes out of texts what is nobody else's business: secrets, and paths of this machine."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from hf_vft.errors import RecipeError

HIDDEN = "***"

_LOGIN = re.compile(r"(?P<scheme>\b[a-zA-Z][\w+.-]*://)(?P<login>[^\s/@\"'<>]*:[^\s\"'<>]*)@")
"""A login in an address; a password may hold any mark that is none of quoting."""

_PARAMETER = re.compile(
    r"(?P<name>[?&;](?:[\w-]*(?:password|passwd|pwd|secret|token|api_?key|sas|sig))=)"
    r"(?P<value>[^\s&;#\"'<>]+)",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{16,}\b")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_VFT_AUTH", "WANDB_API_KEY")
"""Environment variables whose values are secrets."""

_SHORTEST = 6
"""A secret of fewer letters is too likely to be a word of the text."""

_USUAL_ROOTS = frozenset({
    "Users", "Volumes", "content", "data", "home", "kaggle", "mnt", "opt", "private", "root",
    "scratch", "srv", "tmp", "usr", "var", "work", "workspace",
})  # fmt: skip


def without_secrets(text: str) -> str:
    """A text in which logins of addresses, tokens and secrets of the environment are hidden.

    What stands as ``${NAME}`` is no secret and stays.
    """
    for name in _VARIABLES:
        value = os.environ.get(name, "")
        if len(value) >= _SHORTEST:
            text = text.replace(value, HIDDEN)
    text = _LOGIN.sub(_hidden_login, text)
    text = _PARAMETER.sub(
        lambda match: match[0] if _is_variable(match["value"]) else f"{match['name']}{HIDDEN}", text
    )
    return _TOKEN.sub(HIDDEN, text)


def has_secret(text: str) -> bool:
    """Whether a text holds what `without_secrets` would hide."""
    return without_secrets(text) != text


def without_paths(text: str) -> str:
    """A text in which of absolute paths only the last part is left."""
    return _paths().sub(lambda match: match["last"], text)


def filled_in(text: str, *, where: str) -> str:
    """A text with the values of the environment variables that it names as ``${NAME}``.

    The result is for use alone: it is neither written nor printed.

    Args:
        text: Such as ``postgresql://me:${DB_PASSWORD}@host/studies``.
        where: What holds it, for the error.

    Raises:
        RecipeError: If a variable is not set.
    """
    missing = [name for name in _VARIABLE.findall(text) if name not in os.environ]
    if missing:
        raise RecipeError(f"{where}: the environment variable {missing[0]} is not set.")
    return _VARIABLE.sub(lambda match: os.environ[match[1]], text)


def without_values(text: str, template: str) -> str:
    """A text without the values that `filled_in` put into a template, and without other secrets."""
    values: Iterable[str] = (os.environ.get(name, "") for name in _VARIABLE.findall(template))
    for value in values:
        text = text.replace(value, HIDDEN) if value else text
    return without_secrets(text)


def _hidden_login(match: re.Match[str]) -> str:
    user, _, password = match["login"].partition(":")
    if _is_variable(password):
        return match[0]
    return f"{match['scheme']}{user}:{HIDDEN}@"


def _is_variable(value: str) -> bool:
    return value == HIDDEN or _VARIABLE.fullmatch(value) is not None


@cache
def _paths() -> re.Pattern[str]:
    """Absolute paths below what is at the root of this machine, or usually is at one."""
    here = {path.name for path in Path("/").iterdir() if path.is_dir()}
    roots = sorted(here | _USUAL_ROOTS | {Path(tempfile.gettempdir()).parts[1]}, key=len)
    first = "|".join(map(re.escape, reversed(roots)))
    part = r"(?:\\u[0-9a-f]{4}|[^\s/\\\"'<>|:*?,;()\[\]{}`])+"
    posix = rf"(?:(?:/(?:{first})|~)(?:/{part})*/)"
    windows = rf"(?:[A-Za-z]:(?:\\{{1,2}}|/)(?:{part}(?:\\{{1,2}}|/))*)"
    return re.compile(rf"(?<![\w.:/~\\-])(?:file://)?(?:{posix}|{windows})(?P<last>{part})?")
