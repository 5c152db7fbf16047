"""``hf-vft push``: a run, or images, to the Hub."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hf_vft.cli.shortcuts import shortcuts

if TYPE_CHECKING:
    from hf_vft.data.load import ImageData


def push(
    run: Annotated[Path, typer.Argument(help="A run folder of `hf-vft fit`, or a champion file.")],
    repo_id: Annotated[str, typer.Argument(help="Where to: user/name.")],
    private: Annotated[
        bool | None,
        typer.Option(
            "--private/--public",
            help="Of a repository that is made now.",
            show_default="public, unless an organization's setting says otherwise",
        ),
    ] = None,
    license_name: Annotated[
        str | None, typer.Option("--license", help="For the card, such as apache-2.0.")
    ] = None,
    with_images: Annotated[
        bool, typer.Option("--with-images", help="Also what shows or names images of the data.")
    ] = False,
    verify: Annotated[
        bool, typer.Option(help="Read the model back in a fresh process and compare.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was pushed as JSON.")] = False,
) -> None:
    """Publish a run on the Hub: model, card, recipe, scores, reference profile, in one commit.

    Words that people wrote on the card stay. A push that was cut off goes on where it stopped.

    Example: hf-vft push run/ me/defects --private
    """
    from hf_vft.hub.push import push_run
    from hf_vft.run import RunDirectory

    pushed = push_run(
        RunDirectory.open(run),
        repo_id,
        private=private,
        license=license_name,
        with_images=with_images,
        verify=verify,
        say=lambda text: typer.echo(text, err=True),
    )
    if as_json:
        typer.echo(json.dumps(vars(pushed)))
        return
    for note in pushed.notes:
        typer.secho(f"! {note}", fg="yellow", err=True)
    if pushed.difference is not None:
        typer.echo(f"Read back: logits differ by at most {pushed.difference:.1e}.", err=True)
    typer.echo(pushed.url)


def push_data(
    data: Annotated[str, typer.Argument(help="As for `hf-vft fit`.")],
    repo_id: Annotated[str, typer.Argument(help="Where to: user/name.")],
    private: Annotated[
        bool | None,
        typer.Option(
            "--private/--public",
            help="Of a repository that is made now.",
            show_default="public, unless an organization's setting says otherwise",
        ),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="A.B=C", help="Change a field of the recipe's data part."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="The column that holds the labels: data.label_column.")
    ] = None,
) -> None:
    """Publish images as a dataset on the Hub, checked and divided as `hf-vft fit` does.

    Example: hf-vft push-data photos/ me/defect-photos --private
    """
    from hf_vft.cli.display import ConsoleDisplay, quiet_libraries
    from hf_vft.cli.questions import asking
    from hf_vft.hub.client import check_may_write, hub_api
    from hf_vft.hub.datasets import push_dataset
    from hf_vft.recipe.schema import load_recipe
    from hf_vft.workflows.steps.read_images import read_images

    quiet_libraries()
    check_may_write(hub_api(), repo_id)
    chosen = load_recipe("staged", change or []).replaced({"data.path": data, **shortcuts(label)})

    def read(answers: dict[str, Any]) -> "ImageData":
        recipe = chosen.replaced(answers)
        with ConsoleDisplay() as display:
            return read_images(recipe.data, seed=recipe.seed, kind=None, display=display)

    images = asking(read)
    typer.echo(push_dataset(images, repo_id, private=private))
