"""Causes in plain words, and a head that does not argue with itself."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from hf_vft.monitoring.advice import explained, told
from hf_vft.monitoring.causes import find_causes, most_alike
from hf_vft.monitoring.decision import decide
from hf_vft.monitoring.findings import Finding
from hf_vft.monitoring.incident import find_affected, find_since, over_time
from hf_vft.monitoring.page import render_monitor
from hf_vft.monitoring.policy import Policy

START = datetime(2026, 4, 1, 6, tzinfo=UTC)


def moved(name, before, now, effect=0.8):
    return Finding(
        section="input", name=name, method="KS", p_value=1e-9, effect=effect, rows=500,
        effect_name="Wasserstein / SD", reference=before, current=now,
    )  # fmt: skip


def scored(key, change, p=1e-9):
    section, name = key.split(".")
    return Finding(
        section=section, name=name, method="m", p_value=p, effect=change, rows=500,
        reference=0.95, current=0.95 + change,
    )  # fmt: skip


def rows(n=600, *, wrong=0.05, camera="top", **columns):
    rng = np.random.default_rng(1)
    said = rng.choice(["ok", "scratch"], n)
    other = np.where(said == "ok", "scratch", "ok")
    return pd.DataFrame(
        {
            "ts_utc": pd.to_datetime([START + timedelta(minutes=i) for i in range(n)]),
            "predicted": said,
            "label": np.where(rng.random(n) < wrong, other, said),
            "confidence": rng.beta(20, 2, n),
            "sharpness": rng.normal(3, 0.3, n),
            "camera": camera,
            **columns,
        }
    )


BLUR = [moved("sharpness", 2.96, 2.51), scored("labels.accuracy", -0.17)]


def head(findings, current, *, new=None, to_label=0):
    policy, before = Policy(), rows()
    decision = decide([findings] * 3, policy)
    causes = find_causes(
        decision.judged, before, current, policy, slices=["camera"], new_classes=new
    )
    since = find_since(causes, current, everywhere=False)
    affected = find_affected(before, current, ["camera"])
    return explained(decision, causes, since, affected, to_label=to_label)


@pytest.mark.parametrize(
    ("findings", "current", "new", "kind"),
    [
        (BLUR, rows(), None, "lens"),
        ([moved("brightness", 0.5, 0.3), moved("sharpness", 3.0, 1.7, 3.0)], rows(), None, "lamp"),
        ([moved("contrast", 0.04, 0.05)], rows(camera="top-2"), None, "camera"),
        ([scored("labels.concept", -0.2)], rows(wrong=0.3), None, "label_rule"),
        ([scored("labels.accuracy", -0.2)], rows(label="dent"), {"dent": 600}, "new_class"),
        ([scored("labels.accuracy", -0.2)], rows(), None, "unknown"),
    ],
)
def test_the_first_cause_is_what_explains_the_rest(findings, current, new, kind):
    assert head(findings, current, new=new).causes[0].kind == kind


def test_a_changed_lens_is_cleaned_and_not_learned():
    decision = head(BLUR, rows(wrong=0.22))
    assert decision.action == "mend"
    assert decision.alert
    assert "clean the lens" in decision.headline
    assert "retrain" not in decision.headline
    assert "sharpness 2.96 → 2.51" in decision.causes[0].sentence
    steps = " ".join(decision.todo)
    assert steps.index("Clean the lens") < steps.index("Only if the change is to stay")


def test_a_loss_without_a_changed_input_is_learned_and_harmless_change_is_not():
    harm = head([scored("labels.accuracy", -0.2)], rows(wrong=0.25))
    assert harm.action == "retrain"
    assert harm.headline.startswith("The model has become worse (accuracy 0.95 → 0.75)")
    unhurt = head([BLUR[0], scored("labels.accuracy", -0.01, p=0.5)], rows())
    assert unhurt.action == "mend"
    assert unhurt.headline.startswith("Something changed, and the labels prove no loss")
    unknown = head([BLUR[0]], rows(), to_label=60)
    assert unknown.action == "label"
    assert "whether it hurts is unknown" in unknown.headline


def test_since_when_and_whom_it_concerns_are_found():
    frame = rows(1000)
    frame.loc[700:, "sharpness"] -= 0.6
    late = rows(300, wrong=0.4, camera="side")
    frame.loc[700:, ["predicted", "label", "camera"]] = late[
        ["predicted", "label", "camera"]
    ].to_numpy()
    decision = head(BLUR, frame)
    assert abs((decision.since.at - START).total_seconds() / 60 - 700) < 15
    assert decision.since.earliest <= decision.since.at <= decision.since.latest
    assert ("camera", "side") in {(one.column, one.value) for one in decision.affected}
    lines = told(decision)
    assert lines[0] == decision.headline
    assert "Who is affected:" in lines


def test_the_page_says_it_all_without_colour_and_for_a_screen_reader():
    frame = rows(1000)
    frame.loc[700:, "sharpness"] -= 0.6
    decision = head(BLUR, frame)
    curve = over_time(rows(), frame, refused_from=decision.since.at)
    assert curve[0].trusted
    assert not curve[-1].trusted
    page = render_monitor(
        decision, "<p>all</p>", name="line", curve=curve, held_out=rows(),
        crops=[("data:image/webp;base64,AA", "data:image/webp;base64,BB")],
    )  # fmt: skip
    assert "<title>line</title>" in page
    assert "2026-04-01 06:00 to 2026-04-01 22:39" in page
    for text in ("How right it was over time", "Why", "What to do", "What the tests found"):
        assert f"<h2>{text}</h2>" in page
    assert "not to be trusted" in page
    assert "changed 1 Apr" in page
    assert 'aria-label="Accuracy over time.' in page
    assert page.count("data:image/webp;base64,") == 2
    assert "&lt;p&gt;all&lt;/p&gt;" in page  # folded, in a frame of its own


def test_images_beside_each_other_differ_in_the_cause_and_little_else():
    before = rows(3, sharpness=[3.0, 3.0, 3.0], brightness=[0.2, 0.5, 0.9])
    now = rows(2, sharpness=[2.0, 2.1], brightness=[0.52, 0.7])
    before["predicted"] = now["predicted"] = "ok"
    assert most_alike(before, now, without="sharpness") == (1, 0)
    assert most_alike(before, now.iloc[:0]) is None


def test_nothing_found_has_no_cause():
    quiet = head([moved("sharpness", 3.0, 3.0, 0.01)], rows())
    assert quiet.causes == []
    assert quiet.since is None
