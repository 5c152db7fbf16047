"""`hf-vft demo`: generated data, so that everything can be tried offline."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Generate a made-up inspection line, to try everything offline.", no_args_is_help=True
)


class FaultChoice(StrEnum):
    """The faults of ``hf_vft.data.demo.production``, known without importing it."""

    none = "none"
    lighting = "lighting"
    new_camera = "new_camera"
    blur = "blur"
    class_prior = "class_prior"
    new_defect = "new_defect"
    label_rule = "label_rule"


Out = Annotated[Path, typer.Argument(help="A folder that does not exist yet, or is empty.")]
CONTRAST = 2.0
"""Of both commands: a stream of other images than those of training would look like a fault."""

Size = Annotated[int, typer.Option(min=32, help="Side of the images in pixels.")]
Contrast = Annotated[
    float,
    typer.Option(help="Of the defects, the same for training and production: 1 is hard, 2 easy."),
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same images.")]


@app.command()
def images(
    out: Out,
    n: Annotated[int, typer.Option("--n", min=1, help="How many images.")] = 1500,
    size: Size = 96,
    seed: Seed = 0,
    contrast: Contrast = CONTRAST,
) -> None:
    """Write labelled images to train on: sound parts and five rare, faint defects.

    Example: hf-vft demo images line && hf-vft fit line --set data.group_column=part_id
    """
    from hf_vft.data.demo.images import write_demo_images

    with _progress("Images", n) as advance:
        write_demo_images(out, n=n, size=size, seed=seed, contrast=contrast, on_image=advance)
    typer.echo(f"{n} images in {out}; next: hf-vft fit {out} --set data.group_column=part_id")


@app.command()
def production(
    out: Out,
    fault: Annotated[FaultChoice, typer.Option(help="What goes wrong.")] = FaultChoice.none,
    day: Annotated[int, typer.Option(min=0, help="On which day; 0 is the first.")] = 7,
    days: Annotated[int, typer.Option(min=1, help="How many days.")] = 14,
    per_day: Annotated[int, typer.Option(min=1, help="Images a day.")] = 100,
    size: Size = 96,
    seed: Seed = 0,
    contrast: Contrast = CONTRAST,
) -> None:
    """Write what the line makes after training: images by day, the truth in labels.csv.

    Give the size, seed and contrast of the training images where those were not left at their
    defaults. The parts are new ones in any case.

    Example: hf-vft demo production stream --fault lighting --day 7
    """
    from hf_vft.data.demo.production import Fault, write_production

    if fault is not FaultChoice.none and day >= days:
        raise typer.BadParameter(f"{day} comes after the last of {days} days.", param_hint="--day")
    chosen = Fault(fault.value, day)
    with _progress("Images", days * per_day) as advance:
        write_production(
            out,
            chosen,
            days=days,
            per_day=per_day,
            size=size,
            seed=seed,
            contrast=contrast,
            on_image=advance,
        )
    story = "nothing goes wrong" if fault is FaultChoice.none else f"{fault} from day {day}"
    typer.echo(f"{days * per_day} images over {days} days in {out}: {story}")


@contextmanager
def _progress(title: str, total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error; yields what moves it by one."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda: bar.advance(task)
