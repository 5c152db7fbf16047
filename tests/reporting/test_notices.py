from hf_vft.reporting.notices import notices
from hf_vft.reporting.report_facts import ReportFacts

from .made import made_report
from .test_verdict import changed, estimate


def test_random_weights_are_the_gravest_notice():
    found = notices(made_report(n=20, n_bootstrap=20), ReportFacts(pretrained=False))
    assert found[0].severity == "error"
    assert "random weights" in found[0].sentence
    assert not any("random weights" in n.sentence for n in notices(made_report(n_bootstrap=20)))


def test_classes_with_few_images_are_listed_the_fewest_first():
    report = made_report(n=40, n_bootstrap=20)
    sentence = next(n.sentence for n in notices(report) if "Fewer than" in n.sentence)
    support = {name: found.support for name, found in report.splits["test"].per_class.items()}
    fewest = min(support, key=support.get)
    assert f"test images for {fewest} ({support[fewest]})" in sentence


def test_splits_that_disagree_are_pointed_out_both_ways():
    report = made_report(n_bootstrap=20)
    worse = changed(report, splits__test__metrics__f1_macro=estimate(0.5, 0.4, 0.6).model_dump())
    assert any("consulted too often" in notice.sentence for notice in notices(worse))
    better = changed(
        report, splits__validation__metrics__f1_macro=estimate(0.5, 0.4, 0.6).model_dump()
    )
    assert any("neither score may hold" in notice.sentence for notice in notices(better))


def test_warnings_of_a_stage_are_passed_on():
    facts = ReportFacts(warnings={"head": ("It was still improving.",)})
    assert any(
        n.sentence == "Stage head: It was still improving."
        for n in notices(made_report(n_bootstrap=20), facts)
    )
