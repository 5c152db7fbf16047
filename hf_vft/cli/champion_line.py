"""What `retrain` and `add-class` say in the end: who is champion, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hf_vft.cli.exit_codes import DECISION

if TYPE_CHECKING:
    from hf_vft.workflows.add_class import Added
    from hf_vft.workflows.retrain import Retrained


def tell_who_is_champion(outcome: Added | Retrained, called: str, *, as_json: bool) -> None:
    """Print the outcome.

    Args:
        outcome: Of the comparison.
        called: What the challenger is called before its folder.
        as_json: For machines.

    Raises:
        typer.Exit: With `DECISION` if the champion stays.
    """
    if as_json:
        typer.echo(outcome.model_dump_json(indent=2))
    else:
        typer.echo(outcome.headline)
        for reason in outcome.reasons:
            typer.echo(f"  {reason}")
        typer.echo(f"{called}: {outcome.challenger}")
    if not outcome.promoted:
        raise typer.Exit(DECISION)
