"""Names and order of classes."""

import pytest

from hf_vft.data.labels import LONGEST_NAME, class_order
from hf_vft.errors import DataError


@pytest.mark.parametrize("letter", ["x", "7", "\U0001f600", "<b>"])
def test_a_name_of_100_000_characters_is_refused_by_its_beginning(letter):
    with pytest.raises(DataError, match=r"100,000 characters.*data\.label_column") as caught:
        class_order(["pit", (letter * 100_000)[:100_000]])
    message = str(caught.value)
    assert f"Class '{letter}" in message
    assert "\n" not in message
    assert len(message) < 300


def test_the_longest_name_is_taken():
    assert class_order(["b", "a" * LONGEST_NAME]) == ["a" * LONGEST_NAME, "b"]
