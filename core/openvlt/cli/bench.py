"""``openvlt bench``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from openvlt.cli import registry
from openvlt.cli.decoding import NAMES, backend_of, decoding_options, named_model, sampling_of_options
from openvlt.cli.preparation import endpoint_options
from openvlt.cli.verify import READINGS
from openvlt.errors import UsageError
from openvlt.keys import endpoint_key

if TYPE_CHECKING:
    from openvlt.bench.definition import Definition
    from openvlt.bench.questions import Responses
    from openvlt.records import BenchResult, StageRecord
    from openvlt.stages.workspace import Output, Workspace

USED_WITH = {
    ("model",): ("backend", "url", "trained", *NAMES),
    ("responses",): ("columns",),
    ("model", "responses"): ("data", "split", "limit"),
}
"""Options that only apply to some sources of responses."""


@click.command("bench")
@click.argument("benchmarks", nargs=-1, metavar="BENCHMARK...")
@click.option(
    "--model", multiple=True, help="A local folder, a hub id, run:NAME/STAGE, or the id an endpoint serves; repeatable."
)
@click.option("--backend", help="Backend of the model, a name or YAML with options; by default chosen automatically.")
@click.option("--url", multiple=True, help="URL of an OpenAI-compatible endpoint; repeatable.")
@click.option("--trained/--untrained", default=None, help="Whether the model was trained on openvlt's format.")
@click.option("--responses", type=click.Path(path_type=Path), help="Score this file of responses; no model is asked.")
@click.option("--columns", metavar="FIELD=COLUMN,...", help="Columns of that file: id=question_id,response=text.")
@click.option("--rescore", metavar="RUN", help="Score a finished run by another protocol; no model is asked.")
@click.option("--data", type=click.Path(), help="Local file or folder with the columns of the data set.")
@click.option("--split", help="Use another split than the benchmark's.")
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of questions, evenly over the categories.")
@decoding_options
@click.option(
    "--refused", type=click.Choice(["open", "wrong"]), default="open", show_default=True,
    help="What a question counts for that an endpoint refuses for good.",
)  # fmt: skip
@click.option("--reading", type=click.Choice(READINGS), help="Find answers by this reading, not by the benchmark's.")
@click.option("--judge", metavar="MODEL", help="Judge, asked where the rules find no answer or the benchmark says so.")
@click.option("--judge-all", is_flag=True, help="Ask the judge about every response.")
@click.option("--judge-price", metavar="IN/OUT", help="Prices of a million tokens that it reads and writes: 2.5/10.")
@click.option("--judge-url", multiple=True, help="URL of an endpoint that serves the judge; repeatable.")
@endpoint_options
@click.option("--power", type=float, metavar="DIFFERENCE", help="Show how many questions such a difference takes.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def bench(benchmarks: tuple[str, ...], power: float | None, as_json: bool, **options: Any) -> None:
    """Score models or files of responses on benchmarks.

    BENCHMARK is a name (`openvlt list-plugins --kind benchmark`) or the path of a YAML file.
    """
    if power is not None:
        _show_power(power, as_json)
        return
    ways = [name for name in ("model", "responses", "rescore") if options[name]]
    if len(ways) != 1:
        raise UsageError(
            f"{' and '.join(f'--{way}' for way in ways) or 'None of --model, --responses and --rescore'} given.",
            "Give exactly one.",
        )
    if not benchmarks and ways != ["rescore"]:
        raise UsageError("No benchmark is named.", "'openvlt list-plugins --kind benchmark' lists them.")
    if len(benchmarks) > 1 and ways != ["model"]:
        raise UsageError("Responses are of one benchmark, and several are named.", "Name that one.")
    _check_options(ways[0], options)
    results = [
        _one(name, {**options, "model": model}, show=not as_json)
        for name in benchmarks or ("",)
        for model in options["model"] or (None,)
    ]
    if not as_json and len(options["model"]) > 1:
        _show_together(results)
    if as_json:
        shown = [result.as_json() for result in results]
        click.echo(json.dumps(shown[0] if len(shown) == 1 else shown, indent=2, ensure_ascii=False))


def _show_together(results: Sequence[BenchResult]) -> None:
    """Print the headline of several models, each benchmark in one table."""
    from openvlt.cli.results import show_results

    show_results([replace(result, scores={result.headline: replace(result.score, breakdown={})}) for result in results])


def _check_options(way: str, options: dict[str, Any]) -> None:
    """Reject options without effect.

    Raises:
        UsageError: there is one.
    """
    given = click.get_current_context().get_parameter_source
    for needs, names in USED_WITH.items():
        for option in names:
            if given(option) is ParameterSource.COMMANDLINE and way not in needs:
                raise UsageError(
                    f"--{option.replace('_', '-')} has no effect with --{way}.",
                    f"Remove it; it goes with {' and '.join(f'--{each}' for each in needs)}.",
                )
    for option in ("judge_url", "judge_all", "judge_price"):
        if options[option] and not options["judge"]:
            raise UsageError(f"--{option.replace('_', '-')} is given without --judge.", "Name the judge (--judge).")
    if options["judge_price"]:
        _prices(options["judge_price"])
    for url in (*options["url"], *options["judge_url"]):
        endpoint_key(url)  # A key that is missing is an error before the work, not after hours of it.


def _one(name: str, options: dict[str, Any], *, show: bool) -> BenchResult:
    """Score one model on one benchmark, write the result at each budget, and show that of the largest."""
    from openvlt.bench.result import recorded, run_name, write_result
    from openvlt.cli.results import show_notes, show_results
    from openvlt.report.live import make_progress
    from openvlt.stages.workspace import Workspace
    from openvlt.store import digest, open_home

    workspace = Workspace(open_home(), registry(), progress=make_progress())
    responder = str(options["model"] or options["responses"] or options["rescore"])
    # An endpoint may have moved since the command was interrupted; it resumes all the same.
    asked = {key: str(value) for key, value in options.items() if not key.endswith("url")}
    with recorded(workspace, run_name(Path(name).stem or "rescore", responder, digest(name, asked))) as recording:
        for judged, result, stages in _score(workspace, name, options):
            for stage in stages:
                workspace.progress.end(stage)
                recording.ended(stage)
            folder = write_result(workspace.home, result, judged, stages)
            recording.run = replace(recording.run, name=folder.name, scores=(result,))
    if show:
        show_results([result])
        for key, text in result.about.items():
            click.echo(f"{key}: {' '.join(text.split())}")
        if options["judge_price"]:
            click.echo(f"the judge's tokens cost {_cost(result, options['judge_price']):.4f}")
        click.echo(f"protocol {result.protocol_hash[:12]}, result {folder}")
    show_notes([result])
    return result


def _score(
    workspace: Workspace, name: str, options: dict[str, Any]
) -> list[tuple[Output, BenchResult, tuple[StageRecord, ...]]]:
    """Ask the model or read its responses, ask the judge if there is one, and score; once for each budget."""
    from openvlt.bench.aggregate import with_budgets
    from openvlt.bench.asking import refusals_as_wrong
    from openvlt.bench.judging import ask_judge
    from openvlt.bench.layouts import parse_columns
    from openvlt.bench.responses import read_file
    from openvlt.bench.result import read_result, reuse_responses
    from openvlt.bench.score import score
    from openvlt.records import Model

    if options["model"]:
        definition, answered = _ask(workspace, name, options)
    elif options["rescore"]:
        earlier = read_result(workspace.home, options["rescore"])
        workspace.format = earlier.record.protocol.prompt.format
        definition, again = reuse_responses(workspace, earlier, name or None, new_judge=bool(options["judge"]))
        answered = [again]
    else:
        columns = parse_columns(options["columns"]) if options["columns"] else None
        definition, read = read_file(workspace, _spec(name, options), options["responses"], columns)
        answered = [read]
    if options["reading"]:
        if answered[0].judged or answered[0].extracted:
            raise UsageError(
                "--reading has no effect: the answers are extracted by a judge or came with the responses.",
                "Omit --reading.",
            )
        definition = replace(definition, reading=options["reading"])
    scored = []
    judge = Model(id=options["judge"], url=options["judge_url"]) if options["judge"] else None
    for raw in answered:
        counted = refusals_as_wrong(raw) if options["refused"] == "wrong" else raw
        responses = ask_judge(workspace, definition, counted, judge, every=options["judge_all"]) if judge else counted
        called = options["model"] or responses.model.id or Path(responses.model.responses).stem
        judged, result = score(workspace, f"score-{definition.name}", 0, called, definition, responses)
        scored.append((judged, result, (*responses.stages, judged.record)))
    *smaller, (judged, result, stages) = scored
    return [*smaller, (judged, with_budgets(result, [each for _, each, _ in smaller]), stages)]


def _ask(workspace: Workspace, name: str, options: dict[str, Any]) -> tuple[Definition, list[Responses]]:
    """Ask the model; returns its replies as they are at each budget, the largest last."""
    from openvlt.bench.asking import ask
    from openvlt.bench.definition import define
    from openvlt.bench.models import find_model
    from openvlt.bench.questions import questions
    from openvlt.bench.result import draws_before

    backend = backend_of(workspace.registry, options["backend"])
    found = find_model(
        workspace.home, workspace.registry, options["model"], backend, options["url"], options["trained"]
    )
    sampling = sampling_of_options(options, found.max_tokens)
    asked = named_model(found, options, sampling)
    workspace.format = asked.format
    definition = define(workspace.registry, _spec(name, options), asked.format)
    loaded = questions(workspace, definition)
    resolved = workspace.resolve(asked.model)
    workspace.progress.note(f"{resolved.model.id} runs on {resolved.backend.entry.name}: {resolved.reason}")

    def drawn(draws: Mapping[int, int], budget: int | None) -> Responses:
        return ask(
            workspace, f"bench-{definition.name}", 0, loaded, definition, asked.model, sampling, trained=asked.trained,
            system=options["system"], suffix=options["suffix"] or "", draws=draws, budget=budget,
        )  # fmt: skip

    draws = {sampling.seed: sampling.n}
    whole = drawn(draws, None)
    if sampling.temperature:
        draws = draws_before(workspace.home, definition.name, options["model"], whole)
        whole = drawn(draws, None)
    answered = [*(drawn(draws, budget) for budget in sampling.cuts), whole]
    return definition, [replace(each, stages=(loaded.output.record, *each.stages)) for each in answered]


def _prices(given: str) -> tuple[float, float]:
    """What a million tokens cost that a model reads, and that it writes.

    Raises:
        UsageError: the text is none such.
    """
    with suppress(ValueError):
        read, written = map(float, given.split("/"))
        if 0 <= read < math.inf and 0 <= written < math.inf:
            return read, written
    raise UsageError(f"--judge-price is '{given}'.", "Give two prices of a million tokens, read and written: 2.5/10.")


def _cost(result: BenchResult, given: str) -> float:
    read, written = _prices(given)
    replies = result.judge_reply_tokens
    return ((result.judge_tokens - replies) * read + replies * written) / 1e6


def _spec(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """The benchmark as a recipe would write it."""
    given = {key: options[key] for key in ("data", "split", "limit") if options[key] is not None}
    return {"use": name, **given}


def _show_power(difference: float, as_json: bool) -> None:
    from openvlt.bench.stats import items_needed

    if not 0 < difference <= 0.2:
        raise UsageError(f"--power is {difference}.", "Give a difference in accuracy between 0 and 0.2, such as 0.02.")
    needed = {share: items_needed(difference, share) for share in (difference, 0.1, 0.2, 0.3) if share >= difference}
    if as_json:
        click.echo(json.dumps({"difference": difference, "items": {str(k): v for k, v in needed.items()}}, indent=2))
        return
    click.echo(f"Questions that show a difference of {difference:.1%} (two-sided 5 %, power 80 %, McNemar's test):")
    for share, items in needed.items():
        click.echo(f"  {items:>8,} if one of the models alone is right on {share:.0%} of the questions")
