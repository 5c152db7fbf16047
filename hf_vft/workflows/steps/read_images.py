"""Images on their way into a run: read, checked, looked at, and what a person should know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hf_vft.data.audit.quick import quick_audit
from hf_vft.data.audit.results import Audit
from hf_vft.data.load import ImageData, LabelledImages, load_data, load_labelled
from hf_vft.data.sources.reading import Reading
from hf_vft.recipe.edit import get_value
from hf_vft.recipe.schema import Choice, DataConfig, Recipe
from hf_vft.utils.cache import default_cache
from hf_vft.utils.progress import Display


def read_images(config: DataConfig, *, seed: int, kind: str | None, display: Display) -> ImageData:
    """The images of ``config.path``, checked and divided.

    Args:
        config: Which images and columns.
        seed: Of the splits.
        kind: What the labels have to be; None takes what is there.
        display: Where progress is shown.

    Raises:
        DataError: One line on what is wrong with them.
    """
    display.start("checking images", 1)
    said: list[str] = []
    data = load_data(
        str(config.path),
        config,
        seed=seed,
        kind=kind,
        cache_dir=default_cache() / "data",
        progress=lambda done, total: display.advance(done, total=total),
        on_read=lambda reading, notes: said.extend(tell_reading(reading, notes, display)),
    )
    _tell_rest(data, said, display)
    return data


def read_labelled(
    source: str | Path,
    config: DataConfig,
    *,
    labels: Sequence[str],
    kind: str,
    split: str | None,
    display: Display,
) -> LabelledImages:
    """Other images with the classes ``labels``, checked.

    Raises:
        DataError: One line on what is wrong with them.
    """
    display.start("checking images", 1)
    said: list[str] = []
    images = load_labelled(
        source,
        config,
        labels=labels,
        kind=kind,
        split=split,
        cache_dir=default_cache() / "data",
        progress=lambda done, total: display.advance(done, total=total),
        on_read=lambda reading, notes: said.extend(tell_reading(reading, notes, display)),
    )
    _tell_rest(images, said, display)
    return images


def look_at_images(data: ImageData, *, display: Display) -> Audit:
    """Audit the images alone, before time is spent on them."""
    display.start("auditing images", 1)
    return quick_audit(
        data,
        cache_dir=default_cache() / "data",
        progress=lambda done, total: display.advance(done, total=total),
    )


def settle_reading(recipe: Recipe, reading: Reading | None) -> tuple[Recipe, list[Choice]]:
    """Write down what the source was read as, and set the fields that were concluded.

    Columns that are on auto are left to who decides them.
    """
    if reading is None:
        return recipe, []
    path = recipe.data.path
    choices = [Choice("data.path", path, path, reading.statement)]
    for guess in reading.guesses:
        was = get_value(recipe.model_dump(), guess.field)
        if was is None:
            choices.append(Choice(guess.field, was, guess.value, guess.reason))
            recipe = recipe.replaced({guess.field: guess.value})
    return recipe, choices


def tell_reading(reading: Reading | None, notes: Sequence[str], display: Display) -> Sequence[str]:
    """Say what a source was read as, so that it stands before whatever is refused later.

    Returns:
        The notes, which are said now.
    """
    if reading is not None:
        display.say(reading.statement)
        for line in reading.guessed(notes):
            display.say(line)
    for note in notes:
        display.warn(note)
    return notes


def _tell_rest(images: ImageData | LabelledImages, notes: list[str], display: Display) -> None:
    for note in images.notes:
        if note not in notes:
            display.warn(note)
    if images.rejected:
        first = images.rejected[0]
        display.warn(
            f"{len(images.rejected)} unusable images are left out, {first.file} "
            f"({first.reason}) the first."
        )
