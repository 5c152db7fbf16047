"""Whether a source can be there at all, told without the libraries that read it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hf_vft.errors import DataError

HUB_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w-]*(?:\.[\w-]+)*")
KINDS_OF_SOURCE = "a folder, a CSV, JSON Lines, Parquet or TFRecord file, or a zip file"
TIMEOUT = 10.0
"""Seconds that the Hub has to answer."""


def check_present(source: str, cache_dir: Path | None = None) -> None:
    """Refuse at once what is neither here nor on the Hub, and a folder without content.

    Args:
        source: As the user wrote it.
        cache_dir: Where datasets of the Hub are kept; by default where ``datasets`` keeps them.

    Raises:
        DataError: In one line.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        with os.scandir(path) as entries:
            if next(entries, None) is None:
                raise DataError(f"{source} is empty.")
    elif not path.is_file():
        check_hub_dataset(source, cache_dir)


def check_hub_dataset(name: str, cache_dir: Path | None = None) -> None:
    """Refuse a name that is no dataset of the Hub, without the retries of a download.

    A dataset that was downloaded before needs no Hub.

    Args:
        name: ``user/name``, or ``name`` alone as older datasets are called.
        cache_dir: Where datasets of the Hub are kept; by default where ``datasets`` keeps them.

    Raises:
        DataError: If there is none, or the Hub cannot be reached.
    """
    here = f"There is no {name!r} here"
    if not HUB_ID.fullmatch(name) or name.lower().endswith((".csv", ".jsonl", ".parquet", ".zip")):
        raise DataError(
            f"{here}: give {KINDS_OF_SOURCE}, or the name of a dataset on the Hub (user/name)."
        )

    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
    )
    from huggingface_hub.errors import HTTPError as ClientError  # type: ignore[attr-defined]

    try:
        HfApi().dataset_info(name, timeout=TIMEOUT)
    except GatedRepoError:
        raise DataError(
            f"{name}: the Hub wants you to accept the terms of this dataset on its page, and to "
            "log in with `hf auth login`."
        ) from None
    except (RepositoryNotFoundError, HFValidationError):
        raise DataError(
            f"{here}, and the Hub has no dataset of this name; if it is private, log in with "
            "`hf auth login`."
        ) from None
    except HfHubHTTPError:
        return  # the Hub answers, if not to this: the download says what is wrong
    except (ClientError, OSError) as error:
        if _is_cached(name, cache_dir):
            return
        reason = (" ".join(str(error).split()) or type(error).__name__)[:80].rstrip(".")
        raise DataError(f"{here}, and the Hub cannot be reached ({reason}).") from None


def _is_cached(name: str, cache_dir: Path | None) -> bool:
    """Whether ``datasets`` has kept a dataset: in a folder named after it."""
    if cache_dir is None:
        from huggingface_hub.constants import HF_HOME

        cache_dir = Path(os.environ.get("HF_DATASETS_CACHE") or Path(HF_HOME) / "datasets")
    wanted = re.sub(r"[^a-z0-9]", "", name.lower())
    if not cache_dir.is_dir():
        return False
    return any(
        re.sub(r"[^a-z0-9]", "", folder.name.lower()) == wanted for folder in cache_dir.iterdir()
    )
