"""The way to the Hub: who may write, and what a refusal means for the person who pushes.

Everything goes through ``huggingface_hub``, so ``HF_ENDPOINT``, ``HF_TOKEN`` and
``hf auth login`` mean here what they mean everywhere. A token is never shown.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
)
from huggingface_hub.errors import HTTPError as ClientError  # type: ignore[attr-defined]
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from hf_vft._version import __version__
from hf_vft.errors import HubError

T = TypeVar("T")

PASSING = frozenset({408, 409, 412, 429, 500, 502, 503, 504})
"""Answers that may be another one in a moment; 409 and 412 when somebody else was writing."""

LONGEST_WAIT = 60.0

_REFUSALS = {
    401: "the Hub does not know this token{said}: log in again with `hf auth login`.",
    402: "the Hub asks for a paid plan{said}.",
    403: "the Hub refuses{said}. Does the token have the right to write there, and is there room?",
    409: "somebody else is writing there{said}: try again.",
    412: "somebody else is writing there{said}: try again.",
    413: "the Hub has no room for it{said}.",
    429: "the Hub asks for patience{said}: try again in an hour.",
    507: "the Hub has no room for it{said}.",
}
"""What a status means for who pushes."""


@dataclass(frozen=True)
class RetryPolicy:
    """Number of attempts, and the time between them.

    Attributes:
        tries: In all.
        wait: Seconds before the second try; doubled for each one after it.
    """

    tries: int = 5
    wait: float = 1.0


def hub_api(api: HfApi | None = None) -> HfApi:
    """The client, with the token of this machine unless one is given.

    Raises:
        HubError: If there is no token.
    """
    api = api or HfApi(token=get_token(), library_name="hf-vft", library_version=__version__)
    if not isinstance(api.token, str):
        raise HubError(
            "Not logged in to the Hub: run `hf auth login`, or set HF_TOKEN to a token that may "
            "write (https://huggingface.co/settings/tokens)."
        )
    return api


def check_may_write(api: HfApi, repo_id: str) -> None:
    """Refuse early what the Hub would refuse late.

    Raises:
        HubError: If the name is wrong, or the token is unknown or may only read.
    """
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise HubError(f"{repo_id!r} is not a valid name for a repository: {error}") from None
    if repo_id.count("/") != 1:
        raise HubError(f"{repo_id!r}: write it as user/name, or organisation/name.")
    with one_line(api, repo_id):
        who = retried(api.whoami, RetryPolicy(tries=3))
    role = who.get("auth", {}).get("accessToken", {}).get("role")
    if role == "read":
        raise HubError(
            f"The token of {who.get('name')} may only read: make one that may write at "
            "https://huggingface.co/settings/tokens."
        )


@contextmanager
def one_line(api: HfApi, repo_id: str) -> Iterator[None]:
    """A message of the Hub as an error of one line that says what to do."""
    try:
        yield
    except (ClientError, OSError, ValueError, RuntimeError) as error:
        raise HubError(f"{repo_id}: {_masked(api, _reason(error))}") from None


def retried(call: Callable[[], T], patience: RetryPolicy = RetryPolicy()) -> T:
    """Call until it works, as long as the failure is one that passes.

    Raises:
        Exception: That of the last try, or the first that does not pass.
    """
    for turn in range(1, patience.tries + 1):
        try:
            return call()
        except (ClientError, OSError, RuntimeError) as error:
            if turn == patience.tries or not may_pass(error):
                raise
            time.sleep(_pause(error, patience.wait * 2 ** (turn - 1)))
    raise AssertionError("unreachable: tries is at least 1")


def may_pass(error: BaseException) -> bool:
    """Whether another try may succeed."""
    if isinstance(error, RuntimeError) and error.__cause__:  # an upload in a thread
        return may_pass(error.__cause__)
    status = status_of(error)
    return status in PASSING if status is not None else isinstance(error, ClientError | OSError)


def status_of(error: BaseException) -> int | None:
    """The HTTP status behind an error; None where no answer came."""
    response = getattr(error, "response", None)
    return None if response is None else int(response.status_code)


def _pause(error: BaseException, otherwise: float) -> float:
    """Seconds to wait: what the Hub asks for, else a growing time that differs for everybody."""
    response = getattr(error, "response", None)
    asked = response.headers.get("Retry-After") if response is not None else None
    if asked:
        try:
            seconds = float(asked)
        except ValueError:
            seconds = parsedate_to_datetime(asked).timestamp() - time.time()
        return max(0.0, min(seconds, LONGEST_WAIT))
    return min(otherwise, LONGEST_WAIT) * random.uniform(0.8, 1.2)  # noqa: S311


def _reason(error: BaseException) -> str:
    if isinstance(error, RuntimeError) and error.__cause__:  # an upload in a thread
        return _reason(error.__cause__)
    status, message = status_of(error), _said_by_the_hub(error)
    if isinstance(error, RepositoryNotFoundError):
        return "there is no such repository, or this token may not see it."
    if status is not None:
        otherwise = (
            f"the Hub answered {status}{{said}}."
            if status < 500
            else f"the Hub is out of order (status {status}){{said}}: the same command goes on."
        )
        return _REFUSALS.get(status, otherwise).format(said=message)
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ValueError):
        return text[:300]
    return f"the Hub cannot be reached ({text[:120]}): the same command goes on."


def _said_by_the_hub(error: BaseException) -> str:
    message = getattr(error, "server_message", None) if isinstance(error, HfHubHTTPError) else None
    return f" ({' '.join(str(message).split())[:200]})" if message else ""


def _masked(api: HfApi, text: str) -> str:
    return text.replace(api.token, "***") if isinstance(api.token, str) else text
