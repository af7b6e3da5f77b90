"""The result of one model on one benchmark, its folder (``result.json`` and ``rows.jsonl``), and scoring it again."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from openvlt.bench.definition import Definition, define
from openvlt.bench.questions import JUDGE_FAILED, Questions, Responses, traces_of
from openvlt.errors import DataError, UsageError
from openvlt.records import BenchResult, Judged, Protocol, Row, Run, RunStatus, StageRecord, Verdict
from openvlt.registry import Registry
from openvlt.stages.workspace import Output, Step, Workspace, write_stage
from openvlt.store import (
    Home,
    StageFolder,
    claimed_run,
    decode,
    digest,
    encode,
    file_digest,
    log_stage,
    remove_run,
    replacing,
    run_folder,
    write_run,
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a model scored, and the folder with the judged rows it was counted from.

    Attributes:
        record: what it scored.
        folder: with the rows.
        name: what the user calls it.
        run: the run whose model it is of, empty if `openvlt bench` made it.
    """

    record: BenchResult
    folder: StageFolder
    name: str = ""
    run: str = ""

    def rows(self) -> Iterator[Row]:
        """The judged rows.

        Raises:
            DataError: they are missing, or are not what was written.
        """
        self._check()
        return self.folder.rows(Row)

    @property
    def digest(self) -> str:
        self._check()
        return file_digest(self.folder.rows_file)

    def _check(self) -> None:
        if not self.folder.rows_file.is_file():
            raise DataError(
                f"What '{self.name}' answered on {self.record.benchmark} is missing from {self.folder.path}.",
                "Run its command again, which makes only what is missing.",
            )


def write_result(home: Home, result: BenchResult, judged: Output, stages: Sequence[StageRecord]) -> Path:
    """Write a result and the record of its run; returns the run's folder.

    The same model under the same protocol always writes to the same folder, whatever the seeds of its samples. Where
    the gold answers are not public, ``submission.json`` has the answer to each question.

    Args:
        home: the store.
        result: what the model scored.
        judged: the stage it was counted from.
        stages: all stages it took.
    """
    name = run_name(result.benchmark, result.stage, _pooled(result.protocol))
    run = Run(
        name=name, recipe="bench", status="done", stages=tuple(stages), scores=(result,), releases=result.releases
    )
    with claimed_run(home, name), replacing(run_folder(home, name)) as partial:
        rows = StageFolder(partial)
        shutil.copyfile(judged.folder.rows_file, rows.rows_file)
        rows.complete({"digest": judged.digest}, {rows.rows_file.name: judged.digest})
        if not any(row.example.answer for row in rows.rows(Row)):
            answers = {row.example.id: _prediction(row) for row in rows.rows(Row)}
            (partial / "submission.json").write_text(json.dumps(answers, indent=1, ensure_ascii=False), "utf-8")
        (partial / "result.json").write_bytes(encode(result))
        (partial / "run.json").write_bytes(encode(run))
    return home.runs / name


@dataclass
class Recording:
    """The record of a benchmark that is carried out; plugins hear of each stage that has ended."""

    registry: Registry
    run: Run

    def ended(self, stage: StageRecord) -> None:
        """Add a stage."""
        self.run = replace(self.run, stages=(*self.run.stages, stage), releases=self.registry.releases())
        self.registry.notify("on_stage_end", run=self.run, stage=stage)


@contextmanager
def recorded(workspace: Workspace, name: str) -> Iterator[Recording]:
    """Record a benchmark as a run while it is carried out, so that what it uses is kept; its result replaces that.

    The record is written with the first stage; one that is interrupted or fails stays until the same command is done.
    Plugins hear of its end.

    Args:
        workspace: of the benchmark.
        name: of the record.

    Raises:
        UsageError: another process carries out the same benchmark.
    """
    home, record = workspace.home, run_folder(workspace.home, name) / "run.json"
    recording = Recording(workspace.registry, Run(name=name, recipe="bench", status="running"))

    def write(status: RunStatus) -> None:
        write_run(home, Run(name=name, recipe="bench", status=status))

    def uses(fingerprint: str) -> None:
        if not record.exists():
            write("running")
        log_stage(home, name, fingerprint)

    with claimed_run(home, name):
        if record.exists():
            write("running")
        workspace.uses = uses
        status: RunStatus = "done"
        try:
            yield recording
        except BaseException as error:
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            if record.exists():
                write(status)
            raise
        finally:
            workspace.registry.notify("on_run_end", run=replace(recording.run, status=status))
        if record.exists():
            remove_run(home, name)


