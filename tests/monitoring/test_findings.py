import json

import numpy as np
import pytest
from pydantic import ValidationError

from hf_vft.monitoring.findings import Finding, insufficient, worst


def finding(**changes) -> Finding:
    values = {"section": "input", "name": "brightness", "method": "KS", "rows": 10}
    return Finding(**(values | changes))


def test_what_is_undefined_is_null_in_json():
    made = finding(
        statistic=float("nan"),
        p_value=float("inf"),
        reference=np.float64("nan"),
        current=1.0,
        interval=(float("nan"), 1.0),
    )
    read = json.loads(made.model_dump_json())
    assert read["statistic"] is read["p_value"] is read["reference"] is read["interval"] is None
    assert read["current"] == 1.0


@pytest.mark.parametrize("wrong", [{"section": "inputs"}, {"p": 0.1}, {"rows": -1}])
def test_a_misspelt_finding_is_refused(wrong):
    with pytest.raises(ValidationError):
        finding(**wrong)


def test_the_policy_judges_a_copy():
    made = finding(note="as it was")
    assert made.judged("alert").level == "alert"
    assert (made.level, made.judged("warn").note) == ("info", "as it was")
    assert made.key == "input.brightness"


def test_the_worst_level_wins():
    assert worst(["info", "alert", "ok"]) == "alert"
    assert worst([]) == "ok"
    assert insufficient("bias", "camera", 3, "too few").level == "insufficient"
