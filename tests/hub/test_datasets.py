from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub.loopback import WRITE, LoopbackHub

# In a process of its own: `datasets` reads HF_ENDPOINT when it is imported.
SCRIPT = """
import json, sys
from pathlib import Path
from hf_vft.cli.main import app
from hf_vft.data.load import load_data
from hf_vft.recipe import DataConfig

folder, cache = sys.argv[1], Path(sys.argv[2])
app(["push-data", folder, "maker/pictures", "--private"], standalone_mode=False)
sent = load_data(folder, DataConfig(), seed=42, cache_dir=cache)
read = load_data("maker/pictures", DataConfig(), seed=42, cache_dir=cache)
content = lambda image: image["bytes"] or Path(image["path"]).read_bytes()
told = lambda data: {
    name: [data.labels, sorted(zip(split["label"], map(content, split["image"])))]
    for name, split in data.splits.items()
}
sizes = {name: len(split) for name, split in read.splits.items()}
print(json.dumps({"same": told(sent) == told(read), "sizes": sizes}))
"""


@pytest.mark.slow
def test_pictures_are_pushed_and_read_again_with_the_same_splits_and_labels(
    hub: LoopbackHub, pictures: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(pictures), str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": WRITE,
            "HF_HOME": str(tmp_path / "home"),
            "OMP_NUM_THREADS": "1",
        },
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "same": True,
        "sizes": {"train": 69, "validation": 22, "test": 24},
    }
    repo = hub.repo("maker/pictures", "dataset")
    assert repo.private
    assert all(str(pictures.parent).encode() not in blob.content for blob in repo.files.values())
    assert WRITE not in done.stdout + done.stderr
