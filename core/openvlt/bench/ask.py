"""Let a model answer a benchmark; rows are the cache, so a second run asks only what is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from openvlt.bench.answered import Answered
from openvlt.bench.definition import Defined
from openvlt.bench.models import Asked
from openvlt.bench.replies import ASK_AGAIN, AskAgain, replies
from openvlt.bench.responses import Response
from openvlt.bench.scoring import Questions, read_questions
from openvlt.engines import Resolved
from openvlt.records import Example, Sampling, Trace
from openvlt.stages.answer import asking, questions
from openvlt.stages.workspace import Output, Step, Workspace


def ask(
    workspace: Workspace, defined: Defined, asked: Asked, sampling: Sampling, limit: int | None
) -> tuple[Questions, Answered]:
    """Load the questions with their images and let the model answer them all.

    Questions without a reply, and those whose image cannot be read, are failed: they widen the score. The same command
    asks again for the replies that are missing, and for nothing else.

    Args:
        workspace: its format is the model's.
        defined: the benchmark.
        asked: the model.
        sampling: how replies are decoded.
        limit: only the first so many questions.

    Raises:
        DataError: the data or its images cannot be read.
        RemoteError: the model gives not one reply, or can no longer be asked at all.
    """
    loaded = questions(workspace, defined.built, limit)
    workspace.progress.end(loaded.record)
    resolved = workspace.resolve(asked.model)
    workspace.progress.note(f"{resolved.model.id} runs on {resolved.backend.entry.name}: {resolved.reason}")
    work = asking(AskAgain, workspace, defined.built, resolved, sampling, base=not asked.trained)
    made_of = ("replies", work.identity, not asked.trained, workspace.format, loaded.digest)
    found = replies(workspace, Step("bench", f"bench-{defined.name}", 0, made_of), loaded, work)
    asked_for, failed = _all_questions(defined, loaded, limit)
    failed.update(found.missing)
    responses = {id: _response(id, trace) for id, trace in found.traces.items()}
    responses.update({id: Response(id=id, text="", failed=reason) for id, reason in failed.items()})
    answered = Answered(
        responses={example.id: responses[example.id] for example in asked_for.examples},
        model=_told(asked, resolved),
        asked="trained" if asked.trained else "base",
        sampling=sampling,
        seconds=found.seconds,
        notes=(ASK_AGAIN,) if found.missing else (),
    )
    return asked_for, answered


def _all_questions(defined: Defined, loaded: Output, limit: int | None) -> tuple[Questions, dict[str, str]]:
    """The benchmark's questions, and which of them could not be loaded with the reason."""
    by_id = {row.example.id: row.example for row in loaded.rows()}
    left_out = {rejected.id: rejected.reason for rejected in loaded.folder.rejected()}
    if not left_out:
        return Questions(tuple(by_id.values()), ()), {}
    read = read_questions(defined.benchmark, limit)
    examples = tuple(by_id.get(example.id) or _without_images(example) for example in read.examples)
    failed = {id: reason for id, reason in left_out.items() if id not in {each.id for each in read.rejected}}
    return Questions(examples, read.rejected), failed


def _without_images(example: Example) -> Example:
    return replace(example, images=())


def _response(id: str, trace: Trace) -> Response:
    return Response(
        id=id,
        text=trace.raw,
        finish_reason=trace.finish_reason,
        prompt_tokens=trace.prompt_tokens,
        completion_tokens=trace.completion_tokens,
    )


def _told(asked: Asked, resolved: Resolved) -> dict[str, Any]:
    """The model, as the protocol has it."""
    return {
        "id": asked.model.id,
        "revision": asked.model.revision,
        "digest": resolved.digest,
        "backend": resolved.backend.entry.id,
        "backend_identity": resolved.backend.identity,
        "dtype": resolved.model.dtype,
        "pixels": resolved.model.pixels,
        "context": resolved.model.context,
    }
