"""`hf-vft push`, `push-data` and `space --push` as people call them, in a process with a Hub.

``huggingface_hub`` and ``datasets`` read HF_ENDPOINT when they are imported.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.hub.loopback import WRITE, LoopbackHub

pytestmark = pytest.mark.slow

SCRIPT = """
import io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from hf_vft.cli.main import main
from hf_vft.data.load import load_data
from hf_vft.recipe.schema import DataConfig

run, folder, cache, token = sys.argv[1:]

def said(token, *words):
    os.environ["HF_TOKEN"] = token
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(words)
            status = 0
        except SystemExit as end:
            status = end.code or 0
    return [status, out.getvalue(), err.getvalue()]

found = {
    "no token": said("", "push", run, "maker/line"),
    "unknown": said("hf_secretsecret", "push", run, "maker/line"),
    "push": said(token, "push", run, "maker/line", "--json"),
    "space": said(token, "space", run, "--out", cache + "/space", "--push", "maker/finder"),
    "push-data": said(token, "push-data", folder, "maker/images", "--private"),
}
content = lambda image: image["bytes"] or Path(image["path"]).read_bytes()
told = lambda data: {
    name: [data.labels, sorted(zip(split["label"], map(content, split["image"])))]
    for name, split in data.splits.items()
}
sent, read = (
    load_data(name, DataConfig(), seed=42, cache_dir=Path(cache))
    for name in (folder, "maker/images")
)
found["same"] = told(sent) == told(read)
found["sizes"] = {name: len(split) for name, split in read.splits.items()}
print(json.dumps(found))
"""


@dataclass
class Done:
    """What the commands said, and the Hub they talked to."""

    hub: LoopbackHub
    found: dict[str, Any]
    text: str


@pytest.fixture(scope="module")
def done(fitted: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    home = tmp_path_factory.mktemp("home")
    run = shutil.copytree(fitted, home / "line")
    with LoopbackHub() as hub:
        ended = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(run), str(images), str(home / "c"), WRITE],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "OMP_NUM_THREADS": "1"},
        )
        assert ended.returncode == 0, ended.stderr[-2000:]
        found = json.loads(ended.stdout.splitlines()[-1])
        yield Done(hub, found, ended.stdout + ended.stderr)


def test_the_command_pushes_and_reads_back_in_a_fresh_process(done: Done) -> None:
    status, out, err = done.found["push"]
    assert status == 0, err
    assert json.loads(out)["difference"] < 1e-4
    assert "model.safetensors" in done.hub.repo("maker/line").files


def test_the_command_puts_a_space_on_the_hub(done: Done) -> None:
    status, out, err = done.found["space"]
    assert status == 0, err
    assert "maker/finder" in out
    assert {"app.py", "requirements.txt", "run/model/model.safetensors"} <= set(
        done.hub.repo("maker/finder", "space").files
    )


def test_a_token_is_asked_for_and_never_printed(done: Done) -> None:
    status, _, err = done.found["no token"]
    assert status == 1
    assert "hf auth login" in err
    status, _, err = done.found["unknown"]
    assert status == 1
    assert "does not know this token" in err
    assert WRITE not in done.text
    assert "hf_secret" not in done.text
    assert "Traceback" not in done.text


def test_images_are_pushed_and_read_again_with_the_same_splits_and_labels(
    done: Done, images: Path
) -> None:
    assert done.found["push-data"][0] == 0, done.found["push-data"][2]
    assert done.found["push-data"][2].startswith("Read as ")
    assert done.found["same"]
    assert done.found["sizes"] == {"train": 69, "validation": 22, "test": 24}
    repo = done.hub.repo("maker/images", "dataset")
    assert repo.private
    assert all(str(images.parent).encode() not in blob.content for blob in repo.files.values())
