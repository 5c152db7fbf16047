from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import HfApi, ModelCard
from huggingface_hub.repocard_data import ModelCardData
from peft import PeftModel
from safetensors.numpy import load_file, save_file
from transformers import AutoImageProcessor, AutoModelForImageClassification

from hf_vft.errors import HubError
from hf_vft.hub.client import RetryPolicy
from hf_vft.hub.push import Pushed, push_run
from hf_vft.hub.readback import largest_difference
from hf_vft.models.lora import add_lora
from hf_vft.recipe.schema import LoraRecipe
from hf_vft.run import RunDirectory
from hf_vft.workflows.steps.save_run import save_model
from tests.hub.conftest import HASTE
from tests.hub.loopback import READ, STRANGER, LoopbackHub
from tests.models.tiny import SIZE

REPO = "maker/line"


def push(run: RunDirectory, api: HfApi, repo_id: str = REPO, **options: object) -> Pushed:
    options = {"verify": False, "patience": HASTE, **options}
    return push_run(run, repo_id, api=api, **options)  # type: ignore[arg-type]


def text(hub: LoopbackHub, path: str = "README.md", repo_id: str = REPO) -> str:
    return hub.repo(repo_id).files[path].content.decode()


def test_a_run_is_pushed_in_one_commit(hub: LoopbackHub, api: HfApi, run: RunDirectory) -> None:
    pushed = push(run, api, private=True)
    repo = hub.repo(REPO)
    assert repo.private
    assert [commit.message for commit in repo.commits] == ["initial commit", "Push with hf-vft"]
    assert pushed.commit == repo.commits[-1].oid
    assert set(repo.files) >= {
        "README.md", "config.json", "model.safetensors", "preprocessor_config.json",
        "recipe.yaml", "choices.json", "metrics.json", "history.json", "run.json",
        "reference/predictions.parquet",
    }  # fmt: skip
    assert any(name.startswith("logs/") and "tfevents" in name for name in repo.files)
    weights = (run.model / "model.safetensors").read_bytes()
    assert repo.files["model.safetensors"].content == weights


def test_nothing_of_this_machine_and_no_image_is_pushed(
    hub: LoopbackHub, api: HfApi, run: RunDirectory, images: Path
) -> None:
    (run.path / "reference" / "shown.png").write_bytes(b"image")
    push(run, api)
    files = hub.repo(REPO).files
    assert not {"report.html", "audit.json", "reference/shown.png"} & set(files)
    assert not any(name.startswith(("state", ".")) for name in files if name != ".gitattributes")
    for name, blob in files.items():
        assert str(images.parent).encode() not in blob.content, name
    push(run, api, with_images=True)
    assert {"report.html", "audit.json", "reference/shown.png"} <= set(hub.repo(REPO).files)


def test_no_secret_and_no_path_is_in_anything_that_is_pushed(
    hub: LoopbackHub, api: HfApi, run: RunDirectory, images: Path, convnext: Path
) -> None:
    login, private = "postgresql://me:marker-password@host/x", "/home/marker-name/line/a.png"
    for file, change in {
        run.leaderboard_file: {"asked": {"storage": login}, "rows": []},
        run.choices_file: [{"name": "x", "reason": f"{private} and {login}"}],
        run.model / "config.json": {"_name_or_path": str(convnext)},
        run.model / "preprocessor_config.json": {"from": f"hf_{'marker' * 5}"},
    }.items():
        tree = json.loads(file.read_text()) if file.is_file() else {}
        file.write_text(json.dumps({**tree, **change} if isinstance(change, dict) else change))
    push(run, api, with_images=True)
    secrets = ("marker-", "markermarker", *map(str, (run.path, images.parent, convnext.parent)))
    for name, blob in hub.repo(REPO).files.items():
        for secret in secrets:
            assert secret.encode() not in blob.content, (name, secret)
    run.card_file.write_text(f"# Ours\n\nThe studies are in {login}.\n")
    with pytest.raises(HubError, match="holds a password") as caught:
        push(run, api)
    assert "marker" not in str(caught.value)


