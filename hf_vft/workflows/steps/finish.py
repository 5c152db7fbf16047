"""The end of a run: the model is measured, and everything that people read is written."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace

from accelerate import PartialState

from hf_vft.automl.choose import Trained
from hf_vft.automl.environment import Facts
from hf_vft.automl.prepare import Prepared
from hf_vft.data.load import ImageData
from hf_vft.hub.card import write_card
from hf_vft.recipe.schema import Choice, Recipe
from hf_vft.reporting.box_mistakes import report_boxes
from hf_vft.reporting.mistakes import report_mistakes
from hf_vft.reporting.report import render_report
from hf_vft.run import RunDirectory, write_json, write_text
from hf_vft.tasks import Calibration, Task
from hf_vft.training.finetune import FineTuned
from hf_vft.utils.progress import Display, Silent
from hf_vft.workflows.steps.held_out_scores import held_out_logits, prove
from hf_vft.workflows.steps.leaderboard import leaderboard
from hf_vft.workflows.steps.reference import save_reference
from hf_vft.workflows.steps.robustness import measure_robustness
from hf_vft.workflows.steps.save_run import save_model, save_predictions, save_splits, summary
from hf_vft.workflows.steps.search_insights import lessons

REHEARSAL = "rehearsal"


@dataclass(frozen=True)
class Finishing:
    """Everything that the end of a run needs besides the trained model.

    Attributes:
        asked: The recipe as it was given.
        data: Divided images.
        facts: About data and device.
        task: What the labels mean.
        choices: What was decided before a model was chosen.
        started: ``time.monotonic()`` at the start of the run.
        display: Shown to the user.
    """

    asked: Recipe
    data: ImageData
    facts: Facts
    task: Task
    choices: list[Choice]
    started: float
    display: Display

    def finish(self, run: RunDirectory, trained: Trained) -> None:
        """Measure the model on held-out images, and write the run; every process takes part."""
        recipe, loaded, tuned = trained.recipe, trained.loaded, trained.tuned
        self.display.say("Measuring the validation and the test split.")
        logits = held_out_logits(trained.tuning, tuned)
        report = prove(logits, tuned.probe_logits, self.data, recipe, self.task)
        robustness = None
        if recipe.evaluation.robustness:
            robustness = measure_robustness(
                tuned.model,
                loaded.processor,
                self.task,
                self.data.splits["test"],
                self.data.labels,
                recipe=recipe,
                metric=report.primary,
                calibration=Calibration.of(report),
                source="the test split",
                display=self.display,
            )
        if PartialState().is_main_process:
            write_text(run.recipe_file, recipe.to_yaml())
            choices = [vars(choice) for choice in [*self.choices, *trained.choices]]
            write_json(run.choices_file, choices)
            write_json(run.history_file, [row for stage in tuned.stages for row in stage.history])
            save_splits(run, self.data)
            save_predictions(run, self.data, logits, report, self.task)
            write_json(run.metrics_file, report.model_dump(mode="json"))
            if robustness is not None:
                write_json(run.robustness_file, robustness.model_dump(mode="json"))
            board = leaderboard(trained.rows, report, self.asked.search, loaded, tuned)
            if self.asked.search.wanted:
                taught = lessons(logits, report, trained.tuning, tuned, self.data)
                board = board.model_copy(update={"lessons": taught})
            write_json(run.leaderboard_file, board.model_dump(mode="json"))
            facts = summary(recipe, self.data, self.facts, loaded, tuned, self.started)
            write_json(run.summary_file, facts)
            # A run counts as finished once its model is there.
            save_model(run, loaded, tuned)
            save_reference(run, self.data, self.display)
            mistakes, boxes = report_mistakes(run, self.data), report_boxes(run, self.data)
            render_report(run.path, mistakes=mistakes, boxes=boxes)
            write_card(run)
        PartialState().wait_for_everyone()

    def rehearse(self, run: RunDirectory, prepared: Prepared, tuned: FineTuned) -> None:
        """Do all that the end of a search will do, for its first model, and throw it away.

        How long that takes on this machine, with what else runs on it, is what the search has to
        leave. Images of training stand in for the test split, which is not looked at.
        """
        train, test = self.data.splits["train"], self.data.splits["test"]
        some = range(min(len(train), len(test)))
        data = replace(
            self.data,
            splits=self.data.splits | {"test": train.select(some)},
            hashes=self.data.hashes | {"test": self.data.hashes["train"][: len(some)]},
        )
        tuning = prepared.tuning.with_test_images(data, some)
        # A stage that time has stopped evaluates once more; and this gives the baseline its scores.
        seen = replace(tuned, probe_logits=held_out_logits(tuning, tuned))
        place = RunDirectory(run.state / REHEARSAL)
        quiet = replace(self, data=data, display=Silent())
        quiet.finish(
            place, Trained(prepared.recipe, prepared.loaded, tuning, seen, prepared.choices)
        )
        if PartialState().is_main_process:
            shutil.rmtree(place.path, ignore_errors=True)
