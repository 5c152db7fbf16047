"""Every command of the documentation is run, or parsed where it needs a Hub, a GPU or a cluster."""

from __future__ import annotations

import importlib.util
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from hf_vft.cli.main import app
from hf_vft.pretraining.recipe import load_pretrain_recipe
from hf_vft.recipe.schema import DEFAULT, load_recipe
from tests.docs import workspace
from tests.docs.commands import ROOT, Example, commands, mentions
from tests.runs import vft

pytestmark = pytest.mark.skipif(not (ROOT / "mkdocs.yml").is_file(), reason="needs a checkout")

ALL = commands()
OURS = [one for one in ALL if one.words[0] == "hf-vft"]
PARSED = {
    "push": "needs a Hub",
    "push-data": "needs a Hub",
    "space": "needs a Hub",
    "pretrain": "takes as long as it is told to",
    "serve": "runs until it is stopped; served in test_programs.py",
    "threshold": "needs more images; run in tests/workflows/test_choose_threshold.py",
    "retrain": "trains; run in tests/workflows/test_retrain.py",
    "add-class": "fits a run anew; run in tests/workflows/test_add_class.py",
}
"""Commands that are only parsed, and why."""

TINY = {
    ("demo", "images"): ["--n", "30", "--size", "32"],
    ("demo", "production"): ["--per-day", "4", "--days", "8", "--size", "32"],
}
"""What is added to a command so that it takes no time."""

FOUND = {0: "in order", 3: "an alert of the monitor"}


def ids(example: Example) -> str:
    return f"{Path(example.page).stem}: {example.text[:60]}"


class Parsed(Exception):  # noqa: N818 - it is no error
    """Ends a command once its arguments are understood, and holds them."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.arguments = arguments


def parsed(words: list[str]) -> dict[str, Any]:
    """The arguments of a command line, which is not run; an unknown option fails."""
    root: Any = typer.main.get_command(app)

    def stop(**arguments: Any) -> None:
        raise Parsed(arguments)

    def stub(group: Any) -> None:
        for command in group.commands.values():
            if hasattr(command, "commands"):
                stub(command)
            else:
                command.callback = stop

    stub(root)
    with pytest.raises(Parsed) as caught:
        root.main(words, prog_name="hf-vft", standalone_mode=False)
    return caught.value.arguments


@pytest.mark.parametrize("example", OURS, ids=ids)
def test_a_command_and_its_options_exist_and_its_recipe_is_one(example: Example) -> None:
    arguments = parsed(example.words[1:])
    changes = arguments.get("change") or []
    if example.words[1] == "pretrain":
        load_pretrain_recipe(arguments["recipe"], changes)
    elif "change" in arguments:
        recipe = arguments.get("recipe")
        known = recipe if recipe and not str(recipe).endswith(".yaml") else DEFAULT
        load_recipe(known, changes)


@pytest.mark.parametrize("example", mentions(), ids=ids)
def test_a_command_in_a_sentence_has_the_options_that_it_is_said_to_have(example: Example) -> None:
    root: Any = typer.main.get_command(app)
    words = example.words[1:]
    if words[0].startswith("-"):
        return
    command = root.commands[words[0].rstrip(",")]
    if hasattr(command, "commands"):
        command = command.commands[words[1]] if len(words) > 1 else command
    known = {"--help", "--debug"}
    known |= {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert options <= known


@pytest.mark.parametrize("example", [one for one in ALL if one not in OURS], ids=ids)
def test_another_program_is_asked_for_what_is_there(example: Example) -> None:
    words = example.words
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
        assert words[1] in targets
    elif words[0] == "python":
        assert importlib.util.find_spec(words[2])
    elif words[0] == "accelerate":
        assert (ROOT / words[words.index("--config_file") + 1]).is_file()
        parsed(words[words.index("-m") + 2 :])
    elif words[0] == "pip":
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        named = re.findall(r"\[([\w,]+)\]", words[2])
        assert set(",".join(named).split(",")) - {""} <= set(project["optional-dependencies"])
    else:
        assert words[:3] == ["hf", "auth", "login"]


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory, images: Path, fitted: Path) -> Path:
    return workspace.make(tmp_path_factory.mktemp("docs") / "work", images, fitted)


@pytest.fixture
def here(furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what the examples name, as the working directory; training is replaced."""
    import hf_vft.workflows.fit

    folder = shutil.copytree(furnished, tmp_path / "work")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(hf_vft.workflows.fit, "fit", workspace.stand_in_for_training(Path("run")))
    return folder


RUN = [
    one
    for one in OURS
    if one.words[1] not in PARSED
    # A Hub's model, several processes, a cluster; and examples of --help, which tests/cli hold.
    and not {"--num-processes", "search.backend=ray", "robustness"} & set(one.words)
    and one.page != "docs/reference/cli.md"
]


@pytest.mark.slow
@pytest.mark.parametrize("example", RUN, ids=ids)
def test_a_command_runs(example: Example, here: Path) -> None:
    words = example.words[1:]
    if words[0] == "demo":
        shutil.rmtree(here / words[2], ignore_errors=True)
    if "mine.yaml" in words:
        (here / "mine.yaml").write_text(vft("recipes", "staged").stdout)
    if "monitor/label-these.csv" in words:
        (here / "monitor").mkdir()
        shutil.copy(here / "label-these.csv", here / "monitor")
    if words[0] == "fit" and "recipe.yaml" in words:
        (here / "recipe.yaml").write_text(load_recipe(DEFAULT, ["data.path=photos"]).to_yaml())
    done = vft(*words, *TINY.get(tuple(words[:2]), []))
    assert done.returncode in FOUND, done.stderr
    assert done.returncode == 0 or words[0] == "monitor"
