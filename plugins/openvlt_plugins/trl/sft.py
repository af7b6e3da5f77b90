"""Supervised fine-tuning on TRL's SFTTrainer: prompt, completion, images; the loss is on the completion only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from openvlt import Checkpoint, Option, Trainer, TrainJob
from openvlt_plugins.trl import dataset, policy, reporting


@dataclass(frozen=True)
class Sft(Trainer):
    """Teaches the model the traces that were selected.

    The defaults are the published ones of OpenVLThinker (arXiv 2503.17352 v3, Table 13).
    """

    learning_rate: Annotated[float, Option("peak learning rate")] = 5e-7
    epochs: Annotated[int, Option("times each trace is seen")] = 1
    batch: Annotated[int, Option("traces per update, over all processes", unit="traces")] = 32
    device_batch: Annotated[int, Option("traces a device holds at once", unit="traces")] = 2
    schedule: Annotated[str, Option("learning rate schedule, a name transformers knows")] = "cosine"
    warmup: Annotated[float, Option("share of the updates the rate climbs for")] = 0.1
    weight_decay: Annotated[float, Option("of AdamW")] = 0.0
    max_grad_norm: Annotated[float, Option("gradients are clipped to this norm")] = 1.0
    freeze: Annotated[tuple[str, ...], Option("parts not trained: vision, projector")] = ("vision", "projector")
    lora_rank: Annotated[int, Option("rank of LoRA adapters, merged at the end; 0 trains all weights")] = 0
    devices: Annotated[int, Option("processes that train together")] = 1
    save_steps: Annotated[int, Option("updates between checkpoints", unit="updates", affects_output=False)] = 100
    workers: Annotated[int, Option("processes that decode images", affects_output=False)] = 0
    report_to: Annotated[tuple[str, ...], Option("trackers, such as wandb", affects_output=False)] = ()

    def processes(self) -> int:
        return self.devices

    def train(self, job: TrainJob) -> Checkpoint:
        import torch
        from trl import SFTConfig, SFTTrainer

        checkpoint = policy.last_checkpoint(job.folder)
        model, processor = policy.load(job.model, self.freeze, job.seed, checkpoint)
        traces = job.traces()
        replies = [job.format.target(trace) for trace in traces]
        order = dataset.in_epochs(len(replies), len(replies) * self.epochs, job.seed)
        gpu = torch.cuda.is_available()
        device_batch = min(self.device_batch, self.batch)
        config = SFTConfig(
            output_dir=str(job.folder),
            learning_rate=self.learning_rate,
            num_train_epochs=1,
            shuffle_dataset=False,
            per_device_train_batch_size=device_batch,
            gradient_accumulation_steps=max(1, self.batch // (device_batch * self.devices)),
            lr_scheduler_type=self.schedule,
            warmup_steps=self.warmup,
            weight_decay=self.weight_decay,
            max_grad_norm=self.max_grad_norm,
            max_length=None,
            completion_only_loss=True,
            bf16=gpu,
            gradient_checkpointing=gpu,
            use_cpu=not gpu,
            logging_steps=1,
            save_steps=self.save_steps,
            save_total_limit=2,
            dataloader_num_workers=self.workers,
            remove_unused_columns=False,
            report_to=list(self.report_to) or "none",
            seed=job.seed,
            disable_tqdm=True,
        )
        trainer = SFTTrainer(
            model=model,
            args=config,
            train_dataset=dataset.lazy(job, order, replies.__getitem__),
            processing_class=processor,
            peft_config=policy.adapters(self.lora_rank, model),
            callbacks=[reporting.callback(job)],
        )
        trainer.train(resume_from_checkpoint=checkpoint)
        return policy.save(trainer, processor, job.model, job.folder)
