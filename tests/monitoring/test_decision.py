import pytest

from hf_vft.errors import PolicyError
from hf_vft.monitoring.decision import decide
from hf_vft.monitoring.findings import Finding, insufficient
from hf_vft.monitoring.policy import Policy, bundled_policies, load_policy


def drift(p: float, effect: float, name: str = "brightness") -> Finding:
    return Finding(
        section="input",
        name=name,
        method="KS",
        p_value=p,
        effect=effect,
        effect_name="Wasserstein / SD",
        rows=500,
    )


def loss(p: float, change: float, key: str = "performance.estimated_accuracy") -> Finding:
    section, name = key.split(".")
    return Finding(section=section, name=name, method="m", p_value=p, effect=change, rows=500)


STRONG, NOTHING = drift(1e-9, 0.8), drift(0.4, 0.01)
WORSE, AS_EVER = loss(1e-6, -0.12), loss(0.5, -0.01)


@pytest.mark.parametrize(
    ("windows", "action"),
    [
        ([[NOTHING, AS_EVER]] * 3, "none"),
        ([[STRONG, AS_EVER]] * 3, "label"),
        ([[STRONG, WORSE]] * 3, "retrain"),
        ([[NOTHING, loss(1e-9, -0.1, "labels.concept")]] * 3, "retrain"),
        ([[NOTHING, loss(1e-9, +0.1, "labels.accuracy")]] * 3, "none"),
        ([[NOTHING, loss(1e-9, +0.1, "bias.new_gap")]] * 3, "retrain"),
        ([], "wait"),
    ],
)
def test_drift_asks_for_labels_and_loss_for_retraining(windows, action):
    decision = decide(windows, Policy())
    assert decision.action == action
    assert decision.alert == (action in ("label", "retrain"))


def test_one_window_of_three_only_warns_and_two_page():
    quiet, loud = [NOTHING, AS_EVER], [STRONG, AS_EVER]
    once = decide([quiet, quiet, loud], Policy())
    assert once.action == "none"
    assert once.reasons[0].startswith("Seen in one window only: input, brightness")
    assert decide([quiet, loud, loud], Policy()).action == "label"
    assert decide([quiet, quiet, loud], load_policy("strict")).action == "label"


@pytest.mark.parametrize("finding", [drift(1e-9, 0.1), drift(0.04, 0.8)])
def test_it_takes_a_p_value_that_survives_holm_and_a_large_effect(finding):
    others = [drift(0.5, 0.01, f"other {n}") for n in range(9)]
    assert decide([[finding, *others]] * 3, Policy()).action == "none"


def test_the_cause_is_named_before_its_consequences():
    echo = Finding(
        section="embedding",
        name="classifier",
        method="C2ST",
        p_value=1e-9,
        effect=1.0,
        effect_name="2 AUC - 1",
        rows=500,
    )
    reasons = decide([[echo, STRONG]] * 3, Policy()).reasons
    assert [reason.split(":")[0].split(" (")[0] for reason in reasons] == [
        "input, brightness",
        "embedding, classifier",
    ]


def test_a_refused_estimate_is_said_and_never_pages():
    refused = insufficient("performance", "estimated_accuracy", 500, "No estimate: new content.")
    decision = decide([[STRONG, refused]] * 3, Policy())
    assert decision.action == "label"
    assert "No estimate: new content." in decision.todo
    assert decision.judged[1].finding.level == "insufficient"


@pytest.mark.parametrize("name", ["default", "strict", "medical", "factory"])
def test_every_bundled_policy_loads_and_says_what_it_is_for(name):
    assert load_policy(name).description
    assert set(bundled_policies()) == {"default", "strict", "medical", "factory"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("windws: {count: 3}", "windws: no such field; did you mean windows"),
        ("windows: {count: 2, needed: 3}", "needed (3) is more than count (2)"),
        ("alpha: 5", "alpha"),
        ("[1]", "a policy is a mapping"),
        ("effects: {share: .inf}", "effects.share: has to be a finite number"),
        ("a: " + "[" * 5000, "not readable as YAML: it is nested too deeply"),
    ],
)
def test_a_wrong_policy_is_one_line_that_says_what_to_do(tmp_path, text, complaint):
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(PolicyError) as error:
        load_policy(file)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_policy_names_those_there_are():
    with pytest.raises(PolicyError, match="default, factory, medical, strict"):
        load_policy("lenient")


def test_one_threshold_can_be_changed_and_the_others_stay(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("harm: {labels.accuracy: 0.2}")
    policy = load_policy(file)
    assert policy.harm["labels.accuracy"] == 0.2
    assert policy.harm["bias.new_gap"] == Policy().harm["bias.new_gap"]


def test_a_loss_that_labels_measure_beyond_doubt_does_not_wait_for_a_second_window():
    quiet = [NOTHING, loss(0.5, -0.01, "labels.accuracy")]
    found = decide([quiet, quiet, [NOTHING, loss(1e-9, -0.17, "labels.accuracy")]], Policy())
    assert found.action == "retrain"
    likely = decide([quiet, quiet, [NOTHING, loss(0.01, -0.17, "labels.accuracy")]], Policy())
    assert likely.action == "none"
    estimated = decide([[NOTHING, AS_EVER], [NOTHING, AS_EVER], [NOTHING, WORSE]], Policy())
    assert estimated.action == "none"
    patient = Policy(windows={"sure": 0.0})  # type: ignore[arg-type]
    waits = decide([quiet, quiet, [NOTHING, loss(1e-9, -0.17, "labels.accuracy")]], patient)
    assert waits.action == "none"


def test_what_one_window_shows_is_not_called_in_order():
    once = decide([[NOTHING], [NOTHING], [STRONG]], Policy())
    assert once.headline.startswith("No alert yet: something changed in the newest window")
    assert decide([[NOTHING]] * 3, Policy()).headline.startswith("In order")
