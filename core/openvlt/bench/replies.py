"""What a model replies to each question, be it the one that is scored or a judge.

Nothing but replies is kept. Whatever kept one away (an endpoint that was down, a refusal, a prompt over the context),
the next run asks again: a server may be started with other limits under the same name.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from openvlt.errors import RemoteError
from openvlt.records import Rejected, Row, Trace
from openvlt.stages.ask import Ask
from openvlt.stages.map import Task, Value, map_stage
from openvlt.stages.workspace import Output, Step, Workspace

ASK_AGAIN = "the same command asks again for the replies that are missing, and for nothing else"


@dataclass(frozen=True, slots=True)
class Replies:
    """Who replied, and who did not.

    Attributes:
        traces: by id of the question.
        missing: id of a question without a reply to the reason.
        seconds: wall time.
    """

    traces: Mapping[str, Trace]
    missing: Mapping[str, str]
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """Of all prompts and replies."""
        return sum(trace.prompt_tokens + trace.completion_tokens for trace in self.traces.values())


class AskAgain(Ask):
    """Asks a model and keeps no refusal, so that the next run asks again."""

    def compute(self, tasks: Sequence[Task]) -> list[list[Value | Rejected]]:
        return [
            [replace(value, transient=True) if isinstance(value, Rejected) else value for value in of_task]
            for of_task in super().compute(tasks)
        ]


def replies(workspace: Workspace, step: Step, inputs: Output, work: AskAgain) -> Replies:
    """Ask about every row; what is there of an earlier run is not asked again.

    Args:
        workspace: the means.
        step: the stage.
        inputs: the questions.
        work: asks for one `Trace` a row.

    Raises:
        RemoteError: there is not one reply, or the model can no longer be asked at all.
    """
    started = time.monotonic()
    traces: dict[str, Trace] = {}
    missing: dict[str, str] = {}

    def finish(row: Row, values: Sequence[Value | Rejected]) -> Row | Rejected:
        (value,) = values
        if isinstance(value, Rejected):
            missing[row.example.id] = value.reason
            return value if value.transient else replace(value, transient=True)
        traces[row.example.id] = value
        return replace(row, traces=(value,))

    try:
        made = map_stage(workspace, step, inputs, work, finish, inputs.record.out)
    except RemoteError:
        if not traces:
            raise
    else:
        workspace.progress.end(made.record)
        traces = {row.example.id: row.traces[0] for row in made.rows()}
    return Replies(traces, missing, time.monotonic() - started)
