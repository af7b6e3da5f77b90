"""NoisyRollout (arXiv 2504.13055): half of a group answers from a distorted image, all of it learns from the clean one.

Noise is that of a diffusion of 1,000 steps, of which the first `noise` are gone at the start; their number decreases by
a sigmoid around the step `midpoint` (values of the scripts of NUS-TRAIL/NoisyRollout). RL alone.
Left out: other distortions than Gaussian noise, which the authors found worse.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from trl import GRPOConfig, GRPOTrainer


@dataclass
class NoisyConfig(GRPOConfig):
    noise: float = 500.0
    steepness: float = 30.0
    midpoint: float = 40.0


def distorted(image: Image.Image, step: int, random: np.random.Generator) -> Image.Image:
    """An image as it is in a step of DDPM's linear schedule (arXiv 2006.11239)."""
    kept = float(np.prod(1 - np.linspace(1e-4, 0.02, 1000)[:step]))
    pixels = np.asarray(image.convert("RGB")) / 127.5 - 1
    noisy = math.sqrt(kept) * pixels + math.sqrt(1 - kept) * random.standard_normal(pixels.shape)
    return Image.fromarray(((noisy.clip(-1, 1) + 1) * 127.5).astype(np.uint8))


class NoisyRollout(GRPOTrainer):
    config_class: ClassVar[type] = NoisyConfig

    def _generate(self, prompts: list[Any]) -> Any:
        args, at = self.args, self.state.global_step
        fallen = 1 / (1 + math.exp(-args.steepness * (at - args.midpoint) / max(1, self.state.max_steps)))
        step, random = int(args.noise * (1 - fallen)), np.random.default_rng((args.seed, at))
        first = self.num_generations // 2
        shown = [
            self._noisy(prompt, step, random) if row % self.num_generations >= first else prompt
            for row, prompt in enumerate(prompts)
        ]
        *made, images, of_tools = super()._generate(shown)
        if images is not None:  # the loss shows the clean ones
            images = [
                [part["image"] for turn in prompt for part in turn["content"] if "image" in part] for prompt in prompts
            ]
        return *made, images, of_tools

    @staticmethod
    def _noisy(prompt: list[dict[str, Any]], step: int, random: np.random.Generator) -> list[dict[str, Any]]:
        def part(found: dict[str, Any]) -> dict[str, Any]:
            return {**found, "image": distorted(found["image"], step, random)} if "image" in found else found

        return [{**turn, "content": [part(each) for each in turn["content"]]} for turn in prompt]
