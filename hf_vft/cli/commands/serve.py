"""``hf-vft serve``, ``space`` and ``explain``: a run for people to look at."""

from pathlib import Path
from typing import Annotated

import typer

RunFolder = Annotated[
    Path, typer.Argument(help="A run folder of `hf-vft fit`, or a champion file.")
]


def serve(
    run: RunFolder,
    port: Annotated[int | None, typer.Option(help="Default: the first free from 7860.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    log: Annotated[Path | None, typer.Option(help="Folder of the production log.")] = None,
    auth: Annotated[
        str | None,
        typer.Option(
            help="user:password; lists of processes show it: better --auth-file or HF_VFT_AUTH."
        ),
    ] = None,
    auth_file: Annotated[
        Path | None, typer.Option(help="A file with one line, user:password.")
    ] = None,
    rate: Annotated[int, typer.Option(min=0, help="Requests a minute for each caller.")] = 0,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=NUMBER", help="Another limit than the one that is printed."),
    ] = None,
    proxies: Annotated[
        int, typer.Option(min=0, help="Proxies in front, whose X-Forwarded-For is believed.")
    ] = 0,
    origin: Annotated[
        list[str] | None, typer.Option(help="Another origin whose pages may ask.")
    ] = None,
    keep_images: Annotated[
        bool, typer.Option("--keep-images", help="Keep the images beside the log.")
    ] = False,
    embeddings: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of images whose embedding is logged.")
    ] = 1.0,
    roll: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            help="After so long what was logged is Parquet that other tools read.",
        ),
    ] = "60s",
    examples: Annotated[Path | None, typer.Option(help="A folder of images to try.")] = None,
    reports: Annotated[
        Path | None,
        typer.Option(
            help="What was given to `hf-vft monitor --out`, or a folder above it.",
            show_default="RUN/monitoring",
        ),
    ] = None,
) -> None:
    """Serve a run: a page for people, an API and MCP tools for machines.

    Example: hf-vft serve run/ --log production-log/ --port 8080
    """
    from hf_vft.cli.display import quiet_libraries
    from hf_vft.serving.launch import read_login
    from hf_vft.serving.launch import serve as start
    from hf_vft.serving.limits import Limits

    quiet_libraries()
    limits = Limits(per_minute=rate).changed(limit or ())
    server = start(
        run,
        log=log,
        host=host,
        port=port,
        auth=read_login(auth_file) if auth_file else auth,
        limits=limits,
        proxies=proxies,
        origins=origin or (),
        keep_images=keep_images,
        embeddings=embeddings,
        roll_seconds=_seconds(roll),
        examples=examples,
        reports=reports,
    )
    tools = ", MCP: gradio_api/mcp" if server.app.mcp_server else ""
    if server.service.predictor.note:
        typer.secho(f"hf-vft: {server.service.predictor.note}", fg="yellow", err=True)
    typer.echo(f"Limits: {limits}.")
    typer.echo(f"Serving on {server.url} (API at the foot of the page{tools}); Ctrl-C stops.")
    server.wait(leave=True)


def _seconds(duration: str) -> float:
    from hf_vft.recipe.units import parse_duration

    try:
        seconds = float(parse_duration(duration))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--roll") from None
    if seconds <= 0:
        raise typer.BadParameter("has to be above zero", param_hint="--roll")
    return seconds


def space(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="Folder of the Space.")] = Path("space"),
    push: Annotated[
        str | None, typer.Option(metavar="REPO_ID", help="Create or update this Space.")
    ] = None,
    private: Annotated[
        bool | None,
        typer.Option(
            "--private/--public",
            help="Of a Space that is made now.",
            show_default="public, unless an organization's setting says otherwise",
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Of the page.")] = None,
) -> None:
    """Write a folder that is a complete Space, and with --push put it on the Hub.

    Example: hf-vft space run/ --out space/ --push me/defect-finder
    """
    from hf_vft.run import RunDirectory
    from hf_vft.serving.space_folder import write_space

    folder = write_space(RunDirectory.open(run), out, title=title)
    typer.echo(f"{folder}: try it with `python {folder / 'app.py'}`.")
    if push:
        from hf_vft.hub.push import push_folder

        typer.echo(push_folder(folder, push, "space", private=private))


def explain(
    run: RunFolder,
    image: Annotated[Path, typer.Argument(help="An image.")],
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("explained.png"),
    label: Annotated[str | None, typer.Option(help="What for; the answer by default.")] = None,
) -> None:
    """Show which parts of an image speak for the answer, as a heat map over it; or its boxes.

    Example: hf-vft explain run/ photo.jpg --out why.png
    """
    from hf_vft.cli.display import quiet_libraries
    from hf_vft.outputs import save_image
    from hf_vft.run import RunDirectory
    from hf_vft.serving.service import Service

    quiet_libraries()
    service = Service(RunDirectory.open(run))
    answer = service.predict(image)
    save_image(service.explain(image, label), out, command="explain")
    if service.kind.boxes:
        typer.echo(f"{out}: {len(answer.labels)} boxes in {image.name}.")
        return
    best, confidence = answer.scores[0]
    typer.echo(f"{out}: what speaks for {label or best} ({image.name}: {best} {confidence:.1%}).")
