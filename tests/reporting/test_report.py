import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hf_vft.errors import RunError
from hf_vft.evaluation.results import EvalReport
from hf_vft.evaluation.robustness import Robustness
from hf_vft.hub.card_tables import slices_tables
from hf_vft.reporting.mistakes import Mistake
from hf_vft.reporting.report import confused_pairs, grouped_choices, render_report
from hf_vft.reporting.report_facts import ReportFacts

from . import made

EVIL = '<script>alert(1)</script>"onload="alert(2)'
VOID = {"meta", "link", "img", "br", "wbr"}


class Page(HTMLParser):
    """What is in a page, and whether its elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def report() -> EvalReport:
    return made.made_report(n_bootstrap=20)


def rendered(path: Path, report: EvalReport, **options) -> tuple[str, Page]:
    mistakes, facts = options.pop("mistakes", ()), options.pop("facts", None)
    run = made.made_run(path / "run", report, **options)
    text = render_report(run, mistakes=mistakes, facts=facts).read_text()
    page = Page(text)
    assert page.open == [], "every element is closed"
    return text, page


def put(run: Path, name: str, content) -> None:
    (run / f"{name}.json").write_text(json.dumps(content))


def test_the_page_answers_what_a_reader_asks(tmp_path, report):
    _, page = rendered(tmp_path, report, mistakes=made.mistakes(8))
    sections = {item.get("id") for item in page.all("section")}
    assert sections >= {
        "verdict", "notices", "scores", "classes", "confusion", "mistakes", "reliability",
        "slices", "curves", "audit", "choices", "facts",
    }  # fmt: skip
    assert "the model reaches a macro F1 of" in page.text
    for said in (
        "4 images of test are also in train, byte by byte.",
        "test/Crack/exp3.jpg and 2 more",
        "Free/ scan_ 0017. png truncated",
        "The checkpoint asks for 0.8",
        "Linear probe",
        "9 min 23 s",
        "2026-11-23 17:20 UTC",
    ):
        assert said in page.text
    images = [item for item in page.all("img") if item["src"].startswith("data:image/webp")]
    assert len(images) == 8
    assert all(item["alt"] for item in images)


def test_the_page_is_one_file_that_needs_no_script_and_fetches_nothing(tmp_path, report):
    text, page = rendered(tmp_path, report, mistakes=made.mistakes(12))
    assert len(text) < 1_500_000
    assert not page.all("script")
    assert not re.search(r"https?://|url\(|@import", text)
    for tag, attributes in page.tags:
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith(("data:", "#")), (tag, attributes)


def test_disturbed_images_have_a_table_where_they_were_measured(tmp_path, report):
    text, _ = rendered(tmp_path / "without", report)
    assert "Disturbed images" not in text
    run = made.made_run(tmp_path / "with", report)
    scores = [{"value": value} for value in (0.61, 0.52, 0.33)]
    found = Robustness(
        metric="accuracy",
        source="the test split",
        n=40,
        severities=["mild", "clear", "strong"],
        clean={"value": 0.7},
        disturbed={"blur": scores, "noise": [{"value": 0.6}] * 3},
    )
    put(run, "robustness", found.model_dump(mode="json"))
    text = render_report(run, mistakes=()).read_text()
    assert (
        "Accuracy is 0.70 on 40 images of the test split as they are, and 0.54 on average" in text
    )
    assert "The worst for it is blur: mild 0.61; clear 0.52; strong 0.33." in text


def test_every_true_class_has_its_row_of_counts(tmp_path, report):
    text, _ = rendered(tmp_path, report)
    table = text.split('<table class="confusion">')[1].split("</table>")[0]
    rows = [re.findall(r"<td[^>]*>(\d+)</td>", row) for row in table.split("<tr>")[3:]]
    assert [[int(n) for n in row] for row in rows] == report.splits["test"].confusion


def test_names_from_outside_are_only_text(tmp_path):
    report = made.made_report(labels=[EVIL, "b"], n_bootstrap=20)
    run = made.made_run(tmp_path / "run", report)
    put(run, "run", {
        **made.SUMMARY, "checkpoint": EVIL, "source": EVIL, "notes": [EVIL], "device": EVIL,
        "finished": EVIL, "hf_vft": EVIL, "warnings": {EVIL: [EVIL]}, "images": {EVIL: 1},
        "lora": {EVIL: EVIL}, "rejected": [{"file": EVIL, "reason": EVIL}],
    })  # fmt: skip
    put(run, "choices", [{"name": EVIL, "was": "auto", "value": EVIL, "reason": EVIL}])
    put(run, "audit", {"findings": [{"severity": EVIL, "sentence": EVIL}]})
    put(run, "history", [{**row, "stage": EVIL} for row in made.history()[:3]])
    mistake = Mistake(made.made_image(0), file=EVIL, true=EVIL, predicted=EVIL, confidence=0.9)
    page = Page(render_report(run, mistakes=[mistake]).read_text())
    assert not page.all("script")
    assert not any("onload" in attributes for _, attributes in page.tags)
    assert "alert(1)" in page.text


def test_slice_values_with_markup_are_inert(tmp_path):
    """In the report and on the card: columns and values of a stranger's table."""
    report = made.made_report(n_bootstrap=20)
    split = report.splits["test"]
    values = next(iter(split.slices.values()))
    hostile = {f"{EVIL}<img src=x onerror=alert({i})>": v for i, v in enumerate(values.values())}
    split = split.model_copy(update={"slices": {EVIL: hostile}})
    report = report.model_copy(update={"splits": {**report.splits, "test": split}})
    _, page = rendered(tmp_path, report)
    assert not page.all("script")
    assert not any({"onload", "onerror"} & set(attributes) for _, attributes in page.tags)
    assert "onerror=alert(1)" in page.text
    card = slices_tables(split)
    outside = re.sub(r"`[^`]*`", "", card)  # in code type, markup is text
    assert "onerror=alert(1)" in outside
    assert not re.search(r"<\w", outside)


