"""``openvlt try``: runs one component while its author works on it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openvlt.cli import registry
from openvlt.cli.plugins import KindChoice
from openvlt.cli.preparation import endpoint_options, spec_of, value_of
from openvlt.errors import UsageError

if TYPE_CHECKING:
    from openvlt.interfaces import Kind


@click.command("try")
@click.argument("kind", type=KindChoice())
@click.argument("name")
@click.option("--source", metavar="SPEC", help="Source of the examples; sources and benchmarks have their own.")
@click.option("--split", metavar="NAME", help="Split of the source.")
@click.option("--limit", type=click.IntRange(1), default=3, show_default=True, help="Number of examples.")
@click.option("--set", "settings", multiple=True, metavar="OPTION=VALUE", help="Set one of its options; repeatable.")
@click.option("--model", metavar="SPEC", help="Model that a benchmark or backend asks; else replaces its model.")
@click.option("--caption", metavar="TEXT", help="Caption for a teacher that reads captions.")
@click.option("--captioner", metavar="SPEC", help="Captioner for a teacher that reads captions.")
@click.option("--response", metavar="TEXT", help="Response to verify; by default the gold answer, well formed.")
@endpoint_options
def try_component(
    kind: Kind,
    name: str,
    source: str | None,
    split: str | None,
    limit: int,
    settings: tuple[str, ...],
    model: str | None,
    caption: str | None,
    captioner: str | None,
    response: str | None,
) -> None:
    """Run one component on a few examples; show messages, raw response and parsed result. Nothing is cached.

    A SPEC is a name or YAML as in a recipe: '{use: rows, path: data.jsonl}', '{id: my/model, backend: hf}'; a source
    may also be a file or a folder of rows, or a hub id.
    """
    from openvlt.bench.definition import define
    from openvlt.cli.trial import Trial

    if kind in ("filter", "trainer"):
        raise UsageError(
            f"A {kind} cannot be tried: it needs the output of a run.",
            "Add it to a recipe and run 'openvlt train RECIPE --plan'.",
        )
    spec: dict[str, Any] = {"use": name, **dict(map(setting, settings))}
    if model and kind not in ("benchmark", "backend"):
        spec["model"] = value_of(model)
    with tempfile.TemporaryDirectory(prefix="openvlt-try-") as folder:
        trial = Trial.open(registry(), Path(folder), click.echo)
        if kind == "benchmark":
            spec |= {"limit": limit} | ({"split": split} if split else {})
            defined = define(registry(), spec, trial.workspace.format)
            trial.bench(defined, trial.questions(defined), value_of(model))
            return
        built = trial.build(kind, spec)
        examples = trial.examples(built, spec_of(source) if source else None, split, limit)
        match kind:
            case "source":
                trial.source(examples)
            case "captioner":
                trial.caption(built, examples)
            case "teacher":
                writer = trial.build("captioner", value_of(captioner)) if captioner else None
                trial.teach(built, examples, caption, writer)
            case "fact":
                trial.tell(built, examples)
            case "verifier":
                trial.verify(built, examples, response)
            case "backend":
                trial.ask(name, examples, value_of(model))


def setting(text: str) -> tuple[str, Any]:
    option, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"'--set {text}' has no '='.", "Write --set option=value.")
    return option, value_of(value)
