"""The study of a search in Optuna's storage: asked, told, taken up again after a kill."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError, StorageInternalError
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

from hf_vft.automl.halving import CONTINUES, EPOCHS, Halving, best_value, current, promotable
from hf_vft.automl.space import Space
from hf_vft.errors import RecipeError
from hf_vft.run import write_text
from hf_vft.utils.redaction import filled_in, without_values

OWNER, FOLDER, CLONE = "owner", "folder", "clone"
"""User attributes: which run a trial belongs to, where its checkpoints are, and a mark."""

ATTEMPTS = 4
"""To open a storage."""

MAKER, SPACE = "maker", "space"
"""Of the study: which run made it, and what its trials choose from."""


class SharedStudy:
    """A study that several runs on several machines may share; each runs trials of its own.

    Args:
        url: Of an Optuna storage, with its password as ``${NAME}``; None keeps it in ``folder``.
        name: Runs with the same name work together.
        folder: Of this run's search state.
        highest: Whether a high score is good.
        space: Of the run that makes the study; the others take it over.
        seed: Of the sampler.

    Raises:
        RecipeError: If the storage cannot be reached.
    """

    def __init__(
        self,
        url: str | None,
        name: str,
        folder: Path,
        *,
        highest: bool,
        space: Space,
        seed: int,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        folder.mkdir(parents=True, exist_ok=True)
        self.highest = highest
        self.owner = _owner(folder / "owner")
        options: dict[str, Any] = {
            "study_name": name,
            # Runs of one study draw different trials.
            "sampler": TPESampler(seed=seed + int(self.owner[:4], 16), n_startup_trials=5),
            "pruner": Halving(),
        }
        try:
            own = f"sqlite:///{(folder / 'study.db').resolve()}"
            self._storage = _storage(filled_in(url, where="search.storage") if url else own)
            self.study = self._open(space, options)
        except (ImportError, ValueError, SQLAlchemyError, StorageInternalError) as error:
            reason = without_values(" ".join(str(error).split()), url or "")[:120]
            raise RecipeError(f"search.storage: {url}: cannot be used ({reason}).") from None

    def _open(self, space: Space, options: dict[str, Any]) -> optuna.Study:
        direction = StudyDirection.MAXIMIZE if self.highest else StudyDirection.MINIMIZE
        try:
            study = optuna.create_study(storage=self._storage, direction=direction, **options)
            study.set_user_attr(MAKER, self.owner)
        except DuplicatedStudyError:
            study = optuna.load_study(storage=self._storage, **options)
        # Only the run that made the study enqueues, also when it was killed before it did.
        if study.user_attrs.get(MAKER) == self.owner:
            if SPACE not in study.user_attrs:
                study.set_user_attr(SPACE, asdict(space))
            first = space.first_trials()
            for params in first[len(study.get_trials(deepcopy=False)) :]:
                study.enqueue_trial(params)
        return study

    @property
    def space(self) -> Space | None:
        """The space that this study's trials choose from; None until its maker has stored it."""
        stored = self.study.user_attrs.get(SPACE)
        if stored is None:
            return None
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()
        }
        return Space(**fields)

    def trials(self) -> list[FrozenTrial]:
        """All trials that count, including those of other runs."""
        return current(self.study.get_trials(deepcopy=False))

    def mine(self) -> list[FrozenTrial]:
        """The trials that belong to this run."""
        return [t for t in self.trials() if t.user_attrs.get(OWNER) == self.owner]

    def trained(self) -> list[FrozenTrial]:
        """This run's trials that have weights or may have them yet, the best first."""
        trials = [
            t
            for t in self.mine()
            if t.state != TrialState.FAIL
            and FOLDER in t.user_attrs
            and (Path(t.user_attrs[FOLDER]) / "recipe.yaml").is_file()
        ]
        return sorted(trials, key=self.score, reverse=self.highest)

    def score(self, trial: FrozenTrial) -> float:
        """The best of a trial so far; the worst there is before the first."""
        return trial.value if trial.value is not None else best_value(trial, self.highest)

    def interrupted(self, running: Collection[int] = ()) -> Trial | None:
        """A trial of this run that a kill has stopped; those of others are left alone.

        Args:
            running: Numbers of this run's trials that are not stopped.
        """
        cut = [t for t in self.mine() if t.state == TrialState.RUNNING and t.number not in running]
        return self._handle(cut[0].number) if cut else None

    def promoted(self) -> Trial | None:
        """A paused trial of this run that has turned out to be in the better half."""
        best = promotable(self.trials(), highest=self.highest)
        if best is None or best.user_attrs.get(OWNER) != self.owner:
            return None
        mark = uuid.uuid4().hex
        self.study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=best.params,
                distributions=best.distributions,
                user_attrs={**best.user_attrs, CONTINUES: best.number, CLONE: mark},
                intermediate_values=best.intermediate_values,
            )
        )
        clone = next(t for t in self.study.get_trials() if t.user_attrs.get(CLONE) == mark)
        return self._handle(clone.number)

    def ask(self) -> Trial:
        """A new trial of this run, from the queue or from the sampler."""
        trial = self.study.ask()
        trial.set_user_attr(OWNER, self.owner)
        return trial

    def plan(self, trial: Trial, folder: Path, epochs: float, **facts: object) -> None:
        """Write down what a trial is before it begins."""
        trial.set_user_attr(FOLDER, str(folder))
        trial.set_user_attr(EPOCHS, max(1, round(epochs)))
        for name, value in facts.items():
            trial.set_user_attr(name, value)

    def _handle(self, number: int) -> Trial:
        study_id = self._storage.get_study_id_from_name(self.study.study_name)
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
        return Trial(self.study, trial_id)


def _storage(url: str) -> RDBStorage:
    """Runs that begin at one moment all make the tables: who comes late finds them at next try."""
    for _ in range(ATTEMPTS - 1):
        try:
            return RDBStorage(url)
        except (IntegrityError, OperationalError, ProgrammingError):
            time.sleep(0.5)
    return RDBStorage(url)


def _owner(file: Path) -> str:
    """A name for this run that outlives its process."""
    if not file.is_file():
        write_text(file, uuid.uuid4().hex)
    return file.read_text().strip()
