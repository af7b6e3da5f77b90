"""VL-Rethinker (arXiv 2504.08837): forced rethinking and selective sample replay. RL alone.

A share of the finished responses is continued after a trigger, so that the policy checks itself. Groups without a
difference in reward are replaced by earlier groups, drawn in proportion to their largest advantage, to the power of
`alpha`.
Left out: replay of single samples (whole groups are replayed, so that advantages stay those of a group); the loss of
imitation on rethinking that ends in a right answer. The groups to replay are not in checkpoints. The defaults are ours.
"""

import random
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from trl import GRPOConfig, GRPOTrainer

TRIGGERS = ("Wait, is this right? Let me check.", "Wait, I may have made a mistake.", "Wait, does it fit the image?")


@dataclass
class RethinkerConfig(GRPOConfig):
    forced: float = 0.5
    alpha: float = 1.0
    remembered: int = 512


class Rethinker(GRPOTrainer):
    config_class: ClassVar[type] = RethinkerConfig
    past: tuple[list[Any], ...] = ()

    def _generate_single_turn(self, prompts: Any, images: Any, fields: Any, *others: Any, **named: Any) -> Any:
        first, logprobs = super()._generate_single_turn(prompts, images, fields, *others, **named)
        forced = (torch.rand(len(first)) < self.args.forced).tolist()
        trigger = self._tokenizer(" " + random.Random(self.state.global_step).choice(TRIGGERS))["input_ids"]
        begun = [ids[:-1] + trigger if ids[-1] in self.eos_token_ids else ids for ids in first]
        fields = {
            name: [row + [0] * len(ids) for row, ids in zip(value, begun, strict=True)]
            if isinstance(value, list) and isinstance(value[0], list)  # of each token
            else value
            for name, value in fields.items()
        }
        longer = [list(prompt) + ids for prompt, ids in zip(prompts, begun, strict=True)]
        more, scores = super()._generate_single_turn(longer, images, fields, *others, **named)
        for row, (ids, start) in enumerate(zip(first, begun, strict=True)):
            if forced[row] and ids[-1] in self.eos_token_ids and len(start) < self.max_completion_length:
                first[row] = (start + more[row])[: self.max_completion_length]
                if logprobs is not None:  # the policy has not chosen the trigger
                    known = logprobs[row][:-1] + [None] * len(trigger) + scores[row]
                    logprobs[row] = known[: self.max_completion_length]
        return first, logprobs

    def replay(self, kept: list[list[Any]], missing: int) -> list[list[Any]]:
        chance = random.Random(f"{self.args.seed}/{self.state.global_step}")
        drawn = chance.choices(self.past, [self._weight(group) for group in self.past], k=missing) if self.past else []
        self.past = (*self.past, *kept)[-self.args.remembered :]
        return drawn

    def _weight(self, group: list[Any]) -> float:
        rewards = torch.stack([each.rewards.nansum() for each in group])
        return float(((rewards - rewards.mean()).abs() / (rewards.std() + 1e-4)).max() ** self.args.alpha)
