"""``hf-vft doctor``: what is installed, what the device can do, what is missing."""

import json
from typing import Annotated

import typer

from hf_vft.cli.exit_codes import ERROR


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Check this machine: versions, device, caches, the Hub.

    Exit status 1 if something that `hf-vft fit` needs does not work.

    Example: hf-vft doctor
    """
    from hf_vft.workflows.doctor import diagnose

    checks = diagnose()
    if as_json:
        typer.echo(json.dumps([vars(check) for check in checks], indent=2))
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            mark = {"ok": "ok  ", "note": "note", "broken": "FAIL"}[check.state]
            typer.echo(f"{mark}  {check.name:<{width}}  {check.text}")
    if any(check.state == "broken" for check in checks):
        raise typer.Exit(ERROR)
