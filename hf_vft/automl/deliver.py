"""Which model a run delivers: its probe, the fine-tuned one, or one on the line between them.

Fine-tuning on few images can lose what the probe knew, and a validation split of a few dozen images
does not show it. Held-out images decide, both as they are and disturbed. With few of them the
decision is averaged over resamples, and a place that answers fewer right than the probe is not
taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from accelerate.utils import broadcast_object_list

from hf_vft.automl.delivered_place import ENOUGH, Evidence, best_place, safe_place
from hf_vft.automl.prepare import Prepared
from hf_vft.automl.validation_answers import HeldOut
from hf_vft.models.weight_line import State, copied, on_line, start_of_line
from hf_vft.recipe.schema import Choice
from hf_vft.training.finetune import FineTuned, FineTuning
from hf_vft.utils.progress import Display

FIELD = "training.deliver"
PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
LIMIT = 500
"""Held-out images that are looked at: each is answered for twice at every place."""

PASSES = 2 * len(PLACES)


def deliver(
    prepared: Prepared,
    tuned: FineTuned,
    display: Display,
    *,
    over: Callable[[], bool] = lambda: False,
) -> tuple[Prepared, list[Choice]]:
    """Leave the model with the weights that the run delivers, and say which and why.

    Args:
        prepared: The model that was trained.
        tuned: What came of it; its model is changed in place.
        display: Told what is delivered.
        over: Whether time is up, the same answer in every process; nothing is compared then.

    Returns:
        ``prepared`` with the place in its recipe; the choice, unless the recipe made it.
    """
    asked, tuning = prepared.recipe.training.deliver, prepared.tuning
    start, end = tuning.start, copied(tuned.model)
    obstacle, scores = _obstacle(tuning, tuned), ""
    if obstacle or start is None:
        place, reason = 1.0, obstacle
    elif _is_undone(start, end):
        place, reason = 0.0, "fine-tuning did not improve validation and was undone"
        display.say(f"Delivered: {_name(place, tuned.begins_with)}; {reason}.")
    else:
        begin = start_of_line(start, end)
        if asked == "auto":
            place, reason, scores = _decided(prepared, tuned, begin, end, over)
        else:
            place, reason = float(asked), "the recipe says so"
        tuned.model.load_state_dict(on_line(begin, end, place))
        display.say(f"Delivered: {_name(place, tuned.begins_with)}; {reason}.")
        if place != 1.0:
            tuned.notes.append(f"The weights are {_name(place, tuned.begins_with)}: {reason}.")
    if asked != "auto":
        return prepared, []
    recipe = prepared.recipe.replaced({FIELD: place})
    full_reason = f"{reason}; {scores}" if scores else reason
    return replace(prepared, recipe=recipe), [Choice(FIELD, "auto", place, full_reason)]


def _name(place: float, start: str) -> str:
    """Of what is at a place on the line that begins with the head ``start``."""
    if place in (0.0, 1.0):
        return start if place == 0.0 else "the fine-tuned weights"
    return f"the weights {place:g} of the way from {start} to the fine-tuned ones"


def _obstacle(tuning: FineTuning, tuned: FineTuned) -> str:
    """Why there is no line; empty where there is one."""
    if tuning.start is None:
        return "training did not start from a linear probe, so there is nothing to go back to"
    if not tuned.stages:
        return "nothing was trained after the linear probe"
    return ""


def _is_undone(start: State, end: State) -> bool:
    begin = start_of_line(start, end)
    return all(torch.equal(begin[name], value) for name, value in end.items())


def _decided(
    prepared: Prepared,
    tuned: FineTuned,
    begin: State,
    end: State,
    over: Callable[[], bool],
) -> tuple[float, str, str]:
    """Place, reason and scores."""
    seed, held = prepared.recipe.seed, HeldOut.of(prepared.tuning, LIMIT)
    if len(held.rows) < 2:
        return 1.0, "there are no held-out images to compare it with the probe on", ""
    seen: dict[float, tuple[np.ndarray, np.ndarray]] = {}

    def look(place: float) -> None:
        tuned.model.load_state_dict(on_line(begin, end, place))
        clean, disturbed = (
            held.answers(prepared, tuned.model, disturbed=how) for how in (False, True)
        )
        seen[place] = (clean, disturbed)

    for place in PLACES:
        if over():
            return 1.0, "there was no time left to compare it with the probe", ""
        look(place)
    place = from_first(lambda: best_place(_evidence(held, seen), seed))
    if place not in seen:
        look(place)
    evidence = _evidence(held, seen)
    chosen = from_first(lambda: safe_place(evidence, place))
    start = tuned.begins_with
    return chosen, _reason(evidence, chosen, place, start), _scores(evidence, chosen, start)


def _reason(evidence: Evidence, chosen: float, best: float, start: str) -> str:
    count = len(evidence.weights)
    if chosen != best:
        return f"{_name(best, start)} answered {count} validation images worse than {start}"
    if evidence.fewest >= ENOUGH:
        return f"it answered {count} validation images best"
    return (
        f"it does best on average over resamples of {count} validation images, since "
        f"{evidence.fewest} of the rarest class are too few to choose on once"
    )


def _scores(evidence: Evidence, chosen: float, start: str) -> str:
    """Of the probe, of what is delivered, and of the fine-tuned weights."""
    share = evidence.weights / evidence.weights.sum()

    def told(place: float) -> str:
        at = evidence.at(place)
        merit, loss = evidence.merits[at] @ share, evidence.losses[at] @ share
        # With several labels the merit is the negative loss.
        right = f"{merit:.1%} right, " if merit >= 0 else ""
        return f"{_name(place, start)} {right}log loss {loss:.3f}"

    scores = "; ".join(map(told, dict.fromkeys((0.0, chosen, 1.0))))
    return f"validation images as they are and disturbed, each class weighing the same: {scores}"


def _evidence(held: HeldOut, seen: Mapping[float, tuple[np.ndarray, np.ndarray]]) -> Evidence:
    """Of the answers at each place, for images as they are and disturbed."""
    places = sorted(seen)
    # Images as they are set the temperature, as in the calibration of what is delivered.
    scales = {place: held.scale(seen[place][0]) for place in places}
    losses = np.asarray(
        [np.mean([held.losses(answers, scales[p]) for answers in seen[p]], axis=0) for p in places]
    )
    merits = -losses
    if held.exclusive:
        merits = np.asarray(
            [np.mean([held.right(answers) for answers in seen[p]], axis=0) for p in places]
        )
    return Evidence(np.asarray(places), merits, losses, held.weights, held.groups, held.fewest)


def from_first(work: Callable[[], float]) -> float:
    """One process's word, so that no two deliver different weights."""
    value: float = broadcast_object_list([work()])[0]
    return value
