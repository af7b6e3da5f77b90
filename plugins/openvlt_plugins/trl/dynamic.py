"""Dynamic sampling: prompts whose responses all have the same reward are replaced before the update they would waste.

The method is DAPO's (arXiv 2503.14476, section 3.2), with a bound on the rounds. TRL generates, scores and prepares a
batch in one call; so the responses of all rounds are made first, by TRL's own methods, and its call then finds those
that are kept.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """A response, with all that TRL needs to learn from it.

    Attributes:
        row: of the dataset.
        prompt_ids: tokens of its prompt.
        completion_ids: its own tokens.
        completion: its text, as a chat.
        logprobs: of its tokens, from vLLM; None from transformers.
        images: that the loss shows with it.
        rewards: by reward function; NaN where one gave none.
        extras: columns that reward functions logged.
    """

    row: dict[str, Any]
    prompt_ids: list[int]
    completion_ids: list[int]
    completion: Any
    logprobs: list[float] | None
    images: list[Any]
    rewards: Any
    extras: dict[str, Any]


def differ(group: Sequence[Response]) -> bool:
    """Whether the rewards of a group differ, so that there is something to learn from it."""
    known = {float(each.rewards.nansum()) for each in group if not bool(each.rewards.isnan().all())}
    return len(known) > 1


_Trainer: Any = object


class Resampling(_Trainer):  # type: ignore[misc]
    """Goes before a subclass of TRL's `GRPOTrainer`, and replaces groups without a difference in reward.

    Where the subclass has a method ``replay(kept, missing)``, it is given the groups that are kept, and may return up
    to `missing` further ones, such as groups of earlier batches. What is still missing is filled with groups without
    a difference. All processes do the same number of rounds, with as many prompts.

    Attributes:
        rounds: most times that new prompts are drawn for a batch.
        reserve: a dataset that has each example once.
        order: the index of the example in each of its rows.
    """

    rounds: int
    reserve: Any
    order: Sequence[int]
    _recorded: Sequence[Response] = ()

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> Any:
        self._recorded = [each for group in self._groups(inputs) for each in group]
        try:
            return super()._generate_and_score_completions([each.row for each in self._recorded])
        finally:
            self._recorded = ()

    def _generate(self, prompts: list[Any]) -> Any:
        if not self._recorded:
            return super()._generate(prompts)
        images = [each.images for each in self._recorded]
        logprobs = [each.logprobs for each in self._recorded]
        return (
            [each.prompt_ids for each in self._recorded],
            [each.completion_ids for each in self._recorded],
            None,
            [each.completion for each in self._recorded],
            None if logprobs[0] is None else logprobs,
            {},
            images if any(images) else None,
            [],
        )

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, ids: Any) -> Any:
        if not self._recorded:
            return super()._calculate_rewards(inputs, prompts, completions, ids)
        import torch

        for column in self._recorded[0].extras:
            self._pending_extra_logs[column] = [each.extras.get(column) for each in self._recorded]
        return self.accelerator.gather(torch.stack([each.rewards for each in self._recorded]))

    def _groups(self, inputs: Sequence[Mapping[str, Any]]) -> list[list[Response]]:
        """As many groups as the batch has, those with a difference first."""
        groups = self._answered(inputs)
        wanted, kept = len(groups), [group for group in groups if differ(group)]
        waiting = self._others({row["index"] for row in inputs})
        for _ in range(self.rounds):
            missing = self._each_process(wanted - len(kept), -len(waiting))
            number = int(min(missing[:, 0].max(), -missing[:, 1].max()))
            if not number:
                break
            drawn, waiting = waiting[:number], waiting[number:]
            rows = [row for at in drawn for row in [self.reserve[at]] * self.num_generations]
            kept += [group for group in self._answered(rows) if differ(group)]
        own = min(wanted, len(kept))
        if hasattr(self, "replay"):
            kept = kept[:wanted] + list(self.replay(kept[:wanted], wanted - own))[: wanted - own]
        left = max(0, wanted - len(kept))
        replaced, unlearnable = self._each_process(own - sum(map(differ, groups)), left).sum(dim=0).tolist()
        self._metrics["train"]["groups/replaced"].append(replaced)
        self._metrics["train"]["groups/without_difference"].append(unlearnable)
        return (kept + [group for group in groups if not differ(group)])[:wanted]

    def _each_process(self, *numbers: int) -> Any:
        """Numbers of all processes, one row for each."""
        import torch

        return self.accelerator.gather(torch.tensor([numbers], device=self.accelerator.device))

    def _others(self, seen: set[int]) -> list[int]:
        """Rows of other examples, in an order of this step; each process has a part of its own."""
        rows = list(range(len(self.order)))
        random.Random(f"{self.args.seed}/{self.state.global_step}").shuffle(rows)
        mine = rows[self.accelerator.process_index :: self.accelerator.num_processes]
        return [row for row in mine if self.order[row] not in seen]

    def _answered(self, rows: Sequence[Mapping[str, Any]]) -> list[list[Response]]:
        """Generate and score the responses to rows, by groups."""
        from trl.data_utils import prepare_multimodal_messages

        prompts = [row["prompt"] for row in rows]
        if any(row.get("images") for row in rows):
            prompts = [prepare_multimodal_messages(row["prompt"], images=row["images"]) for row in rows]
        prompt_ids, ids, _, completions, logprobs, _, images, _ = super()._generate(prompts)
        rewards = super()._calculate_rewards(rows, prompts, completions, ids)
        local = rewards[self.accelerator.process_index * len(rows) :]
        extras = {column: list(values) for column, values in self._pending_extra_logs.items()}
        self._pending_extra_logs.clear()
        made = [
            Response(
                dict(row), prompt_ids[at], ids[at], completions[at], logprobs and logprobs[at],
                (images and images[at]) or [], local[at], {column: extras[column][at] for column in extras},
            )
            for at, row in enumerate(rows)
        ]  # fmt: skip
        return [made[at : at + self.num_generations] for at in range(0, len(made), self.num_generations)]


def resampling(base: Any, rounds: int, reserve: Any, order: Sequence[int]) -> Any:
    """A trainer class with the methods of `Resampling` before those of `base`."""
    return type(base.__name__, (Resampling, base), {"rounds": rounds, "reserve": reserve, "order": order})