def adapted(run: RunDirectory, base: Path) -> None:
    """Make a run one with adapters: its model becomes the base."""
    plain: Any = AutoModelForImageClassification.from_pretrained(run.model)
    processor: Any = AutoImageProcessor.from_pretrained(run.model)
    _set(plain, "layer_scale", 1.0)  # so low at first that blocks hardly count
    for part in (plain, processor):
        part.save_pretrained(base)
    model: Any = add_lora(
        AutoModelForImageClassification.from_pretrained(base), LoraRecipe(r=4, alpha=8)
    )
    _set(model, "lora_B", 0.5)  # zero until it is trained
    save_model(run, SimpleNamespace(processor=processor), SimpleNamespace(model=model))  # type: ignore[arg-type]


@torch.no_grad()
def _set(model: Any, name: str, value: float) -> None:
    for found, weights in model.named_parameters():
        if name in found:
            weights.fill_(value)


def test_the_merged_model_and_the_adapter_are_pushed_and_answer_the_same(
    hub: LoopbackHub, api: HfApi, run: RunDirectory, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    adapted(run, base)
    push(run, api)
    assert str(tmp_path).encode() not in hub.repo(REPO).files["adapter/adapter_config.json"].content
    assert b"PeftModel.from_pretrained" in hub.repo(REPO).files["adapter/README.md"].content
    assert "lora" in ModelCard(text(hub)).data.to_dict()["tags"]
    there = Path(api.snapshot_download(REPO, cache_dir=tmp_path / "cache"))
    pixels = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    plain = AutoModelForImageClassification.from_pretrained

    @torch.no_grad()
    def logits(model: Any) -> np.ndarray:
        return model.eval()(pixel_values=pixels).logits.numpy()

    merged, before = logits(plain(there)), logits(plain(base))
    assert np.abs(merged - before).max() > 1e-2
    beside = PeftModel.from_pretrained(plain(base), there / "adapter")
    np.testing.assert_allclose(logits(beside), merged, atol=1e-4)


@pytest.mark.slow
def test_read_back_notices_another_model(hub: LoopbackHub, api: HfApi, run: RunDirectory) -> None:
    push(run, api)
    weights = load_file(run.model / "model.safetensors")
    name = next(iter(weights))
    save_file(
        weights | {name: weights[name] + np.float32(0.5)},
        run.model / "other.safetensors",
        {"format": "pt"},
    )
    (run.model / "other.safetensors").replace(run.model / "model.safetensors")
    assert largest_difference(run, REPO, hub.repo(REPO).commits[-1].oid, api) > 1e-4


def test_card_says_what_the_hub_reads(hub: LoopbackHub, api: HfApi, run: RunDirectory) -> None:
    push(run, api, license="apache-2.0")
    card = ModelCard(text(hub))
    assert isinstance(card.data, ModelCardData)
    assert card.data.pipeline_tag == "image-classification"
    assert card.data.library_name == "transformers"
    assert card.data.license == "apache-2.0"
    measured = json.loads(run.metrics_file.read_text())["splits"]["test"]["metrics"]
    results = {result.metric_name: result.metric_value for result in card.data.eval_results or []}
    assert results["Macro F1"] == pytest.approx(measured["f1_macro"]["value"], abs=1e-4)
    assert results["Accuracy"] == pytest.approx(measured["accuracy"]["value"], abs=1e-4)


def test_card_tells_what_a_reviewer_asks(hub: LoopbackHub, api: HfApi, run: RunDirectory) -> None:
    push(run, api)
    card = text(hub)
    board = json.loads(run.leaderboard_file.read_text())
    cost = next(row["cost"] for row in board["rows"] if row["name"] == board["chosen"])
    summary = json.loads(run.summary_file.read_text())
    for told in (
        summary["fingerprint"],  # data
        "69 train · 22 validation · 24 test",  # splits
        "all: all, up to 2 epochs at 0.001",  # recipe
        "| This model | Majority class | Linear probe |",  # baselines
        "95 % bootstrap interval",
        "Divide the logits by the temperature",  # calibration
        "--by COLUMN", "--robustness",  # what was not measured says so
        f"{cost['latency_ms']:.1f} ms (median",  # latency
        "Time spent",
        "## Limits", "## Intended use", "hf-vft monitor RUN LOG",
    ):  # fmt: skip
        assert told in card, told


def test_what_people_wrote_on_the_card_survives(
    hub: LoopbackHub, api: HfApi, run: RunDirectory
) -> None:
    push(run, api)
    edited = text(hub).replace("\n## Limits\n", "\n## Limits\n\nNot on Mondays.\n")
    edited = edited.replace("It is meant for", "The plant uses it for").replace(
        "tags:", "language: de\nlicense: mit\ntags:\n- plant-7"
    )
    hub.edit(REPO, "README.md", edited)
    metrics = json.loads(run.metrics_file.read_text())
    metrics["splits"]["test"]["metrics"]["accuracy"]["value"] = 0.4242
    run.metrics_file.write_text(json.dumps(metrics))
    pushed = push(run, api)
    after = text(hub)
    assert "Not on Mondays." in after
    assert "The plant uses it for" in after
    assert any("'use'" in note for note in pushed.notes)
    assert "| Accuracy | 0.42" in after
    data = yaml.safe_load(after.split("---")[1])
    assert (data["license"], data["language"]) == ("mit", "de")
    assert {"plant-7", "hf-vft"} <= set(data["tags"])
    push(run, api)
    assert text(hub) == after


def test_words_written_here_reach_the_hub_and_a_conflict_is_told(
    hub: LoopbackHub, api: HfApi, run: RunDirectory
) -> None:
    push(run, api)
    card = run.model / "README.md"
    card.write_text(card.read_text() + "\nWritten here.\n")
    push(run, api)
    assert "Written here." in text(hub)
    card.write_text(card.read_text() + "\nAnd here.\n")
    hub.edit(REPO, "README.md", text(hub) + "\nAnd there.\n")
    with pytest.raises(HubError, match="edited on the Hub and in"):
        push(run, api)
    assert "And there." in text(hub)
    card.unlink()
    push(run, api)
    assert "And there." in text(hub)


def test_a_card_that_was_there_before_is_kept_above(
    hub: LoopbackHub, api: HfApi, run: RunDirectory
) -> None:
    api.create_repo(REPO)
    hub.edit(REPO, "README.md", "---\nlicense: other\n---\n# Ours\n\nOur words.\n")
    push(run, api)
    assert text(hub).index("Our words.") < text(hub).index("hf-vft:summary")
    assert "license: other" in text(hub)


def test_pushing_again_changes_nothing(hub: LoopbackHub, api: HfApi, run: RunDirectory) -> None:
    push(run, api)
    push(run, api)
    assert len(hub.repo(REPO).commits) == 2
    assert hub.count(r"^PUT /lfs/") == len(
        {blob.sha256 for blob in hub.repo(REPO).files.values() if blob.lfs}
    )


def test_what_a_killed_push_was_writing_is_cleared_and_not_pushed(
    hub: LoopbackHub, api: HfApi, run: RunDirectory
) -> None:
    left = run.card_file.with_name(f".{run.card_file.name}.{'0' * 32}.tmp")
    left.write_text("half a card")
    push_run(run, REPO, api=api, verify=False)
    assert not left.exists()
    assert not any(name.endswith(".tmp") for name in hub.repo(REPO).files)


def test_a_cut_push_goes_on_without_sending_the_weights_again(
    hub: LoopbackHub, api: HfApi, run: RunDirectory
) -> None:
    hub.fail(r"POST /api/models/.*/commit/")
    with pytest.raises(HubError, match=r"cannot be reached.*the same command goes on"):
        push(run, api, patience=RetryPolicy(tries=1))
    sent = hub.count(r"^PUT /lfs/")
    assert sent > 0
    push(run, api)
    assert hub.count(r"^PUT /lfs/") == sent
    assert "model.safetensors" in hub.repo(REPO).files


@pytest.mark.parametrize("status", [None, 500, 409, 412, 503])
def test_what_passes_is_tried_again(
    hub: LoopbackHub, api: HfApi, run: RunDirectory, status: int | None
) -> None:
    hub.fail(r"POST /api/models/.*/commit/", status, times=2)
    push(run, api)
    assert len(hub.repo(REPO).commits) == 2


def test_a_commit_whose_answer_was_lost_is_not_made_twice(
    hub: LoopbackHub, api: HfApi, run: RunDirectory
) -> None:
    hub.fail(r"POST /api/models/.*/commit/", after=True)
    pushed = push(run, api)
    assert len(hub.repo(REPO).commits) == 2
    assert pushed.commit == hub.repo(REPO).commits[-1].oid


def test_who_wrote_in_between_is_not_overwritten(
    hub: LoopbackHub, api: HfApi, run: RunDirectory
) -> None:
    push(run, api)
    run.metrics_file.write_text(run.metrics_file.read_text().replace("0.", "0.1", 1))
    edited = text(hub) + "\nIn between.\n"
    told: list[str] = []

    def say(line: str) -> None:
        told.append(line)
        if len(told) == 1:  # after the card was read, before the commit
            hub.edit(REPO, "README.md", edited)

    push(run, api, say=say)
    assert len(told) == 2
    assert "In between." in text(hub)


def test_as_long_as_the_hub_asks_for_is_waited(
    hub: LoopbackHub, api: HfApi, run: RunDirectory
) -> None:
    hub.fail(r"POST /api/models/.*/commit/", 429, "slow down", Retry_After="1")
    began = time.monotonic()
    push(run, api)
    assert time.monotonic() - began >= 1.0


@pytest.mark.parametrize(
    ("status", "message", "told"),
    [
        (401, "Invalid credentials in Authorization header", "does not know this token"),
        (403, "Private repository storage limit reached", "storage limit reached"),
        (403, "You don't have the rights", "right to write"),
        (402, "Payment required", "paid plan"),
        (413, "Repository storage quota exceeded", "no room for it .Repository storage quota"),
    ],
)
def test_refusals_are_one_polite_line(
    hub: LoopbackHub, api: HfApi, run: RunDirectory, status: int, message: str, told: str
) -> None:
    hub.fail(r"POST .*(batch|/commit/)", status, message, times=99)
    with pytest.raises(HubError, match=told) as caught:
        push(run, api)
    assert "\n" not in str(caught.value)
    assert hub.count("/commit/|batch") == 1


def test_no_token_and_a_token_that_may_only_read_are_refused_before_anything_is_sent(
    hub: LoopbackHub, run: RunDirectory
) -> None:
    with pytest.raises(HubError, match="Not logged in"):
        push(run, HfApi(endpoint=hub.url, token=False))
    with pytest.raises(HubError, match="may only read"):
        push(run, HfApi(endpoint=hub.url, token=READ))
    with pytest.raises(HubError, match="right to write there"):
        push(run, HfApi(endpoint=hub.url, token=STRANGER))
    with pytest.raises(HubError, match="does not know this token"):
        push(run, HfApi(endpoint=hub.url, token="hf_" + "x" * 34))
    assert hub.count("/commit/|batch") == 0


@pytest.mark.parametrize("name", ["line", "a/b/c", "maker/..", "maker/ü", "maker/x y"])
def test_impossible_names_are_refused(api: HfApi, run: RunDirectory, name: str) -> None:
    with pytest.raises(HubError):
        push(run, api, name)


@pytest.mark.parametrize("name", ["optimizer.pt", "extra.pkl", "modeling_mine.py"])
def test_files_that_can_run_code_stay_here(
    hub: LoopbackHub, api: HfApi, run: RunDirectory, name: str
) -> None:
    (run.model / name).write_bytes(b"x")
    with pytest.raises(HubError, match="can run code"):
        push(run, api)
    assert hub.repos == {}


def test_links_that_lead_out_are_refused(api: HfApi, run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{}")
    (run.model / "extra.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(HubError, match="leads out"):
        push(run, api)
