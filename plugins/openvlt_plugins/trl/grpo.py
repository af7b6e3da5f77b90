"""Group-relative policy optimisation on TRL's GRPOTrainer, rewarded by the recipe's verifiers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from openvlt import Checkpoint, Claim, Completion, DataError, Option, Trainer, TrainJob, UsageError, parse
from openvlt_plugins.trl import dataset, imports, policy, reporting


@dataclass(frozen=True)
class Grpo(Trainer):
    """Reinforces what the verifiers reward.

    The defaults are those of OpenVLThinker's released scripts (EasyR1 configuration and ``*.sh`` of
    yihedeng9/OpenVLThinker, ``train/easyr1/examples``), with `top_p` 1 instead of 0.99, for with 0.99 vLLM's
    log-probabilities are renormalised and the trainer's are not.
    """

    needs: ClassVar[Literal["traces", "reward"]] = "reward"

    learning_rate: Annotated[float, Option("peak learning rate")] = 1e-6
    steps: Annotated[int | None, Option("generations; overrides epochs", unit="generations")] = None
    epochs: Annotated[int, Option("times each prompt is seen")] = 5
    prompts: Annotated[int, Option("prompts per generation, over all processes", unit="prompts")] = 512
    generations: Annotated[int, Option("responses sampled per prompt: a group", unit="responses")] = 5
    batch: Annotated[int, Option("responses per update, over all processes", unit="responses")] = 640
    device_batch: Annotated[int, Option("responses a device holds at once", unit="responses")] = 2
    temperature: Annotated[float, Option("of the rollouts")] = 1.0
    top_p: Annotated[float, Option("nucleus of the rollouts")] = 1.0
    max_tokens: Annotated[int, Option("longest response", unit="tokens")] = 2048
    beta: Annotated[float, Option("weight of the KL term in the loss")] = 0.01
    epsilon: Annotated[float, Option("clip range below")] = 0.2
    epsilon_high: Annotated[float, Option("clip range above")] = 0.3
    delta: Annotated[float | None, Option("dual clip of the ratio for negative advantages")] = 3.0
    loss_type: Annotated[str, Option("averaging of the loss; bnpo is the mean over a batch's tokens")] = "bnpo"
    scale_rewards: Annotated[str, Option("what advantages are divided by: group, batch or none")] = "group"
    schedule: Annotated[str, Option("learning rate schedule, a name transformers knows")] = "constant"
    warmup: Annotated[float, Option("share of the updates the rate climbs for")] = 0.0
    weight_decay: Annotated[float, Option("of AdamW")] = 0.01
    max_grad_norm: Annotated[float, Option("gradients are clipped to this norm")] = 1.0
    freeze: Annotated[tuple[str, ...], Option("parts not trained: vision, projector")] = ("vision", "projector")
    lora_rank: Annotated[int, Option("rank of LoRA adapters, merged at the end; 0 trains all weights")] = 0
    devices: Annotated[int, Option("processes that train together")] = 1
    vllm: Annotated[Literal["off", "colocate", "server"], Option("who writes the rollouts")] = "off"
    vllm_url: Annotated[str | None, Option("address of the vLLM server", operational=True)] = None
    save_every: Annotated[int, Option("generations between checkpoints", unit="generations", operational=True)] = 10
    report_to: Annotated[tuple[str, ...], Option("trackers, such as wandb", operational=True)] = ()

    def processes(self) -> int:
        return self.devices

    def preflight(self, examples: int) -> None:
        if examples < self.prompts:
            raise UsageError(
                f"GRPO has {examples} examples, fewer than the {self.prompts} prompts of one batch.",
                "Load more examples, or lower the option prompts.",
            )
        rollouts = self.prompts * self.generations
        if rollouts % self.batch or self.batch % (self.device_batch * self.devices):
            raise UsageError(
                f"GRPO cannot cut {rollouts} responses (prompts x generations) into updates of {self.batch} and those "
                f"into {self.devices} x {self.device_batch} on the devices.",
                "Choose batch as a divisor of prompts x generations, and a multiple of devices x device_batch.",
            )
        if rollouts // self.devices % self.generations:
            raise UsageError(
                f"GRPO would split groups of {self.generations} responses over {self.devices} processes.",
                "Choose prompts as a multiple of devices: a group must lie on one process.",
            )

    def train(self, job: TrainJob) -> Checkpoint:
        with nullcontext() if self.vllm != "off" else imports.without_vllm():
            from trl import GRPOTrainer

        checkpoint = policy.last_checkpoint(job.folder)
        model, processor = policy.load(job.model, self.freeze, job.seed, checkpoint)
        rows = len(job.examples())
        generations = self.steps or max(1, rows * self.epochs // self.prompts)
        order = dataset.in_epochs(rows, generations * self.prompts, job.seed)
        trainer = GRPOTrainer(
            model=model,
            args=self._config(job, generations, processor),
            reward_funcs=_reward(job, lambda: trainer.eos_token_ids),
            train_dataset=dataset.lazy(job, order),
            processing_class=processor,
            peft_config=policy.adapters(self.lora_rank, model),
            callbacks=[report := reporting.callback(job)],
        )
        trainer.train(resume_from_checkpoint=checkpoint)
        if report.flat >= reporting.STALLED_AFTER:
            raise DataError(
                f"GRPO stopped: {report.flat} times in a row all responses to a prompt earned the same reward.",
                "Nothing can be learnt from that: look at completions.jsonl, and choose easier or harder examples, "
                "more generations a prompt, or another reward.",
            )
        return policy.save(trainer, processor, job.model, job.folder)

    def _config(self, job: TrainJob, generations: int, processor: object) -> Any:
        import torch
        from trl import GRPOConfig

        gpu = torch.cuda.is_available()
        updates = self.prompts * self.generations // self.batch
        server = {"vllm_server_base_url": self.vllm_url} if self.vllm_url else {}
        if self.vllm != "off":
            server["vllm_mode"] = self.vllm
        return GRPOConfig(
            output_dir=str(job.folder),
            learning_rate=self.learning_rate,
            max_steps=generations * updates,
            shuffle_dataset=False,
            generation_batch_size=self.prompts * self.generations,
            num_generations=self.generations,
            per_device_train_batch_size=self.device_batch,
            gradient_accumulation_steps=self.batch // (self.device_batch * self.devices),
            num_iterations=1,
            temperature=self.temperature,
            top_p=self.top_p,
            max_completion_length=self.max_tokens,
            beta=self.beta,
            epsilon=self.epsilon,
            epsilon_high=self.epsilon_high,
            delta=self.delta,
            loss_type=self.loss_type,
            scale_rewards=self.scale_rewards,
            lr_scheduler_type=self.schedule,
            warmup_steps=self.warmup,
            weight_decay=self.weight_decay,
            max_grad_norm=self.max_grad_norm,
            generation_kwargs={"suppress_tokens": tokens} if (tokens := _visual_tokens(processor)) else None,
            use_vllm=self.vllm != "off",
            **server,
            bf16=gpu,
            gradient_checkpointing=gpu,
            use_cpu=not gpu,
            logging_steps=1,
            save_steps=self.save_every * updates,
            save_total_limit=2,
            remove_unused_columns=False,
            report_to=list(self.report_to) or "none",
            seed=job.seed,
            disable_tqdm=True,
        )


def _visual_tokens(processor: object) -> list[int]:
    """Ids a response must not hold: TRL suppresses only the image token of its own accord."""
    tokenizer = getattr(processor, "tokenizer", processor)
    names = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
    vocabulary = tokenizer.get_vocab()  # type: ignore[attr-defined]
    return [vocabulary[name] for name in names if name in vocabulary]


def _reward(job: TrainJob, ends: Callable[[], Sequence[int]]) -> Callable[..., list[float | None]]:
    """The one reward function TRL gets; several would be added up with missing scores counted as 0."""
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
