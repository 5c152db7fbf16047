"""The sentences of the model card that follow from numbers by a rule stated here."""

from __future__ import annotations

from hf_vft.answers import answer_kind
from hf_vft.evaluation.latency import Cost
from hf_vft.evaluation.leaderboard import Leaderboard
from hf_vft.evaluation.results import EvalReport
from hf_vft.evaluation.robustness import Robustness
from hf_vft.hub.markdown import plain, said, table
from hf_vft.inference.onnx import OnnxFacts
from hf_vft.reporting.notices import notices
from hf_vft.reporting.numbers import score
from hf_vft.reporting.report_facts import ReportFacts
from hf_vft.reporting.verdict import describe_robustness, judged_split, metric_name
from hf_vft.run import RunDirectory


def purpose(report: EvalReport) -> str:
    """The purpose of the model, in a sentence."""
    names = [f"*{plain(label)}*" for label in report.labels[:12]]
    more = len(report.labels) - len(names)
    listed = ", ".join(names) + (f" and {more} more" if more > 0 else "")
    return f"{answer_kind(report.task).card.verb} {listed} in images."


def usage(report: EvalReport, where: str) -> str:
    """Code that runs as it stands, with plain transformers."""
    kind = answer_kind(report.task)
    auto = kind.card.auto_class
    if kind.scored:
        return (
            "```python\n"
            "from huggingface_hub import hf_hub_download\n"
            "from safetensors.torch import load_file\n"
            f"from transformers import AutoImageProcessor, {auto}\n\n"
            f'processor = AutoImageProcessor.from_pretrained("{where}")\n'
            f'backbone = {auto}.from_pretrained("{where}").eval()\n'
            f'file = hf_hub_download("{where}", "memory_bank.safetensors")\n'
            'memory = load_file(file)["patches"]\n'
            "```\n\n"
            "The memory holds patches of good images `[M, D]`; `anomaly.json` names the blocks of "
            "the backbone that describe a patch, and the threshold. An image's score is how far "
            "its farthest patch is from the nearest one in memory (PatchCore). `hf-vft predict` "
            "and `hf-vft serve` compute it and draw the map."
        )
    if not kind.exclusive:
        return (
            "```python\n"
            f"from transformers import AutoImageProcessor, {auto}\n\n"
            f'processor = AutoImageProcessor.from_pretrained("{where}")\n'
            f'model = {auto}.from_pretrained("{where}")\n'
            "```"
        )
    return (
        "```python\n"
        "import torch\n"
        "from PIL import Image\n"
        f"from transformers import AutoImageProcessor, {auto}\n\n"
        f'processor = AutoImageProcessor.from_pretrained("{where}")\n'
        f'model = {auto}.from_pretrained("{where}").eval()\n'
        'image = Image.open("photo.jpg").convert("RGB")\n'
        "with torch.inference_mode():\n"
        '    logits = model(**processor(image, return_tensors="pt")).logits\n'
        f"confidence = (logits / {report.temperature:.4f}).softmax(-1)[0]  # calibrated\n"
        "best = confidence.argmax().item()\n"
        "print(model.config.id2label[best], confidence[best].item())\n"
        "```"
    )


def calibration(report: EvalReport) -> str:
    """A sentence on whether the model's confidence can be trusted."""
    metrics = report.splits[judged_split(report)].metrics
    before, after = metrics.get("ece"), metrics.get("ece_calibrated")
    if before is None or after is None:
        return "Not measured for this kind of model."
    return (
        f"Divide the logits by the temperature **{report.temperature:.4f}** (fitted on the "
        "validation split) before the softmax: the calibration error (ECE) then is "
        f"{score(after.value)}, {score(before.value)} without it."
    )


def robustness(run: RunDirectory) -> str:
    """The effect of blur, noise and the like, if it was measured."""
    if not run.robustness_file.is_file():
        missing = "How it bears blur, noise or other light was not measured"
        if answer_kind(run.recipe().task).scored:  # where evaluate refuses it
            return f"{missing}."
        return f"{missing}; `hf-vft evaluate RUN DATA --robustness` does."
    measured = run.read_as(Robustness, run.robustness_file)
    rows = [[plain(name), *map(said, scores)] for name, scores in measured.disturbed.items()]
    heads = [metric_name(measured.metric), *measured.severities]
    return f"{plain(describe_robustness(measured))}\n\n{table(heads, rows)}"


def speed(run: RunDirectory) -> str:
    """The latency and the device it was measured on, if it was."""
    cost = _cost(run)
    if cost is None:
        return "How fast it answers depends on the machine and was not measured here."
    sentences = (
        f"On the machine that trained it ({plain(cost.device)}), a single image of {cost.side} × "
        f"{cost.side} pixels takes the model {cost.latency_ms:.1f} ms (median; 95th percentile "
        f"{cost.latency_p95_ms:.1f} ms), {cost.gmacs:.2g} billion multiply-adds and "
        f"{cost.memory / 1e6:.0f} MB of memory."
    )
    if not run.onnx_facts_file.is_file():
        return sentences
    facts = run.read_as(OnnxFacts, run.onnx_facts_file)
    return (
        f"{sentences} `export/` holds it for ONNX Runtime: {facts.latency_ms:.1f} ms where torch "
        f"took {facts.torch_latency_ms:.1f} ms on {facts.threads} CPU thread(s)."
    )


def _cost(run: RunDirectory) -> Cost | None:
    if not run.leaderboard_file.is_file():
        return None
    board = run.read_as(Leaderboard, run.leaderboard_file)
    return next((row.cost for row in board.rows if row.name == board.chosen), None)


def limits(report: EvalReport, facts: ReportFacts) -> list[str]:
    """The limitations: those that the numbers show, and those of every such model."""
    split = judged_split(report)
    sentences = [notice.sentence for notice in notices(report, facts)]
    sentences += [f"About the data: {note}" for note in facts.notes]
    if answer_kind(report.task).scored:
        sentences.append(
            "It has learned what good images look like and calls anything else an anomaly: a new "
            "product, another light or a moved camera as well as a defect."
        )
    elif answer_kind(report.task).exclusive:
        sentences.append(
            f"It knows {len(report.labels)} classes and names one of them for every image, also "
            "for one that shows none of them."
        )
    sentences.append(
        f"Its scores hold for images like the {report.splits[split].n:,} of the {split} split, "
        "and only as long as production looks like them."
    )
    return sentences
