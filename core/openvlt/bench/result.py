"""The result of one model on one benchmark, and the folder it lies in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openvlt.bench.protocol import protocol_hash
from openvlt.bench.tally import in_score, tally
from openvlt.errors import UsageError, closest
from openvlt.interfaces import Benchmark
from openvlt.records import Rate, Row, Run, Score
from openvlt.store import Home, decode, encode, write_atomically, write_run

TRUNCATED_SHARE = 0.05
"""Share of truncated answers above which the result carries a warning."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was found, as ``result.json`` holds it, and the judged rows it was counted from."""

    told: Mapping[str, Any]
    rows: Sequence[Row]

    @property
    def benchmark(self) -> str:
        return str(self.told["benchmark"])

    @property
    def headline(self) -> str:
        return str(self.told["headline"])


def summarise(
    name: str,
    benchmark: Benchmark,
    rows: Sequence[Row],
    protocol: Mapping[str, Any],
    *,
    scorings: Sequence[str],
    unanswered: Sequence[str],
    failed: Mapping[str, str],
    left_out: Mapping[str, str],
    seconds: float,
    notes: Sequence[str],
    judge_tokens: int = 0,
) -> Result:
    """Count judged rows into a result.

    Args:
        name: of the benchmark.
        benchmark: its breakdowns and clusters.
        rows: one a question, with one judged trace.
        protocol: all that moves the score.
        scorings: those that have verdicts; the first is the headline.
        unanswered: ids of questions without a response.
        failed: id to reason, for questions we failed to get a response to.
        left_out: id to reason, for those of them that are rows of the data that cannot be read.
        seconds: wall time of the answers and their scoring.
        notes: what the reader should know.
        judge_tokens: of all prompts and replies of a judge.
    """
    traces = [row.judged[0].trace for row in rows]
    answered = [trace for row, trace in zip(rows, traces, strict=True) if row.example.id not in {*unanswered, *failed}]
    truncated = sum(trace.finish_reason == "length" for trace in answered)
    notes = list(notes)
    if is_unlabelled(rows):
        notes.append("the answers to these questions are not public: submission.json holds what the model answered")
    if truncated > TRUNCATED_SHARE * max(len(rows), 1):
        notes.append(
            f"{truncated} of {len(rows)} answers were cut at the token limit; raise it (--max-tokens) before you "
            "believe this score"
        )
    told = {
        "benchmark": name,
        "headline": scorings[0],
        "clusters": benchmark.clusters,
        "n": len(in_score(benchmark, rows)),
        "scores": {scoring: tally(benchmark, rows, scoring) for scoring in scorings},
        "unparsed": sum(trace.answer is None for trace in answered),
        "truncated": truncated,
        "unanswered": list(unanswered),
        "failed": dict(failed),
        "left_out": dict(left_out),
        "mean_tokens": sum(trace.completion_tokens for trace in answered) / max(len(answered), 1),
        "judge_tokens": judge_tokens,
        "seconds": round(seconds, 3),
        "notes": notes,
        "about": {key: text for key, text in _about(benchmark).items() if text},
        "protocol": dict(protocol),
        "protocol_hash": protocol_hash(protocol),
    }
    return Result(told, rows)


def write_result(home: Home, run: str, result: Result) -> Path:
    """Write ``result.json``, ``rows.jsonl`` and the run's record; returns the run's folder.

    Where the gold answers are not public, ``submission.json`` holds the answer to each question.
    """
    folder = home.runs / run
    folder.mkdir(parents=True, exist_ok=True)
    if is_unlabelled(result.rows):
        answers = {row.example.id: _prediction(row) for row in result.rows}
        write_atomically(folder / "submission.json", json.dumps(answers, indent=1, ensure_ascii=False).encode())
    write_atomically(folder / "rows.jsonl", b"".join(encode(row) + b"\n" for row in result.rows))
    write_atomically(folder / "result.json", json.dumps(result.told, indent=1, ensure_ascii=False).encode())
    write_run(home, Run(name=run, recipe="bench", status="done", scores=(_score(result),)))
    return folder


def read_result(home: Home, name: str) -> Result:
    """Read a result back.

    Args:
        home: the store.
        name: of a run, or the path of its folder or of a ``result.json``.

    Raises:
        UsageError: there is no result under that name.
    """
    path = Path(name)
    folder = path.parent if path.name == "result.json" else path
    if not (folder / "result.json").is_file():
        folder = home.runs / name
    try:
        told = json.loads((folder / "result.json").read_bytes())
        lines = (folder / "rows.jsonl").read_bytes().splitlines()
    except FileNotFoundError:
        known = [found.parent.name for found in home.runs.glob("*/result.json")]
        raise UsageError(f"There is no benchmark result '{name}'.", closest(name, known)) from None
    return Result(told, [decode(Row, line) for line in lines])


def run_name(benchmark: str, model: str, told: Mapping[str, Any]) -> str:
    """The name of a result: the same model under the same protocol always writes to the same place."""
    plain = model.removeprefix("run:") if model.startswith("run:") else Path(model).name
    short = re.sub(r"[^\w.-]+", "-", plain).strip("-")[-40:]
    return f"{benchmark}-{short or 'responses'}-{protocol_hash(told)[:8]}"


def _about(benchmark: Benchmark) -> dict[str, str]:
    """What is known of the data, where the benchmark says so."""
    source = benchmark.source
    return {
        "licence": source.licence,
        "note": getattr(source, "note", ""),
        "contamination": getattr(benchmark, "contamination", ""),
    }


def is_unlabelled(rows: Sequence[Row]) -> bool:
    """True if no question has a gold answer."""
    return bool(rows) and not any(row.example.answer for row in rows)


def _prediction(row: Row) -> str:
    """The answer as a verifier has brought it into the benchmark's shape, else as it was extracted."""
    (judged,) = row.judged
    for verdict in judged.verdicts.values():
        if verdict.detail.get("prediction") is not None:
            return str(verdict.detail["prediction"])
    return judged.trace.answer or ""


def _score(result: Result) -> Score:
    """The headline, as ``openvlt runs`` shows it."""
    told = result.told
    headline = told["scores"][result.headline]
    key = next(iter(headline["breakdown"]), "")
    return Score(
        stage=str(told["protocol"]["model"].get("id", "responses")),
        benchmark=result.benchmark,
        accuracy=headline["bounds"][0],
        correct=headline["correct"],
        n=headline["n"],
        ci95=(headline["ci95"][0], headline["ci95"][1]),
        by_kind={value: _rate(counts) for value, counts in headline["breakdown"].get(key, {}).items()},
        unparsed=told["unparsed"] / max(told["n"], 1),
        mean_tokens=told["mean_tokens"],
        seconds=told["seconds"],
    )


def _rate(counts: Mapping[str, Any]) -> Rate:
    return Rate(
        accuracy=counts["bounds"][0],
        correct=counts["correct"],
        n=counts["n"],
        ci95=(counts["ci95"][0], counts["ci95"][1]),
    )
