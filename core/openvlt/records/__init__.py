"""The records that travel between stages: frozen, typed, and each one line of JSON."""

from openvlt.records.bench import (
    BenchResult,
    Budget,
    Estimate,
    Paired,
    Protocol,
    Rate,
    Sampled,
    Score,
    UsedData,
    UsedJudge,
    UsedModel,
    UsedPrompt,
    UsedVerifier,
)
from openvlt.records.chat import Completion, FinishReason, Message, Model, Part, Sampling, conversation, with_images
from openvlt.records.claim import Cause, Claim, Judged, Status, Trace, Verdict
from openvlt.records.example import MOST_DECIMALS, PLACEHOLDER, AnswerType, Example, Image, NewImage, Rejected, Turn
from openvlt.records.format import Format
from openvlt.records.model_shape import ModelShape
from openvlt.records.row import Row
from openvlt.records.run import Run, RunStatus, StageRecord
from openvlt.records.weight import Weight

__all__ = [
    "MOST_DECIMALS",
    "PLACEHOLDER",
    "AnswerType",
    "BenchResult",
    "Budget",
    "Cause",
    "Claim",
    "Completion",
    "Estimate",
    "Example",
    "FinishReason",
    "Format",
    "Image",
    "Judged",
    "Message",
    "Model",
    "ModelShape",
    "NewImage",
    "Paired",
    "Part",
    "Protocol",
    "Rate",
    "Rejected",
    "Row",
    "Run",
    "RunStatus",
    "Sampled",
    "Sampling",
    "Score",
    "StageRecord",
    "Status",
    "Trace",
    "Turn",
    "UsedData",
    "UsedJudge",
    "UsedModel",
    "UsedPrompt",
    "UsedVerifier",
    "Verdict",
    "Weight",
    "conversation",
    "with_images",
]
