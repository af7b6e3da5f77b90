"""Group-relative policy optimisation with TRL's GRPOTrainer and the recipe's rewards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from math import gcd
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Interval, Le

from openvlt import (
    Claim,
    Completion,
    MaxTokens,
    Memory,
    ModelShape,
    Option,
    Reads,
    TopP,
    TrainJob,
    UsageError,
    Workload,
    parse,
    visible_gpus,
)
from openvlt_plugins.trl import dataset, dynamic, hours, imports, memory, rollouts
from openvlt_plugins.trl.trainer import LearningRate, Schedule, TrlTrainer, Warmup, WeightDecay


@dataclass(frozen=True)
class Grpo(TrlTrainer):
    """Reinforces the responses that the verifiers reward.

    The defaults are those of OpenVLThinker's released scripts (EasyR1 configuration and ``*.sh`` of
    yihedeng9/OpenVLThinker, ``train/easyr1/examples``), except that `top_p` is 1 and not 0.99: below 1, vLLM's
    log-probabilities are renormalised and the trainer's are not.
    """

    reads: ClassVar[Reads] = "prompts"
    rewarded: ClassVar[bool] = True
    method: ClassVar[str] = "GRPO"

    learning_rate: LearningRate = 1e-6
    steps: Annotated[int | None, Ge(1), Option("generations; overrides epochs", unit="generations")] = None
    epochs: Annotated[int, Ge(1), Option("passes over the prompts")] = 5
    prompts: Annotated[int, Ge(1), Option("prompts per generation, over all processes", unit="prompts")] = 512
    generations: Annotated[int, Ge(2), Option("responses sampled per prompt: a group", unit="responses")] = 5
    batch: Annotated[int, Ge(1), Option("responses per update, over all processes", unit="responses")] = 640
    device_batch: Annotated[int, Ge(1), Option("responses a device holds at once", unit="responses")] = 2
    temperature: Annotated[float, Gt(0), Option("of the rollouts")] = 1.0
    top_p: TopP = 1.0
    max_tokens: MaxTokens = 2048
    beta: Annotated[float, Ge(0), Option("weight of the KL term in the loss")] = 0.01
    epsilon: Annotated[float, Interval(gt=0, lt=1), Option("clip range below")] = 0.2
    epsilon_high: Annotated[float, Gt(0), Option("clip range above")] = 0.3
    delta: Annotated[float | None, Gt(1), Option("dual clip of the ratio for negative advantages")] = 3.0
    loss_type: Annotated[
        Literal["grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "vespo"],
        Option("how the loss is averaged; bnpo is the mean over the tokens of a batch"),
    ] = "bnpo"
    scale_rewards: Annotated[
        Literal["group", "batch", "none"], Option("standard deviation that advantages are divided by")
    ] = "group"
    dynamic_sampling: Annotated[
        int, Ge(0), Option("most times that prompts without a difference in reward are replaced before an update")
    ] = 0
    schedule: Schedule = "constant"
    warmup: Warmup = 0.0
    weight_decay: WeightDecay = 0.01
    vllm: Annotated[
        Literal["off", "colocate", "server"], Option("where vLLM generates the rollouts; off for transformers")
    ] = "off"
    vllm_url: Annotated[
        str | None, Option("address of a vLLM server; if unset, one is started for the training", affects_output=False)
    ] = None
    vllm_memory: Annotated[
        float | None, Gt(0), Le(1), Option("share of a GPU that vLLM takes; if unset 0.3, of a server's own GPUs 0.9")
    ] = None
    vllm_tensor_parallel: Annotated[
        int | None, Ge(1), Option("GPUs that each layer of vLLM is split over, and that its server has; 1 if unset")
    ] = None
    vllm_sleep: Annotated[
        bool | None, Option("whether a colocated vLLM gives its memory back during an update; true if unset")
    ] = None
    importance_correction: Annotated[
        Literal["off", "token_truncate", "token_mask", "sequence_truncate", "sequence_mask"] | None,
        Option("how the loss weighs what vLLM found likelier or unlikelier than the policy; token_truncate if unset"),
    ] = None
    slow_rollouts: Annotated[
        bool, Option("let transformers generate with a model of any size", affects_output=False)
    ] = False
    save_every: Annotated[
        int, Ge(1), Option("generations between checkpoints", unit="generations", affects_output=False)
    ] = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if problems := list(self._vllm_problems()):
            raise UsageError(" ".join(each.problem for each in problems), " ".join(each.remedy for each in problems))
        if self.devices != "auto":
            self.check_split(self.world)

    def check_batch(self, world: int) -> None:
        if self.prompts % world:
            below = self.prompts // world * world
            possible = [self._batches(each, world) for each in (below, below + world) if each]
            raise UsageError(
                f"GRPO would split groups of {self.generations} responses over {world} processes.",
                "Choose prompts as a multiple of devices, so that each group is on one process, such as "
                f"{', or '.join(possible)}.",
            )
        rollouts = self.prompts * self.generations
        if rollouts % self.batch or self.batch % (self.device_batch * world):
            batch, held = self._divided(self.prompts, world)
            raise UsageError(
                f"GRPO cannot divide {rollouts} responses (prompts x generations) into batches of {self.batch}, and "
                f"these into micro-batches of {self.device_batch} on each of {world} devices.",
                "Choose batch as a divisor of prompts x generations and a multiple of device_batch x devices, such as "
                f"{batch} with device_batch: {held}.",
            )

    def _divided(self, prompts: int, world: int) -> tuple[int, int]:
        """The `batch` and `device_batch` closest to these that so many processes can divide."""
        rollouts = prompts * self.generations
        held = max(each for each in range(1, self.device_batch + 1) if rollouts % (each * world) == 0)
        batches = [each for each in range(held * world, rollouts + 1, held * world) if rollouts % each == 0]
        return min(batches, key=lambda each: abs(each - self.batch)), held

    def _batches(self, prompts: int, world: int) -> str:
        """A number of prompts with what else has to be changed for it: ``510 with batch: 510 and device_batch: 1``."""
        batch, held = self._divided(prompts, world)
        changes = {"batch": batch, "device_batch": held}
        told = [f"{name}: {value}" for name, value in changes.items() if value != getattr(self, name)]
        return f"{prompts} with {' and '.join(told)}" if told else str(prompts)

    def check_split(self, world: int) -> None:
        """Refuse to split vLLM over more GPUs than there are processes, or over a part of them."""
        if self.vllm == "colocate" and world % self.tensor_parallel:
            raise UsageError(
                f"vLLM cannot be split over {self.tensor_parallel} of {world} devices (option vllm_tensor_parallel).",
                f"Choose a divisor of devices x nodes, such as {gcd(world, self.tensor_parallel)}.",
            )

    def _vllm_problems(self) -> Iterator[UsageError]:
        """Options of vLLM that have no effect, lack another, or bias the training: all at once."""
        ours = ("colocate",) if self.vllm_url else ("colocate", "server")
        modes = {
            "vllm_url": ("server",), "vllm_sleep": ("colocate",), "vllm_memory": ours, "vllm_tensor_parallel": ours,
            "importance_correction": ("colocate", "server"),
        }  # fmt: skip
        given = {name: own for name, own in modes.items() if getattr(self, name) is not None}
        idle = [name for name, own in given.items() if self.vllm not in own]
        if idle:
            told = " of others (vllm_url)" if self.vllm == "server" and self.vllm_url else ""
            one, them = len(idle) == 1, " and ".join(", ".join(idle).rsplit(", ", 1))
            able = [mode for mode in ("colocate", "server") if all(mode in own for own in given.values())]
            remove = "remove it" if one else "remove them"
            yield UsageError(
                f"The option{'' if one else 's'} {them} {'has' if one else 'have'} no effect with vllm: "
                f"{self.vllm}{told}.",
                f"Set vllm: {' or '.join(able)}, or {remove}." if able else f"{remove.capitalize()}.",
            )
        if self.vllm_url and not re.fullmatch(r"https?://[^/\s]+/?", self.vllm_url):
            yield UsageError(
                f"The option vllm_url is {self.vllm_url!r}, which is no address of a server.",
                "Write it as http://HOST:8000.",
            )
        if self.slow_rollouts and self.vllm != "off":
            yield UsageError("The option slow_rollouts has no effect with vLLM.", "Remove it, or set vllm: off.")
        if self.server_devices() and (self.devices == "auto" or self.nodes > 1):
            fitting = (n for n in range(1, 9) if not (self.prompts % n or self.batch % (self.device_batch * n)))
            numbers = ", ".join(map(str, fitting))
            possible = numbers and f" ({numbers} divide prompts and batch)"
            yield UsageError(
                "A vLLM server is started on GPUs of this machine that the training leaves it.",
                f"Set devices to the number of the others{possible}, nodes to 1 and vllm_tensor_parallel to the number "
                "of the server's GPUs; or start a server and give its vllm_url.",
            )
        if self.vllm != "off" and self.top_p < 1 and self.importance_correction != "off":
            yield UsageError(
                f"The importance correction of vLLM's responses is biased by top_p: {self.top_p:g}: the probabilities "
                "of vLLM are those among the likeliest tokens alone.",
                "Set top_p: 1, or importance_correction: off.",
            )
        if self.loss_type == "vespo" and self.vllm != "off" and "sequence" in (self.importance_correction or ""):
            yield UsageError(
                f"The loss vespo takes no importance_correction: {self.importance_correction}, as its own weights are "
                "of sequences.",
                "Set importance_correction: token_truncate, token_mask or off.",
            )

    def check_model(self, config: Mapping[str, Any]) -> None:
        """vLLM splits attention by heads (vllm-project/vllm, ``ModelConfig.verify_with_parallel_config``)."""
        super().check_model(config)
        text = config.get("text_config")
        heads = (text if isinstance(text, dict) else config).get("num_attention_heads")
        if self.vllm != "off" and isinstance(heads, int) and heads % self.tensor_parallel:
            raise UsageError(
                f"vLLM cannot split the model's {heads} attention heads over {self.tensor_parallel} GPUs (option "
                "vllm_tensor_parallel).",
                f"Choose a divisor of {heads}.",
                "vllm_tensor_parallel",
            )

    @property
    def tensor_parallel(self) -> int:
        return self.vllm_tensor_parallel or 1

    @property
    def engine_share(self) -> float:
        """Of a GPU's memory; the defaults are TRL's."""
        return self.vllm_memory or (0.9 if self.vllm == "server" else 0.3)

    @property
    def sleeps(self) -> bool:
        return self.vllm_sleep is not False

    def batch_rows(self) -> int:
        return self.prompts

    def server_devices(self) -> int:
        return self.tensor_parallel if self.vllm == "server" and not self.vllm_url else 0

    def memory(self, shape: ModelShape, work: Workload) -> Memory | None:
        if work.gpus.count:
            self.check_split(memory.device_count(self, work))
        if self.vllm == "off" and not self.slow_rollouts and shape.parameters > rollouts.LARGEST:
            raise UsageError(
                f"GRPO would generate with transformers, one token of all responses at a time, and the model has "
                f"{shape.parameters / 1e9:.1f} billion parameters, more than {rollouts.LARGEST / 1e9:g}.",
                "Set vllm: colocate, or slow_rollouts: true to wait for it.",
            )
        terms = memory.needed(
            self, shape, work, sequences=self.device_batch, reply=self.max_tokens, reference=self.beta > 0
        )
        return terms | {"rollouts": memory.rollouts(self, shape, work, terms)}

    def server_memory(self, shape: ModelShape, work: Workload) -> Memory | None:
        return memory.server(self, shape, work) if self.server_devices() else None

    def memory_note(self, shape: ModelShape | None, work: Workload) -> str:
        if not (self.vllm_url and shape):
            return ""
        held = memory.server(self, shape, work)
        return (
            f"The vLLM server of vllm_url runs on GPUs of its own, which hold {held['weights'] / 1e9:.1f} GB of "
            f"weights and {held['cache'] / 1e9:.1f} GB of keys and values for each of the longest responses."
        )

    def hours(self, shape: ModelShape, work: Workload, rows: int) -> float | None:
        """With responses of the most tokens, and without the time of rewards; rollouts and updates take turns."""
        responses = self._generations(rows) * self.prompts * self.generations
        # TRL asks the policy once more where it has several updates a generation, or corrects for vLLM.
        again = self.updates > 1 or (self.vllm != "off" and self.importance_correction != "off")
        updates = hours.of_passes(
            self, shape, work, rows=responses, reply=self.max_tokens, forward=again + (self.beta > 0)
        )
        written = responses * (1 + self.dynamic_sampling)
        return None if updates is None else updates + hours.of_rollouts(self, shape, work, written)

    def savings(self) -> Sequence[Mapping[str, Any]]:
        asleep = [] if self.sleeps else [{"vllm_sleep": True}]
        shares: list[Mapping[str, Any]] = [
            {"vllm_memory": share} for share in (0.45, 0.3) if share < (self.vllm_memory or 1)
        ]
        engine = {"off": [*shares, {"vllm": "colocate"}], "colocate": [*asleep, *shares], "server": []}[self.vllm]
        return [*memory.SAVINGS[:2], *engine, *memory.SAVINGS[2:]]

    @property
    def updates(self) -> int:
        return self.prompts * self.generations // self.batch

    def check_machine(self) -> None:
        super().check_machine()
        self.check_split(self.world)
        if self.vllm != "off" and find_spec("vllm") is None:
            raise UsageError(
                f"The option vllm: {self.vllm} needs the package vllm, which is not installed.",
                "Run: pip install 'openvlt[vllm]'",
            )
        if self.vllm != "off" and not visible_gpus():
            raise UsageError(f"The option vllm: {self.vllm} needs a GPU, and this machine has none.", "Leave it out.")

    def responses(self, job: TrainJob) -> dict[str, Any]:
        return {"response": self.max_tokens}

    def classes(self) -> tuple[Any, Any, dict[str, Any]]:
        with nullcontext() if self.vllm != "off" else imports.without_vllm():
            return super().classes()

    def trainer(self, job: TrainJob, base: Any, **shared: Any) -> Any:
        trainer_class = rollouts.trainer_class(base)
        processor, model, settings = shared["processing_class"], shared["model"], shared["args"]
        if self.dynamic_sampling or hasattr(base, "replay"):
            count = len(job.examples())
            order, reserve = dataset.in_epochs(count, count, job.seed), dataset.lazy(job, count, processor)
            trainer_class = dynamic.resampling(trainer_class, self.dynamic_sampling, reserve, order)
        if self.server_devices():
            rollouts.start_server(job, model, processor, settings)
        with rollouts.colocated(model, processor, settings) if self.vllm == "colocate" else nullcontext():
            trainer = trainer_class(
                reward_funcs=_reward(job, lambda: trainer.eos_token_ids),
                train_dataset=dataset.lazy(job, self._generations(len(job.examples())) * self.prompts, processor),
                **shared,
            )
        return trainer

    def _generations(self, rows: int) -> int:
        return self.steps or max(1, rows * self.epochs // self.prompts)

    def fields(self, job: TrainJob, processor: Any, longest: int) -> dict[str, Any]:
        return {
            "max_steps": self._generations(len(job.examples())) * self.updates,
            "shuffle_dataset": False,
            # TRL 1.16 gathers images for its log, and waits for ever for processes that have none.
            "log_multimodal": False,
            "generation_batch_size": self.prompts * self.generations,
            "num_generations": self.generations,
            "num_iterations": 1,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_completion_length": self.max_tokens,
            "beta": self.beta,
            "epsilon": self.epsilon,
            "epsilon_high": self.epsilon_high,
            "delta": self.delta,
            "loss_type": self.loss_type,
            "scale_rewards": self.scale_rewards,
            **self._generation(rollouts.forbidden(processor), longest),
            "save_steps": self.save_every * self.updates,
        }

    def _generation(self, forbidden: Sequence[int], longest: int) -> dict[str, Any]:
        """The fields that say where and how responses are generated."""
        if self.vllm == "off":
            return {"generation_kwargs": {"suppress_tokens": list(forbidden)}} if forbidden else {}
        fields: dict[str, Any] = {
            "use_vllm": True,
            "vllm_mode": self.vllm,
            # vLLM has no suppress_tokens; -100 is its lowest bias, and leaves a token a probability below 1e-40.
            "generation_kwargs": {"logit_bias": dict.fromkeys(forbidden, -100.0)} if forbidden else None,
            "vllm_importance_sampling_correction": self.importance_correction != "off",
        }
        if self.importance_correction != "off":
            fields["vllm_importance_sampling_mode"] = self.importance_correction or "token_truncate"
        if self.vllm_url:
            return fields | {"vllm_server_base_url": self.vllm_url}
        return fields | {
            "vllm_gpu_memory_utilization": self.engine_share,
            "vllm_tensor_parallel_size": self.tensor_parallel,
            "vllm_enable_sleep_mode": self.vllm == "colocate" and self.sleeps,
            "vllm_max_model_length": longest,  # else the cache is laid out for the model's whole context
        }


def _reward(job: TrainJob, ends: Callable[[], Sequence[int]]) -> Callable[..., list[float | None]]:
    """The single reward function for TRL, which would add up several and count missing scores as 0."""
    examples = job.examples()

    def reward(
        completions: Sequence[Any], completion_ids: Sequence[Sequence[int]], index: Sequence[int], **context: Any
    ) -> list[float | None]:
        step = context["trainer_state"].global_step
        claims = []
        for completion, ids, number in zip(completions, completion_ids, index, strict=True):
            done = bool(ids) and ids[-1] in ends()
            reply = Completion(
                text=_text(completion), finish_reason="stop" if done else "length", completion_tokens=len(ids)
            )
            trace = parse(reply, job.format)
            claims.append(Claim(trace=trace, example=examples[number], token_ids=tuple(ids), group=f"{step}/{number}"))
        scored = job.reward(claims)
        for name in scored[0].verdicts if scored else ():
            known = [score for row in scored if (score := row.verdicts[name].score) is not None]
            if known:
                context["log_metric"](f"reward/{name}", sum(known) / len(known))
            context["log_extra"](name, [row.verdicts[name].status for row in scored])
        return [row.reward for row in scored]

    return reward


def _text(completion: Any) -> str:
    if isinstance(completion, str):
        return completion
    content = completion[-1]["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)
