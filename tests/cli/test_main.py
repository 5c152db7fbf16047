"""``--help`` of every command: there, with an example, and at once."""

import inspect
import re
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

import hf_vft
from hf_vft.cli.main import app, main
from tests.test_package import loaded_after


def commands(group: typer.Typer, prefix: tuple[str, ...] = ()):
    """The words of every command."""
    for command in group.registered_commands:
        yield (*prefix, command.name or command.callback.__name__.replace("_", "-"))
    for child in group.registered_groups:
        yield from commands(child.typer_instance, (*prefix, child.name))


COMMANDS = list(commands(app))


def test_the_commands_of_the_contract_are_there():
    assert {("fit",), ("evaluate",), ("predict",), ("recipes",), ("doctor",)} <= set(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(words):
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0
    assert "Example:" in result.output


def test_annotations_of_commands_are_not_compiled_at_each_start():
    commands = [info.callback for info in app.registered_commands if info.callback]
    strings = {
        command.__name__
        for command in commands
        for annotation in inspect.get_annotations(command).values()
        if isinstance(annotation, str)
    }
    assert commands
    assert strings == set()


def test_help_imports_nothing_heavy():
    code = f"""
from hf_vft.cli.main import main
for words in {[(), *COMMANDS]!r}:
    try:
        main([*words, "--help"])
    except SystemExit as end:
        assert not end.code
"""
    assert loaded_after(code) == set()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_shows_brackets_as_they_are_written(words):
    command = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    texts = [command.help or "", *(getattr(one, "help", "") or "" for one in command.params)]
    assert not [text for text in texts if re.search(r"\[[a-z/]", text)]


def test_the_version():
    result = CliRunner().invoke(app, ["--version"])
    assert result.output == f"hf-vft {hf_vft.__version__}\n"


def test_the_package_runs_as_a_module():
    answer = subprocess.run(
        [sys.executable, "-m", "hf_vft", "--help"], capture_output=True, text=True, check=True
    )
    assert "fit" in answer.stdout


def test_an_unknown_command_is_a_usage_error():
    assert CliRunner().invoke(app, ["nope"]).exit_code == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["fit", "x"], "hf-vft: stopped. What is finished is kept; --resume goes on.\n"),
        (["recipes"], "hf-vft: stopped.\n"),
    ],
)
def test_ctrl_c_is_answered(words, told, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("hf_vft.recipe.schema.load_recipe", interrupt)
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 130
    assert capsys.readouterr().err == told