def read_result(home: Home, name: str) -> Result:
    """Read a result back.

    Args:
        home: the store.
        name: of a run, alone or as ``RUN/MODEL``, or the path of its folder or of a ``result.json``.

    Raises:
        UsageError: there is no such result.
        DataError: it cannot be read.
    """
    if not is_result(home, name):
        raise UsageError(f"There is no benchmark result '{name}'.", nearest(name, result_names(home)))
    folder = _folder(home, name)
    try:
        record = decode(BenchResult, (folder / "result.json").read_bytes())
    except ValueError as error:
        raise DataError(f"The result {folder / 'result.json'} cannot be read.", "Run its command again.") from error
    model = name.removeprefix("run:").partition("/")[2]
    if folder.parent == home.runs and not Path(name).exists() and model not in ("", record.stage):
        raise UsageError(f"The result '{folder.name}' is of no model '{model}'.", f"It is of '{record.stage}'.")
    return Result(record, StageFolder(folder), name)


def is_result(home: Home, name: str) -> bool:
    """True if `read_result` finds a result of this name."""
    return all((_folder(home, name) / file).is_file() for file in ("result.json", "rows.jsonl"))


def result_names(home: Home) -> list[str]:
    """The names of all results."""
    return [found.parent.name for found in home.runs.glob("*/result.json")]


def nearest(name: str, known: Sequence[str]) -> str:
    """What to do about an unknown name of a result or run: the closest ones, for there may be hundreds."""
    near = get_close_matches(name, list(dict.fromkeys(known)), n=3, cutoff=0.4)
    return (
        f"Did you mean {' or '.join(map(repr, near))}?"
        if near
        else "'openvlt runs' lists results and runs; name RUN/MODEL."
    )


def _folder(home: Home, name: str) -> Path:
    path = Path(name)
    folder = path.parent if path.name == "result.json" else path
    return folder if (folder / "result.json").is_file() else home.runs / name.removeprefix("run:").partition("/")[0]


def reuse_responses(
    workspace: Workspace, result: Result, name: str | None = None, *, new_judge: bool = False
) -> tuple[Definition, Responses]:
    """The questions and responses of an earlier result, to be scored by another protocol.

    Args:
        workspace: its format is the result's.
        result: the earlier one.
        name: the YAML file of a benchmark with other scorings; the result's own benchmark if None.
        new_judge: True if a judge will be asked, so that what an earlier one found does not count.

    Raises:
        UsageError: the result is of another benchmark.
    """
    registry, record = workspace.registry, result.record
    protocol, own = record.protocol, record.protocol.benchmark
    if not (name or record.spec) and registry.find("benchmark", own).name != record.benchmark:
        raise UsageError(f"The run is of the benchmark file '{record.benchmark}'.", "Name that file, too.")
    definition = define(registry, name or record.spec or own, workspace.format)
    if name and not definition.is_file and definition.name != record.benchmark:
        raise UsageError(f"The run is of the benchmark {record.benchmark}, not {definition.name}.", "Name that one.")
    judged = () if new_judge else tuple(name for name in record.scores if name not in protocol.scoring)
    extracted = protocol.extraction == "stored" or (protocol.extraction == "judge" and not new_judge)
    scorings = () if new_judge or not protocol.judge else tuple(definition.verifiers)
    step = Step("bench", f"bench-{definition.name}-again", 0, ("again", result.digest, judged, extracted, scorings))
    made = write_stage(workspace, step, lambda: _unjudged(result, judged, scorings, extracted), None)
    rows = [(row.example.id, len(traces_of(row))) for row in made.rows()]
    # A question that only a judge failed on has a response, which another judge may read.
    retried = {id for id, count in rows if count} if new_judge else set()
    return definition, Responses(
        questions=Questions(made, tuple(id for id, _ in rows), {}, protocol.data),
        output=made,
        failed={id: reason for id, reason in record.failed.items() if id not in retried},
        unanswered=record.unanswered,
        samples=max(len(row.judged) for row in result.rows()),
        extracted=extracted,
        model=protocol.model,
        prompt=protocol.prompt,
        sampling=protocol.decoding,
        draws=protocol.draws,
        seconds=record.seconds,
        judge=None if new_judge else protocol.judge,
        judge_tokens=0 if new_judge else record.judge_tokens,
        judge_reply_tokens=0 if new_judge else record.judge_reply_tokens,
        judged=judged,
        refused=protocol.refused,
        stages=(made.record,),
    )


