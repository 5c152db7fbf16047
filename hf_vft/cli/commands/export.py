"""``hf-vft export``: the model of a run for another runtime."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def export(
    run: Annotated[Path, typer.Argument(help="A run folder of `hf-vft fit`, or a champion file.")],
    kind: Annotated[Literal["onnx"], typer.Option("--format", help="What to make of it.")] = "onnx",
    as_json: Annotated[bool, typer.Option("--json", help="Print what is known of it.")] = False,
) -> None:
    """Write the model for ONNX Runtime into the run, if it answers as the model does.

    From then on `predict`, `evaluate`, `serve` and a Space answer with it where there is no GPU.

    Example: hf-vft export run/
    """
    from hf_vft.cli.display import quiet_libraries
    from hf_vft.inference.onnx import export_onnx
    from hf_vft.run import RunDirectory

    quiet_libraries()
    opened = RunDirectory.open(run)
    facts = export_onnx(opened)
    if as_json:
        typer.echo(facts.model_dump_json())
        return
    typer.echo(
        f"{opened.onnx_file} ({facts.bytes / 1e6:.1f} MB): answers as the model does, to "
        f"{facts.difference:.1e}; {facts.latency_ms:.1f} ms an image on this CPU, torch "
        f"{facts.torch_latency_ms:.1f} ms."
    )