@pytest.mark.parametrize("n_classes", [2, 3, 15, 16, 40, 120])
def test_few_and_many_classes_fit_a_page(tmp_path, n_classes):
    labels = [f"class {i:03d}" for i in range(n_classes)]
    report = made.made_report(n=300, labels=labels, n_bootstrap=5)
    text, page = rendered(tmp_path, report)
    assert ('<table class="confusion">' in text) == (n_classes <= 15)
    assert ("Heat map of the confusion matrix" in text) == (15 < n_classes <= 100)
    assert ("more classes" in page.text) == (n_classes > 20)
    assert all(label in page.text for label in labels)


def test_a_run_with_nothing_but_scores_says_what_is_missing(tmp_path, report):
    _, page = rendered(tmp_path, report, complete=False)
    for said in ("its history was not kept", "No audit was made", "Nothing was left open"):
        assert said in page.text
    assert "Line plot: validation" not in page.text


def test_a_run_without_mistakes_says_so(tmp_path):
    _, page = rendered(tmp_path, made.made_report(skill=60.0, n_bootstrap=20))
    assert "There is none in the test split." in page.text
    assert "None: every test image was answered right." in page.text


def test_mistakes_without_images_are_not_called_none(tmp_path, report):
    _, page = rendered(tmp_path, report)
    assert "No image to show." in page.text
    assert "There is none" not in page.text


def test_undefined_scores_are_dashes(tmp_path):
    report = made.made_report(n=7, n_bootstrap=5)
    assert any(found.support == 0 for found in report.splits["test"].per_class.values())
    text, page = rendered(tmp_path, report)
    assert "–" in page.text
    assert ">nan" not in text
    assert ">None<" not in text


def test_a_report_without_baselines_nor_test_split(tmp_path, report):
    only = report.model_copy(
        update={"splits": {"validation": report.splits["validation"]}, "baselines": {}}
    )
    _, page = rendered(tmp_path, only)
    assert "of the validation split" in page.text
    assert "Majority class" not in page.text


