"""Let a model answer a benchmark; rows are the cache, so a second run asks only what is missing."""

from __future__ import annotations

from openvlt.bench.definition import Defined
from openvlt.bench.evaluate import Answered
from openvlt.bench.models import Asked
from openvlt.bench.responses import Response
from openvlt.bench.scoring import Questions
from openvlt.records import Row, Sampling
from openvlt.stages.answer import answer, questions
from openvlt.stages.models import resolve
from openvlt.stages.workspace import Workspace


def ask(
    workspace: Workspace, defined: Defined, asked: Asked, sampling: Sampling, limit: int | None
) -> tuple[Questions, Answered]:
    """Load the questions with their images and let the model answer them all.

    Args:
        workspace: its format is the model's.
        defined: the benchmark.
        asked: the model.
        sampling: how replies are decoded.
        limit: only the first so many questions.

    Raises:
        DataError: the data or its images cannot be read.
        RemoteError: some questions failed in a way that may pass; the same command tries just those again.
    """
    loaded = questions(workspace, defined.built, limit)
    resolved = resolve(asked.model, workspace)
    workspace.progress.note(f"{resolved.model.id} runs on {resolved.backend.entry.name}: {resolved.reason}")
    made = answer(
        workspace, f"bench-{defined.name}", 0, loaded, defined.built, resolved, sampling, base=not asked.trained
    )  # fmt: skip
    rows = list(made.rows())
    model = {
        "id": asked.model.id,
        "revision": asked.model.revision,
        "digest": resolved.digest,
        "backend": resolved.backend.entry.id,
        "backend_identity": resolved.backend.identity,
        "dtype": resolved.model.dtype,
        "pixels": resolved.model.pixels,
        "context": resolved.model.context,
    }
    responses = {row.example.id: _response(row) for row in rows if _is_answered(row)}
    answered = Answered(
        responses=responses,
        model=model,
        asked="trained" if asked.trained else "base",
        sampling=sampling,
        seconds=made.record.seconds,
    )
    left_out = tuple(loaded.folder.rejected())
    return Questions(tuple(row.example for row in rows), left_out), answered


def _is_answered(row: Row) -> bool:
    """False for a question the model could not be asked, such as one whose prompt is over its context."""
    (trace,) = row.traces
    return bool(trace.raw or trace.prompt_tokens or trace.completion_tokens)


def _response(row: Row) -> Response:
    (trace,) = row.traces
    return Response(
        id=row.example.id,
        text=trace.raw,
        finish_reason=trace.finish_reason,
        prompt_tokens=trace.prompt_tokens,
        completion_tokens=trace.completion_tokens,
    )
