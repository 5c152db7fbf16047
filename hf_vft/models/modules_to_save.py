"""The parts of a head that peft copies, trains and saves whole, and keeping tied copies one.

peft takes each name in ``modules_to_save`` for the end of a name, wraps every module that it
matches and cannot wrap lists. It copies each module on its own: of two modules that share their
weights only one would learn. So all of them are named here, and their copies share again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from peft import PeftModel
from peft.utils import ModulesToSaveWrapper
from torch import nn

from hf_vft.errors import ModelError
from hf_vft.models.structure import anatomy
from hf_vft.models.tied import tie_parameters

CONTAINERS = (nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)
"""What peft refuses to wrap."""


def modules_to_save(model: nn.Module) -> list[str]:
    """Names of the modules of the head, as peft has to be told which to train and save whole.

    Where a name would also match something else, or is a list's, its parts are named.

    Args:
        model: Not wrapped.

    Raises:
        ModelError: If a part of the head has no name that matches the head alone.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    chosen = [name for name in anatomy(model).head if name in modules and _has_state(modules[name])]
    while split := next((name for name in chosen if _is_split(name, chosen, modules)), None):
        parts = [name for name in _children(split, modules) if _has_state(modules[name])]
        if not parts:
            raise ModelError(_ambiguous(model, split, chosen, modules))
        chosen = [name for module in chosen for name in (parts if module == split else [module])]
    return chosen


def parameters_left(model: nn.Module) -> list[str]:
    """Names of the head's parameters outside of all modules that peft copies.

    Args:
        model: Not wrapped.

    Raises:
        ModelError: As `modules_to_save` does.
    """
    head, covered = _below(anatomy(model).head), _below(modules_to_save(model))
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    return [
        name for name in names if f"{name}.".startswith(head) and not f"{name}.".startswith(covered)
    ]


def tie_copies(adapted: PeftModel, tied: Iterable[list[str]]) -> None:
    """Let the copies share what the modules shared that they were made of, in place.

    Args:
        adapted: Just wrapped.
        tied: From `tied_parameters` of the plain model.
    """
    core: Any = adapted.get_base_model()
    for names in tied:
        copies = [copy for name in names if (copy := _copy_of(core, name, adapted.active_adapter))]
        tie_parameters(core, [copies] if copies else [])


def _copy_of(core: nn.Module, parameter: str, adapter: str) -> str | None:
    """The name of the copy of a parameter, if there is one."""
    parts = parameter.split(".")
    for length in range(1, len(parts)):
        wrapper, rest = ".".join(parts[:length]), ".".join(parts[length:])
        if isinstance(core.get_submodule(wrapper), ModulesToSaveWrapper):
            return f"{wrapper}.modules_to_save.{adapter}.{rest}"
    return None


def _is_split(name: str, chosen: list[str], modules: Mapping[str, nn.Module]) -> bool:
    """Whether the parts of a module have to be named, since its name does not do."""
    if _unusable(name, chosen, modules):
        return True
    # Another name's match inside it would be a copy within a copy.
    inside = [key for key in modules if key.startswith(f"{name}.")]
    others = tuple(other for other in chosen if other != name)
    return any(key.endswith(others) for key in inside)


def _unusable(name: str, chosen: list[str], modules: Mapping[str, nn.Module]) -> list[str]:
    """What peft would wrap by this name and cannot, or should not since it is not of the head."""
    head = _below(chosen)
    return [
        key
        for key in modules
        if key.endswith(name)
        and (isinstance(modules[key], CONTAINERS) or not f"{key}.".startswith(head))
    ]


def _ambiguous(
    model: nn.Module, name: str, chosen: list[str], modules: Mapping[str, nn.Module]
) -> str:
    other = next(iter(_unusable(name, chosen, modules)), name)
    return (
        f"LoRA on {type(model).__name__}: peft takes {name}, a part of the head, for the end of "
        f"{other} too, so the adapter could not be saved; leave model.lora out."
    )


def _children(name: str, modules: Mapping[str, nn.Module]) -> list[str]:
    return [f"{name}.{child}" for child, _ in modules[name].named_children()]


def _has_state(module: nn.Module) -> bool:
    return bool(module.state_dict())


def _below(names: Iterable[str]) -> tuple[str, ...]:
    """Prefixes of everything that is, or lies under, one of the names."""
    return tuple(f"{name}." for name in names)
