"""docs/reference/cli.md, from the command line itself."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer

from hf_vft.cli.main import app
from tests.docs.markdown import cell

STATUS = """| Exit status | Means |
| --- | --- |
| 0 | in order |
| 1 | an error, in one line; `--debug` or `HF_VFT_DEBUG=1` shows the traceback |
| 2 | wrong usage |
| 3 | an alert of `monitor`, or a champion that `retrain` or `add-class` leaves in place |
| 130 | interrupted; what is finished is kept, and `--resume` continues |"""


def page() -> str:
    """The whole page."""
    root: Any = typer.main.get_command(app)
    commands = list(_commands(root, "hf-vft"))
    lines = [
        "# Command line",
        "",
        "Every command explains itself with `--help`. Results go to standard output, progress and "
        "warnings to standard error; `--json` is for machines.",
        "",
        STATUS,
        "",
        "| Command | Does |",
        "| --- | --- |",
        *(
            f"| [`{name}`](#{name.replace(' ', '-')}) | {_first(command)} |"
            for name, command in commands
        ),
    ]
    for name, command in commands:
        lines += ["", f"## {name}", "", *_described(name, command)]
    return "\n".join(lines) + "\n"


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _first(command: Any) -> str:
    return cell(" ".join((command.help or "").split("\n\n")[0].split()))


def _described(name: str, command: Any) -> Iterator[str]:
    paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    examples = [part.removeprefix("Example: ") for part in paragraphs if part.startswith("Example")]
    for paragraph in paragraphs:
        if not paragraph.startswith("Example"):
            yield from (paragraph, "")
    yield from ("```", *examples, "```", "")
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    if arguments:
        yield from ("| Argument | Meaning |", "| --- | --- |")
        yield from (f"| `{_word(one)}` | {_meaning(one)} |" for one in arguments)
        yield ""
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    yield from ("| Option | Meaning | Default |", "| --- | --- | --- |")
    for one in options:
        yield f"| `{_option(one)}` | {_meaning(one)} | {_default(one)} |"


def _word(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper()
    name = f"{name}…" if argument.nargs == -1 else name
    return name if argument.required else f"[{name}]"


def _option(option: Any) -> str:
    name = ", ".join([*option.opts, *option.secondary_opts])
    if option.is_flag:
        return name
    return f"{name} {option.metavar or cell(_values(option.type_descriptor.annotation))}"


def _values(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return "|".join(str(one.value) for one in annotation)
    if get_origin(annotation) is Literal:
        return "|".join(map(str, get_args(annotation)))
    kind = get_args(annotation)[0] if get_args(annotation) else annotation
    return {str: "TEXT", int: "INTEGER", float: "NUMBER", Path: "PATH"}.get(kind, kind.__name__)


def _meaning(parameter: Any) -> str:
    text = cell(parameter.help or "")
    several = parameter.param_type_name == "option" and parameter.multiple
    return f"{text} May be given several times." if several else text


def _default(option: Any) -> str:
    if isinstance(option.show_default, str):
        return cell(option.show_default)
    if option.default is None or option.default is False:
        return ""
    value = getattr(option.default, "value", option.default)
    return ("yes" if value else "no") if isinstance(value, bool) else f"`{value}`"
