from __future__ import annotations

from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from hf_vft.automl.halving import CONTINUES, EPOCHS, current, pauses, promotable, score_at


def trial(number: int, scores: list[float], state: str = "RUNNING", **attrs: Any) -> FrozenTrial:
    made = create_trial(
        state=TrialState[state],
        value=max(scores) if state == "COMPLETE" else None,
        intermediate_values=dict(enumerate(scores, start=1)),
        user_attrs={EPOCHS: 8, **attrs},
    )
    made.number = number
    return made


def test_a_trial_is_paused_only_at_a_rung_and_only_in_the_worse_half() -> None:
    good = trial(0, [0.5, 0.6, 0.7, 0.8], "COMPLETE")
    bad = trial(1, [0.3, 0.4])
    assert pauses(bad, [good, bad], highest=True)  # two of eight epochs is the first rung
    assert not pauses(bad, [good, bad], highest=False)
    assert not pauses(trial(1, [0.3]), [good, bad], highest=True)
    assert not pauses(trial(1, [0.3, 0.7]), [good], highest=True)
    assert not pauses(trial(0, [0.1, 0.1]), [], highest=True)


def test_a_paused_trial_is_promoted_once_others_are_worse() -> None:
    good = trial(0, [0.5, 0.6, 0.7, 0.8], "COMPLETE")
    paused = trial(1, [0.3, 0.4], "PRUNED")
    worse = trial(2, [0.1, 0.2], "PRUNED")
    assert promotable([good, paused], highest=True) is None
    found = promotable([good, paused, worse], highest=True)
    assert found is not None
    assert found.number == 1


def test_a_training_counts_once_when_it_was_taken_up() -> None:
    paused, clone = trial(1, [0.3, 0.4], "PRUNED"), trial(5, [0.3, 0.4], **{CONTINUES: 1})
    assert [t.number for t in current([paused, clone])] == [5]


def test_the_score_at_a_rung_is_the_best_until_then() -> None:
    found = trial(0, [0.6, 0.2, 0.9])
    assert score_at(found, 0.25, True) == 0.6
    assert score_at(found, 0.25, False) == 0.2
    assert score_at(found, 0.5, True) is None
    assert score_at(optuna.trial.create_trial(value=1.0), 0.25, True) is None
