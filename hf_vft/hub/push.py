"""``hf-vft push``: a finished run becomes a repository on the Hub, in one commit.

Files are stored by their content, so a push that was cut off goes on where it stopped: what the
Hub has is not sent again, and after a commit whose answer was lost nothing is left to be sent. A
commit names the state that it was made for; if somebody wrote in between, it is made again for
theirs.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import EntryNotFoundError

from hf_vft.errors import HubError
from hf_vft.hub.card import render_card
from hf_vft.hub.card_merge import Merged, is_edited, merge
from hf_vft.hub.client import (
    RetryPolicy,
    check_may_write,
    hub_api,
    one_line,
    retried,
)
from hf_vft.hub.files import FOLDERS, run_files
from hf_vft.hub.readback import largest_difference
from hf_vft.run import RunDirectory, remove_leftovers_of, write_text
from hf_vft.utils.public_files import CARD, public_files

LOCK = ".push.lock"

SAME = 1e-4
"""Largest difference of a logit between here and the Hub; the same weights on the same machine."""

Content = Mapping[str, Path | bytes]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Pushed:
    """The published version on the Hub.

    Attributes:
        url: The repository's page.
        commit: Its newest commit.
        notes: What was left as people had written it.
        difference: Largest difference of a logit between the model here and the one read back;
            None if that was not asked for.
    """

    url: str
    commit: str
    notes: list[str] = field(default_factory=list)
    difference: float | None = None


def push_run(
    run: RunDirectory,
    repo_id: str,
    *,
    private: bool | None = None,
    license: str | None = None,  # the Hub's word
    with_images: bool = False,
    verify: bool = True,
    api: HfApi | None = None,
    patience: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
    say: Say = lambda text: None,
) -> Pushed:
    """Publish a run: model, processor, card, recipe, scores, reference profile, logs.

    Args:
        run: Finished.
        repo_id: ``user/name``; made if it is not there.
        private: Only for a repository that is made now; None is the account's default.
        license: For the card, as the Hub abbreviates it.
        with_images: Also what shows or names images of the data.
        verify: Read the model back in a fresh process and compare its logits.
        api: The client; that of this machine by default.
        patience: How often a failure that passes is tried again.
        say: Where progress is told, a line at a time.

    Raises:
        HubError: In one line: no token, no right to write, the Hub does not answer, or what is
            read back is not what was sent.
    """
    api = hub_api(api)
    check_may_write(api, repo_id)
    with FileLock(run.path / LOCK):  # whoever writes the card holds it as well
        remove_leftovers_of(run.card_file)
    files = run_files(run, with_images=with_images)
    fresh = render_card(run, repo_id=repo_id, license=license)
    local = _read(run.card_file)

    def card(theirs: str | None) -> Merged:
        return merge(_newest_words(run, local, theirs), fresh)

    with one_line(api, repo_id):
        pushed = push_files(
            api, repo_id, "model", files, card, private=private, patience=patience, say=say
        )
    with FileLock(run.path / LOCK):
        write_text(run.card_file, pushed.text)
    result = Pushed(f"{api.endpoint}/{repo_id}", pushed.commit, pushed.notes)
    if not verify:
        return result
    say("Reading the model back in a fresh process.")
    difference = largest_difference(run, repo_id, pushed.commit, api)
    if not difference <= SAME:
        raise HubError(
            f"{repo_id}: the model that was read back answers differently (logits differ by "
            f"{difference:.2g}): push again, and do not use commit {pushed.commit[:8]}."
        )
    return Pushed(result.url, result.commit, result.notes, difference)


@dataclass(frozen=True)
class Committed:
    """A commit, and the card as it was merged for it."""

    commit: str
    text: str
    notes: list[str]


def push_files(
    api: HfApi,
    repo_id: str,
    kind: str,
    files: Content,
    card: Callable[[str | None], Merged],
    *,
    private: bool | None = None,
    patience: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
    say: Say = lambda text: None,
) -> Committed:
    """Make the repository if need be, and put all files there in one commit.

    Args:
        api: With a token.
        repo_id: ``user/name``.
        kind: ``model``, ``dataset`` or ``space``.
        files: Path in the repository to file or content.
        card: From the card that is there (None if there is none) to the one to be written.
        private: Only for a repository that is made now.
        patience: How often a failure that passes is tried again.
        say: Where progress is told.

    Raises:
        HubError: If a file that is no text holds a secret.
        HfHubHTTPError: And other errors of the client, when patience is at its end.
    """
    sdk = "gradio" if kind == "space" else None
    public = public_files(files)

    def attempt() -> Committed:
        """Whole, so that after a failure it starts from what is there by then."""
        api.create_repo(repo_id, repo_type=kind, private=private, exist_ok=True, space_sdk=sdk)
        head = api.repo_info(repo_id, repo_type=kind)
        merged = card(_card_there(api, repo_id, kind, str(head.sha)))
        say(f"Sending {len(files) + 1} files to {repo_id}.")
        content = {**public, CARD: merged.text.encode()}
        public_files({CARD: content[CARD]})
        present = set(api.list_repo_files(repo_id, repo_type=kind, revision=str(head.sha)))
        with warnings.catch_warnings():
            # The reference profile is Parquet, and belongs to the model.
            warnings.filterwarnings(
                "ignore", message="It seems that you are about to commit a data"
            )
            info = api.create_commit(
                repo_id,
                [*_additions(content), *_removals(present - set(content), kind)],
                commit_message="Push with hf-vft",
                repo_type=kind,
                parent_commit=str(head.sha),
            )
        return Committed(str(info.oid), merged.text, merged.notes)

    return retried(attempt, patience)


def push_folder(
    folder: Path,
    repo_id: str,
    kind: str,
    *,
    private: bool | None = None,
    api: HfApi | None = None,
    patience: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
) -> str:
    """Put a folder on the Hub as it is, in one commit; its README.md is what it says here.

    Returns:
        Address of the page.

    Raises:
        HubError: In one line, as for ``push_run``.
    """
    api = hub_api(api)
    check_may_write(api, repo_id)
    files: dict[str, Path | bytes] = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and not any(p.startswith((".", "__")) for p in path.relative_to(folder).parts)
    }
    text = (folder / CARD).read_text(encoding="utf-8")
    files.pop(CARD)
    with one_line(api, repo_id):
        push_files(
            api, repo_id, kind, files, lambda _: Merged(text), private=private, patience=patience
        )
    return f"{api.endpoint}/{kind}s/{repo_id}"


def _additions(content: Content) -> list[CommitOperationAdd]:
    return [
        CommitOperationAdd(name, item if isinstance(item, bytes) else str(item))
        for name, item in sorted(content.items())
    ]


def _removals(stale: set[str], kind: str) -> list[CommitOperationDelete]:
    """What an earlier push left in folders that belong to a run; other files are people's."""
    ours = [name for name in stale if kind == "model" and name.split("/")[0] in FOLDERS]
    return [CommitOperationDelete(name) for name in sorted(ours)]


def _card_there(api: HfApi, repo_id: str, kind: str, revision: str) -> str | None:
    with tempfile.TemporaryDirectory(prefix="hf-vft-card-") as folder:
        try:
            path = api.hf_hub_download(
                repo_id, CARD, repo_type=kind, revision=revision, cache_dir=folder
            )
        except EntryNotFoundError:
            return None
        return Path(path).read_text(encoding="utf-8")


def _newest_words(run: RunDirectory, local: str | None, theirs: str | None) -> str | None:
    """The card that people last worked on: here or on the Hub.

    Raises:
        HubError: If it was edited in both places, differently.
    """
    if local is None or not is_edited(local) or local == theirs:
        return theirs
    if theirs is None or not is_edited(theirs):
        return local
    raise HubError(
        f"the card was edited on the Hub and in {run.card_file}: bring both into one, and "
        "delete the file here to go on with that on the Hub."
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else None
    except UnicodeDecodeError:
        raise HubError(f"{path}: is not text; correct or delete it, then push again.") from None
