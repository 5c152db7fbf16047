"""Image datasets to the Hub, through ``datasets``, so that its viewer and everybody reads them."""

from __future__ import annotations

import datasets
from huggingface_hub import HfApi

from hf_vft.data.load import ImageData
from hf_vft.hub.client import RetryPolicy, check_may_write, hub_api, one_line, retried


def push_dataset(
    data: ImageData,
    repo_id: str,
    *,
    private: bool | None = None,
    api: HfApi | None = None,
    patience: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
) -> str:
    """Push checked and divided images as Parquet, a split each.

    ``hf-vft fit user/name`` reads them again with the same splits and labels.

    Args:
        data: From ``hf_vft.load_data``.
        repo_id: ``user/name``; made if it is not there.
        private: Only for a repository that is made now.
        api: The client; that of this machine by default.
        patience: How often a failure that passes is tried again.

    Returns:
        Address of the dataset's page.

    Raises:
        HubError: In one line: no token, no right to write, or the Hub does not answer.
    """
    api = hub_api(api)
    check_may_write(api, repo_id)
    splits = datasets.DatasetDict(
        {name: _with_content(split) for name, split in data.splits.items()}
    )
    with one_line(api, repo_id):
        retried(
            lambda: splits.push_to_hub(
                repo_id,
                private=private,
                token=str(api.token),
                commit_message="Push images with hf-vft",
                embed_external_files=True,
            ),
            patience,
        )
    return f"{api.endpoint}/datasets/{repo_id}"


def _with_content(split: datasets.Dataset) -> datasets.Dataset:
    """The images as ``datasets`` shows them, without the paths of this machine."""
    return split.cast_column("image", datasets.Image())