def test_lora_is_named_with_where_its_files_are(tmp_path, report):
    run = made.made_run(tmp_path / "run", report)
    targets = [f"vit.layers.{i}.attention.q_proj" for i in range(12)]
    put(run, "run", {**made.SUMMARY, "lora": {"r": 8, "alpha": 16.0, "target": targets}})
    page = Page(render_report(run, mistakes=()).read_text())
    assert "LoRA: r: 8, alpha: 16, target: vit.layers.0.attention.q_proj" in page.text
    assert "and 8 more" in page.text


@pytest.mark.parametrize(
    ("checkpoint", "shown"),
    [
        ("my/vit", "my/vit"),
        ("/home/me/models/vit/", "vit"),
        ("./vit", "vit"),
        ("convnextv2-formula", "convnextv2-formula"),
    ],
)
def test_a_model_is_called_by_its_hub_id_or_its_folder_without_the_way_to_it(checkpoint, shown):
    assert ReportFacts(checkpoint=checkpoint).model_name == shown


def test_facts_can_be_given_instead_of_read(tmp_path, report):
    _, page = rendered(tmp_path, report, facts=ReportFacts(checkpoint="my/vit", pretrained=False))
    assert "fine-tuned from my/vit" in page.text
    assert "random weights" in page.text


def test_long_names_do_not_break_a_page(tmp_path, report):
    name = "x" * 300
    mistake = Mistake(
        made.made_image(0), file=f"{name}.jpg", true=name, predicted="b", confidence=1.0
    )
    _, page = rendered(tmp_path, report, mistakes=[mistake])
    assert name in page.text


def test_scores_that_are_missing_or_broken_are_one_line(tmp_path, report):
    with pytest.raises(RunError, match=r"metrics\.json: cannot be read"):
        render_report(tmp_path, mistakes=())
    run = made.made_run(tmp_path / "run", report)
    put(run, "metrics", {"task": 3})
    with pytest.raises(RunError, match="fields are wrong") as caught:
        render_report(run, mistakes=())
    assert "\n" not in str(caught.value)


def test_pairs_are_what_is_taken_for_what_the_most_frequent_first():
    report = made.made_report(skill=2.0, n_bootstrap=5)
    result = report.splits["test"]
    pairs = confused_pairs(result, report.labels)
    wrong = result.n - sum(result.confusion[i][i] for i in range(len(report.labels)))
    assert sum(pair.n for pair in pairs) == wrong > 0
    assert [pair.n for pair in pairs] == sorted((pair.n for pair in pairs), reverse=True)
    assert all(pair.true != pair.predicted for pair in pairs)
    assert all(pair.of == result.per_class[pair.true].support for pair in pairs)


def test_choices_of_one_section_and_reason_are_told_together():
    def choice(name, value, reason):
        return {"name": name, "was": "auto", "value": value, "reason": reason}

    first = choice("augment.strength", "medium", "Few images.")
    last = choice("training.blur", 1, "Part of it.")
    middle = [choice(f"augment.{name}", 0.5, "Part of it.") for name in ("flip", "blur")]
    found = grouped_choices([first, *middle, last])
    assert found[0] == first
    assert found[1] == {
        "name": "augment",
        "value": {"flip": 0.5, "blur": 0.5},
        "reason": "Part of it.",
    }
    assert found[2] == last


def test_images_in_two_splits_are_said_before_the_scores(tmp_path, report):
    run = made.made_run(tmp_path / "run", report)
    leak = {"severity": "warning", "sentence": "78 images of test are also in train."}
    findings = [{**leak, "kind": "near_across"}, {**leak, "sentence": "Dark.", "kind": "dark"}]
    put(run, "audit", {"findings": findings})
    text = Page(render_report(run, mistakes=[]).read_text()).text
    text = text[text.rindex("Before you rely") :]  # below the contents
    before = text[: text.index("What it is worth")]
    assert leak["sentence"] in before
    assert "Dark." not in before
