"""What was read is pure data, and a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from hf_vft.data.label_types import KINDS
from hf_vft.data.sources.class_folders import Place, decide_folders
from hf_vft.data.sources.listing import Listing
from hf_vft.data.sources.reading import Guess, LeftOut, Option, Reading, ask
from hf_vft.errors import AmbiguousSourceError
from hf_vft.recipe.schema import DataConfig


def listing(*files: str) -> Listing:
    """A listing without files on the disk: what is decided needs their names alone."""
    return Listing(Path("photos"), tuple(sorted(files)))


def test_the_statement_has_classes_splits_and_what_was_left_out() -> None:
    reading = Reading(
        "class folders",
        "the inner folder names",
        "seg_train, seg_test",
        left_out=(LeftOut("seg_pred", "without a class", 8),),
    )
    splits = ["train"] * 8 + ["test"] * 8
    told = reading.counted(["buildings", "forest"], splits, 16, KINDS["class"]).statement
    assert told == (
        "Read as class folders: 2 classes (buildings, forest) from the inner folder names; splits "
        "train 8, test 8 from seg_train, seg_test; left out: seg_pred (8 images: without a class)."
    )


def test_a_guess_is_said_once_with_its_setting() -> None:
    reading = Reading("COCO", guesses=(Guess("data.format", "coco", "Both formats are there"),))
    assert reading.guessed() == ["Both formats are there; set data.format to have it otherwise."]
    assert reading.guessed(["Both formats are there: COCO is read."]) == []


def test_a_question_names_the_setting_of_each_answer() -> None:
    error = ask("x.csv", "which?", [Option("2 classes", "data.a=b"), Option("flags", "data.c=d")])
    assert str(error) == (
        "x.csv: which? Choose with --set data.a=b (2 classes) or --set data.c=d (flags)."
    )
    assert error.options == [("2 classes", "data.a=b"), ("flags", "data.c=d")]


def test_every_folder_of_images_has_its_place() -> None:
    files = [
        f"{site}/{split}/{name}/{n}.png"
        for site in ("north", "south")
        for split in ("train", "test")
        for name in ("ok", "bad")
        for n in range(2)
    ]
    plan = decide_folders(listing(*files, "north/train/ok/1_mask.png"), DataConfig())
    assert Place("north/train/ok", "ok", "train", "north") in plan.places
    assert len(plan.places) == 8
    assert plan.skipped == {"north/train/ok/1_mask.png"}
    assert plan.splits == "train, test"
    [guess] = plan.guesses
    assert (guess.field, guess.value) == ("data.class_level", 2)


def test_the_level_that_was_guessed_gives_the_same_plan_when_it_is_set() -> None:
    files = [f"data/{g}/{s}{k}/1.png" for g in ("Acer", "Rosa") for s in "xy" for k in (g[0],)]
    plan = decide_folders(listing(*files), DataConfig())
    [guess] = plan.guesses
    again = decide_folders(listing(*files), DataConfig(class_level=guess.value))
    assert again.places == plan.places
    other = decide_folders(listing(*files), DataConfig(class_level=2))
    assert {place.label for place in other.places} == {"xA", "yA", "xR", "yR"}


def test_two_plausible_levels_are_asked_about() -> None:
    files = [f"{p}/{d}/1.png" for p, ds in (("cup", "gxy"), ("pen", "gvw")) for d in ds]
    with pytest.raises(AmbiguousSourceError) as caught:
        decide_folders(listing(*files), DataConfig())
    assert [setting for _, setting in caught.value.options] == [
        "data.class_level=1",
        "data.class_level=2",
    ]


def test_nothing_is_left_out_where_the_recipe_says_so() -> None:
    files = [f"{c}/{n}{end}.png" for c in "ab" for n in range(3) for end in ("", "_mask")]
    assert decide_folders(listing(*files), DataConfig(leave_out=[])).skipped == frozenset()
    kept, gone = listing(*files, "c/1.png", "c/2.png").without(["c"])
    assert gone == 2
    assert {place.label for place in decide_folders(kept, DataConfig()).places} == {"a", "b"}
