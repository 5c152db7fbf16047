"""The Dockerfile names only what exists: files, extras, the command with its options, the route."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import typer

from hf_vft.cli.main import app
from hf_vft.serving.gate import HEALTH

ROOT = Path(__file__).parents[2]
FILE = ROOT / "spaces" / "docker" / "Dockerfile"
pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="needs a checkout")


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """Instruction and the rest of each line; continued lines are joined, comments left out."""
    text = FILE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [
        (word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in lines)
    ]


def one(steps: list[tuple[str, str]], name: str) -> str:
    """The last instruction of a kind, which is the one that counts."""
    return [rest for word, rest in steps if word == name][-1]


def test_the_base_is_pinned_and_nobody_is_root(steps: list[tuple[str, str]]) -> None:
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", one(steps, "FROM"))
    assert int(one(steps, "USER")) > 0
    assert f"--uid {one(steps, 'USER')}" in FILE.read_text()


def test_the_command_and_its_options_exist(steps: list[tuple[str, str]]) -> None:
    words = [*json.loads(one(steps, "ENTRYPOINT")), *json.loads(one(steps, "CMD"))]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert words[0] in project["scripts"]
    command = typer.main.get_command(app).commands[words[1]]  # type: ignore[attr-defined]
    given = command.make_context(words[1], words[2:]).params
    assert given["host"] == "0.0.0.0"
    assert str(given["port"]) == one(steps, "EXPOSE")
    assert str(given["log"]) == one(steps, "VOLUME")
    extras = re.search(r"'\.\[([\w,]+)\]'", FILE.read_text())
    assert extras is not None
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])


def test_the_health_check_asks_the_servers_route(steps: list[tuple[str, str]]) -> None:
    check = one(steps, "HEALTHCHECK")
    assert f"127.0.0.1:{one(steps, 'EXPOSE')}{HEALTH}'" in check
    compile(json.loads(check.partition(" CMD ")[2])[2], "healthcheck", "exec")


def test_everything_that_is_copied_or_bundled_is_there(steps: list[tuple[str, str]]) -> None:
    copied = {name for word, rest in steps if word == "COPY" for name in rest.split()[:-1]}
    assert all((ROOT / name).exists() for name in copied)
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    needed = wheel["targets"]["wheel"]
    assert {*needed["force-include"], *needed["packages"]} <= copied
