"""openvlt: turns images and questions into a vision-language model that reasons, and measures whether it got better.

Everything a plugin needs is a name of this package, imported at its first use; readers of data files are in the module
`openvlt.tables`.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openvlt.errors import (
        DataError as DataError,
        Fault as Fault,
        OpenvltError as OpenvltError,
        PluginError as PluginError,
        Reject as Reject,
        RemoteError as RemoteError,
        UsageError as UsageError,
        first_line as first_line,
    )
    from openvlt.extraction import (
        Reading as Reading,
        after_thinking as after_thinking,
        extract as extract,
        parse as parse,
    )
    from openvlt.hookspecs import Register as Register, hookimpl as hookimpl
    from openvlt.integrations.handover import handed_over as handed_over
    from openvlt.integrations.rewards import reward as reward
    from openvlt.integrations.scores import compute_score as compute_score, exported_reward as exported_reward
    from openvlt.interfaces import (
        EAGER_SHARE as EAGER_SHARE,
        PAGED_SHARE as PAGED_SHARE,
        AnswerVerifier as AnswerVerifier,
        Asking as Asking,
        AskingExampleFilter as AskingExampleFilter,
        AskingFact as AskingFact,
        AskingTraceFilter as AskingTraceFilter,
        AskingVerifier as AskingVerifier,
        Backend as Backend,
        Benchmark as Benchmark,
        Captioner as Captioner,
        Chat as Chat,
        Checkpoint as Checkpoint,
        Component as Component,
        CountingEngine as CountingEngine,
        DefaultFor as DefaultFor,
        Drop as Drop,
        Engine as Engine,
        ExampleFilter as ExampleFilter,
        Fact as Fact,
        Facts as Facts,
        FactValue as FactValue,
        Gpus as Gpus,
        ImageReader as ImageReader,
        Keep as Keep,
        Kind as Kind,
        LookingExampleFilter as LookingExampleFilter,
        LookingTraceFilter as LookingTraceFilter,
        LookingVerifier as LookingVerifier,
        MaxTokens as MaxTokens,
        Memory as Memory,
        Option as Option,
        Program as Program,
        ProgramCaptioner as ProgramCaptioner,
        ProgramFact as ProgramFact,
        ProgramTeacher as ProgramTeacher,
        Reads as Reads,
        Request as Request,
        Rewarded as Rewarded,
        SampledFact as SampledFact,
        Samples as Samples,
        Seed as Seed,
        Source as Source,
        Teacher as Teacher,
        Temperature as Temperature,
        TopP as TopP,
        TraceFilter as TraceFilter,
        Trainer as Trainer,
        TrainJob as TrainJob,
        Verifier as Verifier,
        Workload as Workload,
        gpu_hours as gpu_hours,
        writing_hours as writing_hours,
    )
    from openvlt.keys import (
        EndpointKey as EndpointKey,
        endpoint_key as endpoint_key,
        is_this_machine as is_this_machine,
        mask_keys as mask_keys,
    )
    from openvlt.plain_text import PlainText as PlainText
    from openvlt.records import (
        PLACEHOLDER as PLACEHOLDER,
        AnswerType as AnswerType,
        BenchResult as BenchResult,
        Budget as Budget,
        Cause as Cause,
        Claim as Claim,
        Completion as Completion,
        Estimate as Estimate,
        Example as Example,
        FinishReason as FinishReason,
        Format as Format,
        Image as Image,
        Judged as Judged,
        Message as Message,
        Model as Model,
        ModelShape as ModelShape,
        NewImage as NewImage,
        Paired as Paired,
        Part as Part,
        Protocol as Protocol,
        Rate as Rate,
        Rejected as Rejected,
        Run as Run,
        RunStatus as RunStatus,
        Sampled as Sampled,
        Sampling as Sampling,
        Score as Score,
        StageRecord as StageRecord,
        Status as Status,
        Trace as Trace,
        Turn as Turn,
        UsedData as UsedData,
        UsedJudge as UsedJudge,
        UsedModel as UsedModel,
        UsedPrompt as UsedPrompt,
        UsedVerifier as UsedVerifier,
        Verdict as Verdict,
        conversation as conversation,
        with_images as with_images,
    )
    from openvlt.sampling import (
        choose_tokens as choose_tokens,
        penalise_presence as penalise_presence,
        penalise_repetition as penalise_repetition,
        uniform_draws as uniform_draws,
    )
    from openvlt.stages.commands import command_output as command_output
    from openvlt.stratify import allocate as allocate
    from openvlt.system import visible_gpus as visible_gpus
    from openvlt.vision import (
        limit_pixels as limit_pixels,
        visual_tokens as visual_tokens,
        within_pixels as within_pixels,
    )

# The usage statistics of vLLM and Ray and the telemetry of the hub are off, here and in child processes, unless the
# user has set the variable. Each package reads its own when it is imported, so this is before any of them can be.
for _variable, _off in {
    "VLLM_NO_USAGE_STATS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}.items():
    os.environ.setdefault(_variable, _off)

_HOMES = {
    "openvlt.stages.commands": ("command_output",),
    "openvlt.stratify": ("allocate",),
    "openvlt.errors": (
        "DataError", "Fault", "OpenvltError", "PluginError", "Reject", "RemoteError", "UsageError", "first_line",
    ),
    "openvlt.extraction": ("Reading", "after_thinking", "extract", "parse"),
    "openvlt.hookspecs": ("Register", "hookimpl"),
    "openvlt.integrations.handover": ("handed_over",),
    "openvlt.integrations.rewards": ("reward",),
    "openvlt.integrations.scores": ("compute_score", "exported_reward"),
    "openvlt.interfaces": (
        "AnswerVerifier", "Asking", "AskingExampleFilter", "AskingFact", "AskingTraceFilter", "AskingVerifier",
        "Backend", "Benchmark", "Captioner", "Chat", "Checkpoint", "Component", "CountingEngine", "DefaultFor", "Drop",
        "EAGER_SHARE", "Engine", "ExampleFilter", "Fact", "FactValue", "Facts", "Gpus", "ImageReader", "Keep", "Kind",
        "LookingExampleFilter", "LookingTraceFilter", "LookingVerifier", "MaxTokens", "Memory", "Option",
        "PAGED_SHARE", "Program", "ProgramCaptioner", "ProgramFact", "ProgramTeacher", "Reads", "Request", "Rewarded",
        "SampledFact", "Samples", "Seed", "Source", "Teacher", "Temperature", "TopP", "TraceFilter", "TrainJob",
        "Trainer", "Verifier", "Workload", "gpu_hours", "writing_hours",
    ),
    "openvlt.plain_text": ("PlainText",),
    "openvlt.keys": ("EndpointKey", "endpoint_key", "is_this_machine", "mask_keys"),
    "openvlt.records": (
        "AnswerType", "BenchResult", "Budget", "Cause", "Claim", "Completion", "Estimate", "Example",
        "FinishReason", "Format", "Image", "Judged", "Message", "Model", "ModelShape", "NewImage",
        "PLACEHOLDER", "Paired", "Part", "Protocol", "Rate", "Rejected", "Run", "RunStatus", "Sampled",
        "Sampling", "Score", "StageRecord", "Status", "Trace", "Turn", "UsedData", "UsedJudge", "UsedModel",
        "UsedPrompt", "UsedVerifier", "Verdict", "conversation", "with_images",
    ),
    "openvlt.sampling": ("choose_tokens", "penalise_presence", "penalise_repetition", "uniform_draws"),
    "openvlt.system": ("visible_gpus",),
    "openvlt.vision": ("limit_pixels", "visual_tokens", "within_pixels"),
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [*_HOME_OF]  # noqa: PLE0604


if not TYPE_CHECKING:  # to a type checker a name that is not listed above is an error

    def __getattr__(name: str) -> Any:
        if name not in _HOME_OF:
            raise AttributeError(f"module 'openvlt' has no attribute {name!r}")
        value = getattr(import_module(_HOME_OF[name]), name)
        globals()[name] = value
        return value
