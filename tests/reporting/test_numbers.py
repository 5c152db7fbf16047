import pytest
from markupsafe import Markup

from hf_vft.reporting.numbers import breakable, duration, moment, percent, score, sentence, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.0, "0.00"), (0.5849, "0.58"), (0.9951, "0.995"), (0.9999, "1.00")],
)
def test_score_never_claims_perfection_nor_hides_an_undefined_value(value, text):
    assert score(value) == text


def test_percent_cannot_wrap_before_its_sign():
    assert percent(0.974) == "97\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (75, "1 min 15 s"), (60, "1 min"), (3599.6, "1 h"), (9000, "2 h 30 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_moment_is_to_the_minute_and_leaves_other_text_alone():
    assert moment("2026-11-23T17:20:00+00:00") == "2026-11-23 17:20 UTC"
    assert moment("yesterday") == "yesterday"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "yes"),
        (1e-4, "0.0001"),
        (["a", "b"], "a, b"),
        (list("abcdef"), "a, b, c, d and 2 more"),
        ({"r": 8, "alpha": 16.0}, "r: 8, alpha: 16"),
    ],
)
def test_values_of_a_recipe_are_written_for_people(value, text):
    assert shown(value) == text


def test_sentence_keeps_names_of_code():
    assert sentence("the whole image") == "The whole image."
    assert sentence("dropout_prob=0.8 hampers") == "dropout_prob=0.8 hampers."
    assert sentence("It is.") == "It is."


def test_file_names_wrap_after_separators_and_are_escaped():
    assert breakable("a/b_1.jpg") == Markup("a/<wbr>b_<wbr>1.<wbr>jpg")
    assert "<script>" not in breakable("<script>/x")
