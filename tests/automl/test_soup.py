from __future__ import annotations

import torch

from hf_vft.automl.soup import State, greedy_soup


def state(*values: float) -> State:
    return {"weight": torch.tensor(values), "counter": torch.tensor(3)}


def near_zero(found: State) -> float:
    return -float(found["weight"].norm())


def test_what_improves_the_average_is_stirred_in_and_the_rest_is_not() -> None:
    others = [("bad", lambda: state(9.0, 9.0)), ("good", lambda: state(-1.0, 0.1))]
    soup = greedy_soup(("best", state(1.0, 0.0)), others, near_zero)
    assert soup.names == ["best", "good"]
    assert torch.allclose(soup.state["weight"], torch.tensor([0.0, 0.05]))
    assert soup.state["counter"] == 3
    assert soup.after > soup.before
    assert soup.tasted == 2
    # Each of them weighs the same.
    three = greedy_soup(
        ("a", state(3.0)), [("b", lambda: state(-3.0)), ("c", lambda: state(0.0))], lambda s: 1.0
    )
    assert three.names == ["a"]


def test_the_best_training_stays_where_no_average_is_better() -> None:
    first = state(0.0, 0.0)
    soup = greedy_soup(("best", first), [("other", lambda: state(1.0, 1.0))], near_zero)
    assert (soup.names, soup.after) == (["best"], soup.before)
    assert soup.state is first
    low = greedy_soup(
        ("best", state(1.0)),
        [("other", lambda: state(-1.0))],
        lambda s: -near_zero(s),
        highest=False,
    )
    assert low.names == ["best", "other"]


def test_other_architectures_and_lost_time_are_left_alone() -> None:
    others = [("wider", lambda: state(1.0, 2.0, 3.0)), ("good", lambda: state(-1.0, 0.0))]
    first = ("best", state(1.0, 0.0))
    assert greedy_soup(first, others, near_zero).names == ["best", "good"]
    assert greedy_soup(first, others, near_zero, over=lambda: True).names == ["best"]
