from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from torch.utils.tensorboard import SummaryWriter

from hf_vft.errors import HubError
from hf_vft.utils.public_files import public_files

LOGIN = "postgresql://me:marker@host/x"


@pytest.mark.parametrize("name", ["a.json", "a.yaml", "notes.txt", "report.html", "rows.csv"])
def test_texts_lose_secrets_and_paths_and_stay_what_they_are(name: str, tmp_path: Path) -> None:
    value = {"storage": LOGIN, "path": "/home/ren\u00e9/private/line", "list": ["/tmp/a/b.png"]}
    file = tmp_path / name
    file.write_text(json.dumps(value))  # é is escaped
    content = public_files({name: file})[name]
    assert isinstance(content, bytes)
    for private in (b"marker", b"private", b"/tmp"):
        assert private not in content
    if name == "a.json":
        assert json.loads(content) == {
            "storage": "postgresql://me:***@host/x", "path": "line", "list": ["b.png"],
        }  # fmt: skip
    file.write_text('{"kept": "as it is"}')
    assert public_files({name: file})[name] is file


def test_a_secret_where_nothing_can_be_rewritten_stops_the_push(tmp_path: Path) -> None:
    save_file({"x": np.zeros(3)}, tmp_path / "a.safetensors", {"from": LOGIN})
    (tmp_path / "b.parquet").write_bytes(b"PAR1" + LOGIN.encode() + b"PAR1")
    files: dict[str, Path | bytes] = {p.name: p for p in tmp_path.iterdir()}
    for name, content in {**files, "README.md": f"our database: {LOGIN}".encode()}.items():
        with pytest.raises(HubError, match="password or a token"):
            public_files({name: content})


def test_of_tensorboard_only_the_curves_go_along(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_text("args", f'{{"output_dir": "{tmp_path}", "storage": "{LOGIN}"}}')
        for step in range(3):
            writer.add_scalar("loss", 1.0 / (step + 1), step)
    [file] = tmp_path.iterdir()
    content = public_files({f"logs/{file.name}": file})[f"logs/{file.name}"]
    assert isinstance(content, bytes)
    assert b"marker" not in content
    assert str(tmp_path).encode() not in content
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    file.write_bytes(content)
    read = EventAccumulator(str(tmp_path)).Reload()
    assert [event.value for event in read.Scalars("loss")] == pytest.approx([1.0, 1 / 2, 1 / 3])
