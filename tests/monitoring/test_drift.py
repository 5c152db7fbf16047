"""The sections on drift, on windows whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hf_vft.errors import LogError, RunError
from hf_vft.monitoring.class_mix import estimate_class_mix
from hf_vft.monitoring.drift import Drift, find_drift, read_window, with_null_quantiles
from hf_vft.monitoring.findings import Finding, holm
from hf_vft.monitoring.input_drift import input_findings
from hf_vft.monitoring.log_sample import Sample, independent
from hf_vft.monitoring.prediction_drift import probabilities
from hf_vft.monitoring.profile import Reference
from hf_vft.records import ProductionLog
from hf_vft.run import RunDirectory
from tests.monitoring.made import LABELS, PRIOR, drawn, reference, window

OTHER_MIX = np.array([0.2, 0.45, 0.35])


@pytest.fixture(scope="module")
def known() -> Reference:
    return reference(600)


def by_key(drift: Drift) -> dict[str, Finding]:
    return {finding.key: finding for finding in drift.findings}


def significant(drift: Drift) -> set[str]:
    tested = [finding for finding in drift.findings if finding.p_value is not None]
    adjusted = holm(finding.p_value for finding in tested)
    return {f.key for f, p in zip(tested, adjusted, strict=True) if p < 0.05}


class TestWindows:
    def test_without_drift_nothing_is_significant(self) -> None:
        alarms = [
            bool(significant(find_drift(reference(300, s), window(300, s), permutations=99)))
            for s in range(12)
        ]
        assert sum(alarms) <= 3  # once in a thousand at 5 %

    def test_darker_images_are_an_input_drift_and_nothing_else(self, known: Reference) -> None:
        found = significant(find_drift(known, window(brightness=-1.0), permutations=199))
        assert found == {"input.brightness"}

    def test_another_class_mix_is_not_called_new_content(self, known: Reference) -> None:
        drift = find_drift(known, window(prior=OTHER_MIX), permutations=199)
        assert {"prediction.labels", "prediction.outputs", "embedding.mmd"} <= significant(drift)
        content = by_key(drift)["embedding.new_content"].p_value
        assert content is not None
        assert content > 0.05

    def test_new_content_is_called_so_and_its_images_come_first(self, known: Reference) -> None:
        drift = find_drift(known, window(strangers=0.12, seed=3), permutations=199)
        for name in ("new_content", "mmd", "components"):
            p = by_key(drift)[f"embedding.{name}"].p_value
            assert p is not None
            assert p < 0.02
        assert (by_key(drift)["embedding.classifier"].p_value or 1.0) < 0.05  # the weakest
        rows, _ = drawn(500, np.random.default_rng([3, 2]), strangers=0.12)
        odd = {row["request_id"] for row in rows if np.mean(row["embedding"]) > 0.6}
        top = drift.unlike.head(30)
        assert top["request_id"].isin(odd).mean() > 0.8
        assert top["distance"].is_monotonic_decreasing
        assert top["rank"].min() > 0.95

    def test_findings_are_unique_and_come_in_the_order_of_the_report(
        self, known: Reference
    ) -> None:
        drift = find_drift(known, window(200), permutations=19)
        keys = [finding.key for finding in drift.findings]
        assert len(set(keys)) == len(keys)
        sections = list(dict.fromkeys(finding.section for finding in drift.findings))
        assert sections == ["sanity", "input", "prediction", "embedding", "class_mix"]

    def test_too_few_rows_are_not_tested(self, known: Reference) -> None:
        drift = find_drift(known, window(40))
        assert all(finding.p_value is None for finding in drift.findings)
        assert by_key(drift)["sanity.rows"].level == "insufficient"

    def test_a_log_without_embeddings_says_so(self, known: Reference) -> None:
        bare = window(200)
        drift = find_drift(known, type(bare)(Sample(bare.sample.frame)))
        assert by_key(drift)["embedding.mmd"].level == "insufficient"


class TestUnits:
    def test_one_row_a_part_is_tested(self) -> None:
        rows, _ = drawn(90, np.random.default_rng(0), members=3)
        sample = Sample(pd.DataFrame(rows).drop(columns="embedding"))
        alone = independent(sample, "part", np.random.default_rng(0))
        assert len(alone) == 30
        assert alone.frame["part"].is_unique
        assert len(independent(sample, None, np.random.default_rng(0))) == 90

    def test_a_file_sent_twice_counts_once(self) -> None:
        sample = window(50).sample
        twice = sample.take(np.repeat(np.arange(50), 2))
        assert len(independent(twice, None, np.random.default_rng(0))) == 50
        drift = find_drift(reference(100), type(window(1))(twice))
        assert by_key(drift)["sanity.repeated"].current == pytest.approx(0.5)

    def test_rows_of_one_part_do_not_make_p_values_small(self) -> None:
        """As if they were independent, a third of windows like these would alarm."""
        low = {"part": 0, None: 0}
        for seed in range(40):
            ours = Sample(reference(300, seed, members=5).sample.frame)
            now = Sample(window(300, seed, members=5).sample.frame)
            for group in low:
                rng = np.random.default_rng(seed)
                found = input_findings(independent(ours, group, rng), independent(now, group, rng))
                p = next(f.p_value for f in found if f.name == "brightness")
                low[group] += p is not None and p < 0.05
        assert low["part"] <= 8  # once in a thousand at 5 %
        assert low[None] >= 10


class TestSanity:
    def test_rows_of_another_model_are_left_out_and_only_them_refused(
        self, known: Reference, tmp_path: Path
    ) -> None:
        log = ProductionLog(tmp_path / "log")
        rows, _ = drawn(150, np.random.default_rng(0))
        for row in rows[:30]:
            row["model_hash"] = "m2"
        with log.writer(slices=["part"]) as writer:
            writer.append(rows)
        found = read_window(log, known)
        assert (len(found.sample), found.excluded) == (120, 30)
        assert by_key(find_drift(known, found, permutations=9))["sanity.other_model"].effect == 0.2
        np.testing.assert_allclose(
            np.asarray(found.sample.embeddings, dtype=float),
            np.stack([row["embedding"] for row in rows[30:]]),
            atol=0.01,
        )
        stranger = Reference(known.profile.model_copy(update={"model_hash": "m3"}), known.sample)
        with pytest.raises(LogError, match=r"another model_hash .* cannot be compared"):
            read_window(log, stranger)
        other = known.profile.model_copy(update={"preprocessing_hash": "p9"})
        with pytest.raises(LogError, match="another preprocessing_hash"):
            read_window(log, Reference(other, known.sample))

    def test_a_gap_and_missing_values_are_named(self, known: Reference) -> None:
        frame = window(200).sample.frame.copy()
        frame.loc[100:, "ts_utc"] += pd.Timedelta(hours=9)
        frame.loc[:49, "sharpness"] = np.nan
        found = by_key(find_drift(known, type(window(1))(Sample(frame)), permutations=0))
        assert "Nothing was logged for 9.0 h" in found["sanity.time_gap"].note
        assert found["sanity.missing"].effect == pytest.approx(0.25)
        assert "sharpness" in found["sanity.missing"].note


class TestClassMix:
    def test_shares_are_found_within_a_point_or_two_and_the_interval_holds_them(
        self, known: Reference
    ) -> None:
        before = probabilities(known.sample.frame, 3)
        errors, held = [], []
        assert before is not None
        for seed in range(12):
            rows, truth = drawn(500, np.random.default_rng([seed, 2]), prior=OTHER_MIX)
            now = probabilities(pd.DataFrame(rows).assign(top_labels=None), 3)
            assert now is not None
            mix = estimate_class_mix(before, known.label_ids, now, resamples=60, seed=seed)
            shares = np.bincount(truth, minlength=3) / len(truth)
            errors.append(np.abs(mix.em - shares))
            held.append((mix.low <= OTHER_MIX) & (mix.high >= OTHER_MIX))
            assert np.abs(mix.bbse - shares).max() < 0.12
        assert np.mean(errors) < 0.02
        assert np.mean(held) > 0.8
        assert np.abs(PRIOR - OTHER_MIX).mean() > 0.2  # what "no change" would be off by

    def test_a_class_with_little_support_says_so(self, known: Reference) -> None:
        rows = np.flatnonzero(known.label_ids != 2)[:200]
        few = np.concatenate([rows, np.flatnonzero(known.label_ids == 2)[:2]])
        drift = find_drift(Reference(known.profile, known.sample.take(few)), window(200))
        assert by_key(drift)[f"class_mix.{LABELS[2]}"].level == "insufficient"


class TestReference:
    def test_it_is_the_same_after_saving_and_a_damaged_one_is_refused(
        self, known: Reference, tmp_path: Path
    ) -> None:
        run = RunDirectory(tmp_path / "run")
        with pytest.raises(RunError, match="no reference"):
            Reference.load(run)
        saved = with_null_quantiles(known, splits=6)
        saved.save(run)
        loaded = Reference.load(run)
        assert loaded.profile == saved.profile
        assert find_drift(loaded, window(150), permutations=9).findings == (
            find_drift(saved, window(150), permutations=9).findings
        )
        run.reference_arrays_file.write_bytes(b"damaged")
        with pytest.raises(RunError, match="damaged"):
            Reference.load(run)

    def test_chance_says_how_large_effects_are_without_drift(self, known: Reference) -> None:
        learned = with_null_quantiles(known, splits=30)
        for key in ("input.brightness", "prediction.outputs", "embedding.mmd"):
            limit = learned.chance(key, 500, 0.95)
            assert limit is not None
            larger = learned.chance(key, 100, 0.95)
            assert larger is not None
            assert larger > limit
        effects = [
            by_key(find_drift(known, window(500, s), permutations=0))["input.brightness"].effect
            for s in range(12)
        ]
        limit = learned.chance("input.brightness", 500, 0.95)
        assert limit is not None
        assert np.mean([abs(e or 0.0) < limit for e in effects]) > 0.6
        assert learned.chance("input.none", 500) is None
