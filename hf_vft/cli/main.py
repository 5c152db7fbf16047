"""``hf-vft``: one small module per command, and one place for errors.

Nothing heavy is imported here: ``hf-vft --help`` answers at once.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from hf_vft._version import __version__
from hf_vft.cli.commands import (
    add_class,
    audit,
    compare,
    demo,
    doctor,
    evaluate,
    export,
    fit,
    init,
    log,
    monitor,
    predict,
    pretrain,
    push,
    recipes,
    retrain,
    serve,
    threshold,
)
from hf_vft.cli.exit_codes import ERROR, INTERRUPTED
from hf_vft.cli.launch import end, is_first, let_others_speak
from hf_vft.errors import VftError
from hf_vft.utils.cores import limit_threads
from hf_vft.utils.full_disk import is_full_disk

RESUMABLE = ("fit", "retrain", "pretrain")
"""Commands that have ``--resume``."""

app = typer.Typer(
    name="hf-vft",
    help="Fine-tune vision models in the right stages, and prove what they are worth.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hf-vft {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Fine-tune vision models in the right stages, and prove what they are worth."""


app.command()(fit.fit)
app.command()(init.init)
app.command()(audit.audit)
app.command()(evaluate.evaluate)
app.command()(predict.predict)
app.command()(compare.compare)
app.command()(threshold.threshold)
app.command()(export.export)
app.command()(monitor.monitor)
app.command()(retrain.retrain)
app.command("add-class")(add_class.add_class)
app.command()(push.push)
app.command("push-data")(push.push_data)
app.command()(pretrain.pretrain)
app.command()(serve.serve)
app.command()(serve.space)
app.command()(serve.explain)
app.command()(recipes.recipes)
app.command()(doctor.doctor)
app.add_typer(demo.app, name="demo")
app.add_typer(log.app, name="log")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; errors that a user can mend are one line, tracebacks need ``--debug``.

    Exit status: 0 in order, 1 error, 2 usage, 3 an alert of ``monitor`` or a champion that
    ``retrain`` or ``add-class`` leaves in place, 130 interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or bool(os.environ.get("HF_VFT_DEBUG"))
    words = [word for word in words if word != "--debug"]
    limit_threads()
    try:
        app(words)
    except VftError as error:
        let_others_speak(own_mistake=True)
        if debug:
            raise
        typer.secho(f"hf-vft: {error}", fg="red", err=True)
        end(ERROR)
    except KeyboardInterrupt:
        _say_stopped(words)
        sys.exit(INTERRUPTED)
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:  # Typer makes this of Ctrl-C
            _say_stopped(words)
        raise
    except Exception as error:
        full = is_full_disk(error) and not debug
        let_others_speak(own_mistake=full)
        if not full:
            raise
        typer.secho(
            "hf-vft: the disk is full. Make room on it, then run this again.", fg="red", err=True
        )
        end(ERROR)


def _say_stopped(words: Sequence[str]) -> None:
    resumes = bool(words) and words[0] in RESUMABLE
    again = " What is finished is kept; --resume goes on." if resumes else ""
    if is_first():
        typer.secho(f"hf-vft: stopped.{again}", fg="yellow", err=True)