def draws_before(home: Home, benchmark: str, model: str, responses: Responses) -> dict[int, int]:
    """The number of samples by seed: of what was drawn from a model in the same way before, and of the responses.

    Args:
        home: the store.
        benchmark: what was asked.
        model: as the user names it.
        responses: of the model, drawn with one seed.
    """
    wanted = responses.sampling
    assert wanted is not None
    found = {wanted.seed: wanted.n}
    for file in home.runs.glob(f"{run_name(benchmark, model, '')}*/result.json"):
        try:
            protocol = decode(BenchResult, file.read_bytes()).protocol
        except ValueError:  # of another release, or damaged; `read_result` tells
            continue
        used = protocol.decoding
        same_way = (protocol.data, protocol.model, protocol.prompt) == (
            responses.questions.data, responses.model, responses.prompt
        )  # fmt: skip
        if used and same_way and replace(used, n=wanted.n, seed=wanted.seed) == wanted:
            for seed, count in (protocol.draws or {used.seed: used.n}).items():
                found[seed] = max(count, found.get(seed, 0))
    return dict(sorted(found.items()))


def _pooled(protocol: Protocol) -> str:
    """Digest of a protocol without its seeds and its number of samples."""
    used = protocol.decoding
    return digest(replace(protocol, draws={}, decoding=used and replace(used, n=1, seed=0)))


def _unjudged(result: Result, judged: Sequence[str], scorings: Sequence[str], extracted: bool) -> Iterator[Row]:
    """The rows of a result without their verdicts, except those of a judge that still count.

    What an answer is that the judge was to extract and did not, the rules of `scorings` cannot say, either.
    """
    record = result.record

    def still_counting(each: Judged) -> dict[str, Verdict]:
        open_ones = [each.verdicts[name] for name in record.protocol.scoring if name in each.verdicts]
        failed = next((verdict for verdict in open_ones if verdict.reason.startswith(JUDGE_FAILED)), None)
        return {
            **(dict.fromkeys(scorings, failed) if failed else {}), **{name: each.verdicts[name] for name in judged}
        }  # fmt: skip

    for row in result.rows():
        is_silent = row.example.id in record.failed or row.example.id in record.unanswered
        found = [
            replace(
                each,
                trace=replace(each.trace, answer=each.trace.answer if extracted else None),
                verdicts=still_counting(each),
            )
            for each in row.judged
            if each.trace.raw or not is_silent
        ]
        if judged or scorings:
            yield Row(example=row.example, judged=tuple(found))
        else:
            yield Row(example=row.example, traces=tuple(each.trace for each in found))


def run_name(benchmark: str, responder: str, digest: str) -> str:
    """The name of the run of a benchmark: of the benchmark, of who responded, and of the protocol or the command."""
    plain = responder.removeprefix("run:") if responder.startswith("run:") else Path(responder).name
    benchmark, short = (re.sub(r"[^\w.-]+", "-", each).strip("-.") for each in (benchmark, plain))
    return f"{benchmark}-{short[-40:] or 'responses'}-{digest[:8]}"


def _prediction(row: Row) -> str:
    """The answer as a verifier put it into the benchmark's shape, else as it was extracted."""
    judged = row.judged[0]
    for verdict in judged.verdicts.values():
        if verdict.detail.get("prediction") is not None:
            return str(verdict.detail["prediction"])
    return judged.trace.answer or ""
