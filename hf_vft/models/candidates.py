"""Which backbones a search may choose from, and which could not be considered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from huggingface_hub import is_offline_mode

from hf_vft.errors import HubError, ModelError
from hf_vft.models.backbones import SCRATCH, Checkpoint, choose_checkpoint, embedded
from hf_vft.models.catalogue import CATALOGUE, Backbone
from hf_vft.models.hub_models import cached_folder, check_hub
from hf_vft.models.imagenet_weights import packaged_folder

MILLION = 1_000_000


@dataclass(frozen=True)
class ExcludedModel:
    """A backbone that is not considered.

    Attributes:
        name: As in the recipe or the catalogue.
        reason: Why, in a few words.
    """

    name: str
    reason: str


def find_candidates(
    names: Sequence[str] | Literal["auto"],
    *,
    max_params: int | None = None,
    offline: bool | None = None,
) -> tuple[list[Checkpoint], list[ExcludedModel]]:
    """The backbones to choose from.

    Args:
        names: Hub ids, local folders, names of the catalogue: all of them have to be there.
            ``auto`` takes what the extra ``imagenet`` installed, what comes with hf-vft, what
            the local cache holds of the catalogue, and a shortlist of it from the Hub.
        max_params: Larger ones of the catalogue are not even downloaded.
        offline: Whether to leave the Hub alone; None follows ``HF_HUB_OFFLINE``.

    Returns:
        At least one candidate, and what of the catalogue is not considered.

    Raises:
        ModelError: If a named backbone cannot be had, or one is named twice.
    """
    if names != "auto":
        if len(set(names)) < len(names):
            raise ModelError("model.candidates names a model twice: name each once.")
        return [choose_checkpoint([name], offline=offline) for name in names], []
    offline = is_offline_mode() if offline is None else offline
    unreachable = "the Hub is switched off" if offline else ""
    considered: list[Checkpoint] = []
    hub: list[Checkpoint] = []
    left_out: list[ExcludedModel] = []
    for backbone in CATALOGUE.values():
        try:
            (considered if backbone.packaged else hub).append(
                _from_catalogue(backbone, max_params, unreachable)
            )
        except HubError as error:
            # The Hub is asked once, not once a model: each silence costs seconds.
            unreachable = str(error)
            left_out.append(_out_of_reach(backbone, unreachable))
        except ModelError as error:
            left_out.append(ExcludedModel(backbone.name, str(error)))
    considered += [
        Checkpoint(name, str(folder), True, f"{name} comes with hf-vft.")
        for name, folder in embedded().items()
    ]
    considered += hub
    return considered or [_last_resort()], left_out


def _from_catalogue(backbone: Backbone, max_params: int | None, unreachable: str) -> Checkpoint:
    """An entry of the catalogue, from the cache or the Hub.

    Raises:
        ModelError: Why it is not considered.
        HubError: If the Hub does not answer.
    """
    name = backbone.name
    if max_params is not None and backbone.millions * MILLION > max_params:
        raise ModelError(f"{backbone.millions:g} million parameters, over search.max_params")
    if backbone.packaged:
        folder = packaged_folder(name)
        return Checkpoint(name, str(folder), True, f"{name} comes with the extra imagenet.")
    cached = cached_folder(name)
    if cached is not None:
        return Checkpoint(name, str(cached), True, f"{name} is in the local cache.")
    if unreachable:
        raise ModelError(_out_of_reach(backbone, unreachable).reason)
    if not backbone.shortlisted:
        raise ModelError("not in the local cache; name it in model.candidates to download it")
    check_hub(name)
    return Checkpoint(name, name, True, f"{name} comes from the Hub.")


def _out_of_reach(backbone: Backbone, why: str) -> ExcludedModel:
    return ExcludedModel(backbone.name, f"not in the local cache, and {why}")


def _last_resort() -> Checkpoint:
    name = next(iter(SCRATCH))
    return Checkpoint(
        name, name, False, f"Nothing pre-trained can be had: {name} is trained FROM SCRATCH."
    )
