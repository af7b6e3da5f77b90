"""PAPO (arXiv 2507.06448): what the policy writes must become less likely where the image is masked.

The KL divergence between the policy on the image and on a masked copy of it is maximised, with the weight `perception`,
and the entropies of both are minimised, with the weight `entropy` (the implicit perception loss and the double
entropy loss, with the weights of the authors' script for 7B without a reference model, MikeWangWZHL/PAPO). RL alone.
Left out: image processors that do not give patches as rows, as those of Qwen-VL do.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from trl import GRPOConfig, GRPOTrainer

IMAGES = ("image_grid_thw", "num_images", "mm_token_type_ids")


@dataclass
class PapoConfig(GRPOConfig):
    perception: float = 0.01
    entropy: float = 0.03
    masked: float = 0.6


class Papo(GRPOTrainer):
    config_class: ClassVar[type] = PapoConfig

    def _get_per_token_logps_and_entropies(self, *given: Any, **fields: Any) -> Any:
        self._seen = super()._get_per_token_logps_and_entropies(*given, **fields)
        return self._seen

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
        loss = super()._compute_loss(model, inputs)
        if "pixel_values" not in inputs:
            return loss
        clear, certain, _ = self._seen
        patches, mask = inputs["pixel_values"], inputs["completion_mask"]
        blind, uncertain, _ = super()._get_per_token_logps_and_entropies(
            model,
            torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1),
            torch.cat([inputs["prompt_mask"], mask], dim=1),
            mask.size(1),
            compute_entropy=True,
            pixel_values=patches * (torch.rand(len(patches), 1, device=patches.device) >= self.args.masked),
            **{name: inputs[name] for name in IMAGES if name in inputs},
        )
        difference = (blind - clear).clamp(-20, 20)
        divergence = difference.exp() - difference - 1  # Schulman's k3, as for the reference model
        term = self.args.entropy * (certain + uncertain) - self.args.perception * divergence
        perceived = (term * mask).sum() / mask.sum().clamp(min=1)
        self._metrics["train"]["papo/kl"].append(((divergence * mask).sum() / mask.sum().clamp(min=1)).item())
        self._metrics["train"]["papo/loss"].append(perceived.item())
        return loss + perceived / self.current_gradient_accumulation_steps
