"""The parts of a model: found by what transformers says of it, frozen, adapted, and kept out of the backward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from openvlt import UsageError

FROZEN = ("vision", "projector")
"""Parts that can be frozen, and are where a recipe names none; the third is ``language``."""


def parts(policy: Any) -> Mapping[str, str]:
    """The part of each parameter, by its name.

    ``language`` is transformers' `get_decoder` and the output embedding; ``vision`` its `get_encoder("image")`, and any
    other whole model beside the two (for sound, for high resolutions); ``projector`` all that is neither. Where nothing
    is, the tower ends in the projector: modules that transformers calls mergers (Qwen-VL, GLM-V).

    Raises:
        UsageError: transformers does not say where the tower or the language model is.
    """
    from transformers import PreTrainedModel

    tower, all_ids = _tower(policy), _ids(policy)
    language, vision = _ids(policy.get_decoder()) | _ids(policy.get_output_embeddings()), _ids(tower)
    for module in (*policy.children(), *policy.base_model.children()):
        if isinstance(module, PreTrainedModel) and not _ids(module) & (language | vision):
            vision |= _ids(module)
    config = policy.config
    sees = getattr(config, "vision_config", None) is not None
    if not vision and not sees and config.get_text_config() is config:
        language = all_ids
    projector = all_ids - language - vision
    if config.is_encoder_decoder or language & vision or (not vision and (sees or projector)):
        raise UsageError(
            f"The parts of {type(policy).__name__} cannot be told apart: transformers does not say which are its "
            "vision tower and its language model.",
            "Set freeze: [] and lora_rank: 0 to train all of it, or choose another model.",
        )
    if tower is not None and not projector:
        projector = {each for name, module in tower.named_children() if "merger" in name for each in _ids(module)}
    part = {**dict.fromkeys(language, "language"), **dict.fromkeys(vision, "vision")}
    part |= dict.fromkeys(projector, "projector")
    return {name: part[id(each)] for name, each in policy.named_parameters(remove_duplicate=False)}


def freeze(policy: Any, names: Sequence[str] | None) -> None:
    """Freeze parts of a model.

    Args:
        policy: a model of transformers.
        names: of `FROZEN`; None for those of them that it has.

    Raises:
        UsageError: the model has no such part, or its parts cannot be told apart.
    """
    if names is not None and not names:
        return
    part = parts(policy)
    for name in names or ():
        if name not in part.values():
            raise UsageError(
                f"The option freeze names {name}, which {type(policy).__name__} does not have.",
                "Remove it, or leave the option out: then whatever the model has beside its language model is frozen.",
                "freeze",
            )
    for name, parameter in policy.named_parameters():
        if part[name] in (FROZEN if names is None else names):
            parameter.requires_grad_(False)


def adapters(policy: Any, rank: int, targets: Sequence[str], frozen: Sequence[str] | None) -> Any:
    """The LoRA configuration for linear layers of the parts that are not frozen, or None for full training.

    The output embedding has none, as in PEFT's ``all-linear``, which by itself would adapt the vision tower, frozen or
    not.

    Args:
        policy: a model of transformers.
        rank: of the adapters; 0 for full training.
        targets: last names of the layers, such as ``q_proj``; all if there are none.
        frozen: see `freeze`.

    Raises:
        UsageError: no layer has such a name, or the parts of the model cannot be told apart.
    """
    if not rank:
        return None
    import torch
    from peft import LoraConfig

    part, kept = parts(policy), FROZEN if frozen is None else frozen
    layers = [
        name
        for name, module in policy.named_modules()
        if isinstance(module, torch.nn.Linear)
        and module is not policy.get_output_embeddings()
        and part[f"{name}.weight"] not in kept
    ]
    known = sorted({name.rpartition(".")[2] for name in layers})
    for target in targets:
        if target not in known:
            near = get_close_matches(target, known, n=1)
            raise UsageError(
                f"The option lora_targets names {target}, but no linear layer that is trained is called so.",
                f"Did you mean '{near[0]}'?" if near else f"Choose among {', '.join(known)}.",
                "lora_targets",
            )
    chosen = [name for name in layers if not targets or name.rpartition(".")[2] in targets]
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=chosen, task_type="CAUSAL_LM")


def frozen_modules(policy: Any) -> list[Any]:
    """The largest modules of a frozen vision tower that are frozen as a whole: all of it, or its blocks where the
    projector at its end is trained."""
    import torch

    trained = [name for name, parameter in policy.named_parameters() if parameter.requires_grad]
    tower = _tower(policy)
    if tower is None or len(trained) == len(list(policy.parameters())):
        return []
    part = parts(policy)
    waiting = [] if any(part[name] == "vision" for name in trained) else [tower]
    found = []
    while waiting:
        module = waiting.pop()
        flags = {parameter.requires_grad for parameter in module.parameters()}
        if True in flags or isinstance(module, torch.nn.ModuleList):
            waiting += module.children()
        elif flags:  # else it has no parameters, such as an activation, maybe of the projector
            found.append(module)
    return found


def frozen_without_gradients(policy: Any) -> None:
    """Run what `frozen_modules` finds under `torch.no_grad`.

    Their inputs are pixels, so that no parameter's gradient passes through them; but with gradient checkpointing
    transformers makes the embedding of patches require gradients, and the whole tower is computed again for nothing.
    """
    import torch

    for module in frozen_modules(policy):
        module.forward = torch.no_grad()(module.forward)


def _tower(policy: Any) -> Any:
    """transformers' encoder of images, None if it has none."""
    found = policy.get_encoder("image")
    return None if found is policy or found is policy.base_model else found


def _ids(module: Any) -> set[int]:
    return {id(parameter) for parameter in module.parameters()} if module is not None else set()
