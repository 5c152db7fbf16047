"""What is resampled together."""

from hf_vft.evaluation.intervals import units_of


def test_images_without_a_cluster_are_units_of_their_own() -> None:
    assert units_of(4).tolist() == [0, 1, 2, 3]
    assert units_of(5, ["p", None, None, "p", "q"]).tolist() == [0, 1, 2, 0, 3]
