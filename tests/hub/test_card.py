from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hf_vft.hub.card import write_card
from hf_vft.run import RunDirectory
from hf_vft.workflows.steps.save_run import save_model
from tests.models.tiny import tiny_convnext


def test_fit_leaves_a_card_that_nobody_has_edited(run: RunDirectory) -> None:
    card = run.card_file.read_text()
    assert "pipeline_tag: image-classification" in card
    assert "hf-vft monitor RUN LOG" in card
    write_card(run)
    assert run.card_file.read_text().splitlines()[-1] != card.splitlines()[-1]  # another title
    write_card(run, title="fitted")
    assert run.card_file.read_text() == card


def test_what_people_wrote_survives_a_model_that_is_saved_again(run: RunDirectory) -> None:
    run.card_file.write_text(run.card_file.read_text() + "\nNot on Mondays.\n")
    processor: Any = SimpleNamespace(save_pretrained=lambda folder: None)
    save_model(run, SimpleNamespace(processor=processor), SimpleNamespace(model=tiny_convnext()))  # type: ignore[arg-type]
    assert "Not on Mondays." in run.card_file.read_text()
    write_card(run)
    assert "Not on Mondays." in run.card_file.read_text()
