"""What has been scored already, by the names that users give it: results of `openvlt bench`, and models of runs."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import get_args

from openvlt.bench.definition import Definition, define
from openvlt.bench.questions import Questions, questions
from openvlt.bench.replies import read_responses
from openvlt.bench.responses import responses_to
from openvlt.bench.result import Result, is_result, nearest, read_result, result_names
from openvlt.bench.score import score
from openvlt.errors import UsageError, closest
from openvlt.extraction import Reading
from openvlt.records import Image, Row, Run
from openvlt.stages.workspace import Step, Workspace, write_stage
from openvlt.store import Home, StageFolder, find_stage, read_bench, read_run, run_names
from openvlt.store.locks import is_name
from openvlt.tables import is_table


def find_pairs(workspace: Workspace, a: str, b: str, benchmark: str | None = None) -> list[tuple[Result, Result]]:
    """Find what two names have scored on the same benchmarks.

    Args:
        workspace: scores files of responses.
        a: a benchmark result, ``RUN/MODEL``, or a file of responses, which is scored as the other one was.
        b: the same.
        benchmark: its name; None for all that both were scored on.

    Raises:
        UsageError: there is no such thing, or the two were scored on no benchmark in common.
        DataError: its rows are missing or cannot be read.
    """
    if is_file(a) and is_file(b):
        raise UsageError(
            f"'{a}' and '{b}' are files of responses, which do not say what they answer.",
            "Score one of them first: openvlt bench BENCHMARK --responses FILE.",
        )
    sides = [[] if is_file(name) else find_results(workspace.home, name) for name in (a, b)]
    for name, side, other in zip((a, b), sides, reversed(sides), strict=True):
        if is_file(name):
            side.append(_score_file(workspace, Path(name), _of(other, benchmark, name)))
    by_name = {result.record.benchmark: result for result in sides[1]}
    pairs = [(result, by_name[result.record.benchmark]) for result in sides[0] if result.record.benchmark in by_name]
    if not pairs:
        of_a, of_b = (", ".join(result.record.benchmark for result in side) for side in sides)
        raise UsageError(f"'{a}' was scored on {of_a}, '{b}' on {of_b}.", "Compare what was scored on one benchmark.")
    names = [result.record.benchmark for result, _ in pairs]
    if benchmark is not None and benchmark not in names:
        raise UsageError(f"'{a}' and '{b}' were not both scored on '{benchmark}'.", closest(benchmark, names))
    return [pair for name, pair in zip(names, pairs, strict=True) if benchmark in (None, name)]


def find_results(home: Home, name: str) -> list[Result]:
    """Find what a name has scored, on each benchmark.

    Args:
        home: the store.
        name: of a result of `openvlt bench`, alone or with its model, or the path of its folder; what was given to
            `openvlt bench` as the model, for its results; ``RUN/MODEL`` for a model as the tables of the run name it,
            such as ``quickstart/grpo-2`` or ``quickstart/base``; ``RUN`` for the one scored last.

    Raises:
        UsageError: there is no such result, run or model, it has not been scored, or it has several results on a
            benchmark.
        DataError: its record cannot be read.
    """
    if is_result(home, name):
        return [read_result(home, name)]
    of_run, slash, model = name.removeprefix("run:").partition("/")
    runs = list(run_names(home))
    if of_run not in runs and (of_model := _of_model(home, name)):
        return of_model
    if of_run not in runs and not (slash and is_name(of_run)):
        raise UsageError(f"There is no run or benchmark result '{name}'.", nearest(name, runs))
    run = read_run(home, of_run)
    scored = [score for score in run.scores if score.stage == (model or run.scores[-1].stage)]
    if not scored:
        raise _not_scored(run, model)
    return results_of(home, replace(run, scores=tuple(scored)))


def results_of(home: Home, run: Run) -> list[Result]:
    """What the models of a run scored, in the order of its scores; the run may be a result of `openvlt bench`."""
    folder = home.runs / run.name
    if (folder / "result.json").exists():
        return [Result(record, StageFolder(folder), run.name) for record in run.scores]
    return [
        Result(record, find_stage(home, run, f"score-{record.benchmark}-{record.stage}")[1],
               f"{run.name}/{record.stage}", run.name)
        for record in run.scores
    ]  # fmt: skip


def images_of(workspace: Workspace, result: Result, data: str) -> dict[str, tuple[Image, ...]]:
    """The images of the questions of a result by id, which are not read where responses were made elsewhere.

    Args:
        workspace: stores them.
        result: of a benchmark by name.
        data: file or folder with the benchmark's data, as `openvlt bench --data` takes it.

    Raises:
        UsageError: the result is of a benchmark file.
        DataError: the data cannot be read.
    """
    record, registry = result.record, workspace.registry
    if registry.find("benchmark", record.protocol.benchmark).name != record.benchmark:
        raise UsageError(f"'{result.name}' is of the benchmark file '{record.benchmark}'.", "Omit --data.")
    spec = {"use": record.protocol.benchmark, "data": data, "split": record.protocol.data.split}
    loaded = questions(workspace, define(registry, spec, record.protocol.prompt.format))
    return {row.example.id: row.example.images for row in loaded.output.rows()}


def _of_model(home: Home, model: str) -> list[Result]:
    """The results of `openvlt bench` of a model, at most one on each benchmark."""
    found: dict[str, Result] = {}
    for name in result_names(home):
        result = read_result(home, name)
        if result.record.stage != model:
            continue
        if other := found.get(result.record.benchmark):
            raise UsageError(
                f"'{model}' has several results on {result.record.benchmark}.",
                f"Name one: {other.name.partition('/')[0]} or {name}.",
            )
        found[result.record.benchmark] = replace(result, name=f"{name}/{model}")
    return list(found.values())


def is_file(name: str) -> bool:
    """True if a name is that of a file of responses, whether it exists or not."""
    path = Path(name)
    return path.name != "result.json" and (is_table(path) or path.is_file())


def _not_scored(run: Run, model: str) -> UsageError:
    models = list(dict.fromkeys(score.stage for score in run.scores))
    if not models:
        remedy = "Its recipe needs the key bench." if run.status == "done" else "Resume it first."
        return UsageError(f"The run '{run.name}' ({run.status}) has scored no model.", remedy)
    known = f"It has scored {', '.join(models)}"
    if any(name.startswith("score-") and name.endswith(f"-{model}") for name in run.planned):
        return UsageError(f"The run '{run.name}' ({run.status}) has not scored '{model}' yet.", f"{known}; resume it.")
    return UsageError(f"The run '{run.name}' has scored no model '{model}'.", _near(model, models) or f"{known}.")


def _near(name: str, known: list[str]) -> str:
    return closest(name, known) if get_close_matches(name, known, n=1, cutoff=0.5) else ""


def _of(results: list[Result], benchmark: str | None, file: str) -> Result:
    """The result whose benchmark a file of responses is for."""
    names = [result.record.benchmark for result in results]
    if benchmark is None and len(names) > 1:
        raise UsageError(
            f"'{results[0].name}' was scored on {', '.join(names)}.",
            f"Name the one that {file} answers: --benchmark {names[0]}.",
        )
    if benchmark is not None and benchmark not in names:
        raise UsageError(f"'{results[0].name}' was not scored on '{benchmark}'.", closest(benchmark, names))
    return results[names.index(benchmark) if benchmark else 0]


def _score_file(workspace: Workspace, file: Path, like: Result) -> Result:
    """Score a file of responses as a result was scored, with the questions and gold answers of its rows."""
    read_responses(file)  # says what is wrong with the file before the questions are read
    workspace.format = like.record.protocol.prompt.format
    # "tag" holds for trained models alone: of others, all of a response without a tag is the answer.
    readings = {each: each for each in get_args(Reading) if each != "tag"}
    reading = readings.get(like.record.protocol.extraction)
    definition = replace(_definition(workspace, like, file), reading=reading)
    step = Step("load", f"load-{definition.name}", 0, ("questions of", like.digest))
    made = write_stage(workspace, step, lambda: (Row(example=row.example) for row in like.rows()), like.record.n)
    ids = tuple(row.example.id for row in made.rows())
    responses = responses_to(workspace, definition, Questions(made, ids, {}, like.record.protocol.data), file)
    judged, record = score(workspace, f"score-{definition.name}", 0, file.stem, definition, responses)
    return Result(record, judged.folder, str(file))


def _definition(workspace: Workspace, result: Result, file: Path) -> Definition:
    """The benchmark of a result, from its record; of one without its spec from the recipe of its run, or its name."""
    registry, own, name = workspace.registry, result.record.protocol.benchmark, result.record.benchmark
    if result.record.spec:
        return define(registry, result.record.spec, workspace.format)
    if result.run:
        for spec in read_bench(workspace.home, result.run):
            definition = define(registry, spec, workspace.format)
            if definition.name == name:
                return definition
    elif registry.find("benchmark", own).name == name:
        return define(registry, own, workspace.format)
    raise UsageError(
        f"'{result.name}' is of the benchmark file '{name}'.",
        f"Score {file} by that file first: openvlt bench {name}.yaml --responses {file}.",
    )
