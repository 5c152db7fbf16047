from hf_vft.records.vocabulary import counts_for_something, nearest_class, read_vocabulary

CLASSES = ["alpha", "beta", "gamma rays"]


def test_another_spelling_is_kept_out_however_frequent_it_is():
    found = read_vocabulary(["ALPHA"] * 50 + ["alpha "] * 50 + ["alpha"] * 5, CLASSES)
    assert {one.name: (one.nearest, one.spelling) for one in found.unknown} == {
        "ALPHA": ("alpha", True),
        "alpha ": ("alpha", True),
    }
    assert not found.new
    assert "100 labels left out" in found.sentence()
    assert "'ALPHA' (50, write 'alpha')" in found.sentence()


def test_a_misspelling_is_told_with_the_class_that_is_likely_meant():
    (one,) = read_vocabulary(["alhpa"] * 30, CLASSES).unknown
    assert (one.nearest, one.spelling) == ("alpha", False)
    assert str(one) == "'alhpa' (30, perhaps 'alpha')"
    assert nearest_class("Gamma-Rays", CLASSES) == ("gamma rays", False)


def test_a_name_of_its_own_is_a_class_where_it_is_frequent_or_said_to_be_one():
    assert read_vocabulary(["dent"] * 10, CLASSES).new == {"dent": 10}
    assert read_vocabulary(["dent"] * 9, CLASSES).kept_out == {"dent"}
    assert read_vocabulary(["dent"], CLASSES, new=["dent"]).new == {"dent": 1}
    assert read_vocabulary(["alpha", "beta"], CLASSES).sentence() == ""


def test_of_several_labels_one_slip_keeps_the_image_out():
    labels = ["alpha|beta", "alpha|Beta", "", None, "beta"]
    found = read_vocabulary([one for one in labels if one], CLASSES, several=True)
    assert counts_for_something(labels, found, several=True) == [True, False, True, False, True]


def test_a_class_whose_name_holds_a_separator_is_one_class():
    assert not read_vocabulary(["a|b", "c;d"], ["a|b", "c;d"]).unknown
