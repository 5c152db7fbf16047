import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from hf_vft.evaluation.multiplicity import benjamini_hochberg, holm


@pytest.mark.parametrize(("ours", "theirs"), [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
def test_corrections_are_those_of_statsmodels(ours, theirs):
    p = np.random.default_rng(0).random(50) ** 4
    assert ours(p) == pytest.approx(multipletests(p, method=theirs)[1])


def test_what_was_not_tested_does_not_count():
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, np.nan, 0.06, 0.06], nan_ok=True)
    assert np.isnan(holm([None, float("nan")])).all()
    assert len(benjamini_hochberg([])) == 0
