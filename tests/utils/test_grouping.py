"""Groups as numbers; what has no group stands alone."""

from hf_vft.utils.grouping import number_groups


def test_equal_values_share_a_number_and_each_without_one_has_its_own() -> None:
    assert number_groups(["b", None, "a", "b", None]).tolist() == [0, 1, 2, 0, 3]
    assert number_groups([3, 3, 1]).tolist() == [0, 0, 1]
    assert number_groups([]).shape == (0,)
