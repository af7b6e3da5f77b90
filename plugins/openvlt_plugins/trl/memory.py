"""What a training holds on each GPU at its fullest, in a few terms; `docs/gpu.md` explains and tabulates them.

The parameters P of the model are T trained ones and F frozen ones, on D devices, and an update reads N tokens a device
(sequences x (prompt + reply)) through L layers of width h and feed-forward width i, with V words.

=============  =========================================================================================================
weights        4 T + 2 F: float32 masters, what is frozen in bf16. All in bf16: 2 T. LoRA: 4 T and the base, 2 F.
gradients      4 T (all in bf16: 2 T); under DDP twice, as its buckets are copies (torch, ``gradient_as_bucket_view``).
optimizer      8 T: two float32 states of AdamW; in bf16 4 T; 8 bits 2 T (arXiv 2110.02861); 0 where it is paged or
               offloaded to the CPU, with weights and gradients under FSDP2.
reference      2 P: the model before the training, in bf16, for a KL term or DPO; none under LoRA.
copies         bf16 copies: of the trained weights, which autocast keeps for a forward pass (2 T, less the embedding),
               or of two layers, embedding and head with their gradients, which a sharded model gathers.
activations    w h L N, w = 2 (4 for an unsharded model with float32 masters), which gradient checkpointing keeps (arXiv
               1604.06174), and one layer of 17 h + 14 i a token (arXiv 2205.05198, with a gated feed-forward layer).
logits         4 h V, the float32 gradient of the head, and 4 h N; TRL makes the logits themselves in tiles.
rollouts       what generating needs beyond what gradients, copies, activations and logits leave free meanwhile.
headroom       1.5 GB: the CUDA context, its libraries, NCCL's buffers and fragments.
=============  =========================================================================================================

ZeRO's 16 bytes a parameter (arXiv 1910.02054) are 2 weights, 2 gradients and 12 of the optimizer, with the masters;
ZeRO-2 divides the last two by D, ZeRO-3 all three, FSDP2 its 4, 4 and 8. The sharded parts of the reference and of a
LoRA base are divided too; a frozen tower is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil, prod
from typing import TYPE_CHECKING, Any

from openvlt import ModelShape, UsageError, Workload
from openvlt_plugins.trl import parts

if TYPE_CHECKING:
    from openvlt_plugins.trl.grpo import Grpo
    from openvlt_plugins.trl.sharing import Sharing
    from openvlt_plugins.trl.trainer import TrlTrainer

SAVINGS: Sequence[Mapping[str, Any]] = (
    {"gradient_checkpointing": "on"},
    {"device_batch": 1},
    {"devices": "auto"},
    {"parallel": "fsdp2"},
    {"optimizer": "adamw-offload"},
    {"optimizer": "paged-adamw-8bit"},
    {"precision": "bf16"},
    {"lora_rank": 16},
)
"""Options that need less memory: those that change no result, then slow ones, then those that change the result."""
HEADROOM = 1.5e9
"""Bytes; an estimate that a GPU has yet to calibrate."""
_TILE = 4096 * 32768 * 2
"""Bytes of TRL's tile of logits: tokens x words in bf16 (TRL 1.16, ``kernels/chunked_logprob.py``)."""
_ENGINE = 2e9
"""Bytes of vLLM beside weights and keys and values: activations of a prefill, CUDA graphs (an estimate)."""
_CHANNELS = 3 * 2
"""Numbers of a pixel in a processed image: colours x frames, of which Qwen-VL's processors make two."""


def needed(
    options: TrlTrainer, shape: ModelShape, work: Workload, *, sequences: int, reply: int, reference: bool
) -> dict[str, float]:
    """The terms of one update, in bytes a GPU.

    Args:
        options: of the trainer.
        shape: of the model.
        work: lengths and GPUs.
        sequences: that a device holds at once.
        reply: tokens of the longest reply.
        reference: whether a reference model is held, unless adapters make one superfluous.

    Raises:
        UsageError: so many devices cannot divide a batch.
    """
    devices = device_count(options, work)
    options.check_batch(devices)
    tokens = sequences * (work.prompt + reply)
    return _terms(options, shape, work, shares(options, shape, work), devices, tokens, sequences, reference)


def shares(options: TrlTrainer, shape: ModelShape, work: Workload) -> Sharing:
    """What processes share by the plan; with ``auto`` nothing where all fits, rollouts too, else the model."""
    if options.parallel != "auto":
        return options.parallel
    if device_count(options, work) == 1 or "8bit" in options.optimizer:
        return "ddp"
    if options.optimizer == "adamw-offload":
        return "fsdp2"
    whole = sum((replace(options, parallel="ddp").memory(shape, work) or {}).values())
    return "ddp" if not work.gpus.count or whole <= work.gpus.size else "fsdp2"


def device_count(options: TrlTrainer, work: Workload) -> int:
    """The processes that train together on all machines."""
    return prod(options.planned_gpus(work.gpus))


def offloaded(options: TrlTrainer, shape: ModelShape, work: Workload) -> tuple[float, float]:
    """Bytes of weights and gradients that each GPU has in the CPU's memory under FSDP2, and moves for each micro-batch.

    FSDP2 copies its share of the weights to the GPU whenever it gathers them, and of the gradients from there (torch,
    ``CPUOffloadPolicy``). What DeepSpeed moves is not counted.
    """
    devices = device_count(options, work)
    if options.optimizer != "adamw-offload" or devices == 1 or shares(options, shape, work) != "fsdp2":
        return 0.0, 0.0
    trained, lora = _trained(options, shape), options.lora_rank > 0
    gradients = (4 if lora or options.precision == "mixed" else 2) * trained / devices
    return gradients + 2 * shape.text * lora / devices, gradients


def _trained(options: TrlTrainer, shape: ModelShape) -> float:
    """Parameters that are trained."""
    return options.lora_rank * shape.adapter if options.lora_rank else shape.text + _seen(options, shape)


def _seen(options: TrlTrainer, shape: ModelShape) -> int:
    """Parameters of tower and projector that are not frozen."""
    frozen = parts.FROZEN if options.freeze is None else options.freeze
    return shape.tower * ("vision" not in frozen) + shape.projector * ("projector" not in frozen)


def _terms(
    options: TrlTrainer,
    shape: ModelShape,
    work: Workload,
    parallel: Sharing,
    devices: int,
    tokens: int,
    sequences: int,
    reference: bool,
) -> dict[str, float]:
    lora, mixed = options.lora_rank > 0, options.precision == "mixed"
    vision, trained = _seen(options, shape), _trained(options, shape)
    whole = shape.tower + shape.projector if lora else shape.parameters - trained  # what is never sharded
    sharded = parallel in ("fsdp2", "zero3") and devices > 1
    shards = devices if sharded else 1
    zero = parallel.startswith("zero") and devices > 1 and not lora
    masters = 4 if mixed or lora else 2
    gathered = 2.0 * (2 * shape.layer + shape.embedding + shape.head)

    offloaded = options.optimizer == "adamw-offload" and (sharded or zero)
    on_gpu = not (offloaded and parallel == "fsdp2")  # accelerate offloads weights and gradients with it

    weights = ((2 if zero else masters) * trained + 2 * shape.text * lora) / shards * on_gpu + 2 * whole
    gradients = (2 if zero else masters) * trained / (devices if zero or sharded else 1) * on_gpu
    if parallel == "ddp" and devices > 1:
        gradients *= 2
    states = {"adamw-8bit": 2, "paged-adamw-8bit": 0}.get(options.optimizer, 0 if offloaded else 2 * masters)
    if zero and not offloaded:
        states += 4
    copies = 0.0
    if sharded:
        copies = gathered if lora else 2 * gathered
    elif mixed and not lora:
        copies = gathered if zero else 2.0 * (trained - shape.embedding - shape.head)
    width = 4 if mixed and not (lora or sharded or zero) else 2
    layer = (17 * shape.hidden + 14 * shape.intermediate) * tokens
    activations = shape.layers * shape.hidden * width * tokens + layer
    if options.gradient_checkpointing == "off":
        activations = shape.layers * layer
    if vision and not lora:
        seen = sequences * work.image * shape.merge
        activations += seen * shape.tower_hidden * (shape.tower_layers * width + 55)
    held = 0.0
    if reference and not lora:
        undivided = whole if sharded and not zero else 0
        held = 2 * ((shape.parameters - undivided) / shards + undivided)
    logits = _TILE + 4 * shape.hidden * (tokens + (0 if lora else shape.vocabulary))
    return {
        "weights": weights,
        "gradients": gradients,
        "optimizer": states * trained / (devices if zero or sharded else 1),
        "reference": held,
        "copies": copies,
        "activations": float(activations),
        "logits": float(logits),
        "headroom": HEADROOM,
    }


def server(options: Grpo, shape: ModelShape, work: Workload) -> dict[str, float]:
    """The least that an engine of vLLM holds on each of its GPUs: the model and one response of the most tokens."""
    length, gpus = work.prompt + options.max_tokens, options.tensor_parallel
    return {
        "weights": 2 * shape.parameters / gpus,
        "cache": 2 * length * shape.kv_width / gpus,
        "headroom": _ENGINE,
    }


def rollouts(options: Grpo, shape: ModelShape, work: Workload, terms: dict[str, float]) -> float:
    """Bytes a GPU that generating needs beyond what an update leaves free meanwhile.

    The images of a generation stay on the GPU with it. An engine of vLLM takes its share of the memory; asleep it takes
    nothing during an update. transformers generates all responses of a device at once.

    Raises:
        UsageError: the share of vLLM is too small for the model and one response, and a larger one would fit.
    """
    responses = options.prompts * options.generations / device_count(options, work)
    images = responses * work.image * shape.merge * shape.patch * _CHANNELS * 4
    length = work.prompt + options.max_tokens
    least = sum(server(options, shape, work).values())
    size, share = work.gpus.size, options.engine_share * work.gpus.size
    free = sum(terms[name] for name in ("gradients", "copies", "activations", "logits"))
    if options.vllm == "server":
        fits, needed = options.server_devices() > 0, 0.0
    elif options.vllm == "off":
        fits, needed = False, max(0.0, responses * length * shape.kv_width * 2 - free)
    else:
        engine = max(share, least)
        needed = max(0.0, engine - free) if options.sleeps else engine
        fits = sum(terms.values()) + images + needed <= size
    if fits and 0 < share < least:
        enough = ceil(100 * least / size) / 100
        raise UsageError(
            f"vLLM needs {least / 1e9:.1f} GB of each of its GPUs, and its share is {options.engine_share:g} of "
            f"{size / 1e9:.1f} GB.",
            f"Set vllm_memory to {enough:g}, or raise vllm_tensor_parallel." if enough < 1
            else "Raise vllm_tensor_parallel, the number of GPUs that the model is split over.",
        )  # fmt: skip
    return images + needed
