"""Which benchmark a name or a YAML file means, what scores it, and where its questions come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openvlt.errors import DataError, UsageError, closest
from openvlt.extraction import Reading
from openvlt.interfaces import Benchmark, Verifier
from openvlt.recipe import anchored, read_yaml
from openvlt.recipe.positions import Key
from openvlt.records import Example, Format
from openvlt.registry import Built, Registry, Where
from openvlt.registry.targets import is_data, read_data
from openvlt.store.locks import is_name
from openvlt.verification import asking_among

PROBE = "so it is"
"""A response that is more than a bare answer, so that every benchmark with a judge has a prompt for it."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A benchmark that is ready to be asked and scored.

    Attributes:
        name: what it is called in results.
        benchmark: the component.
        verifiers: by scoring; the first is the headline.
        is_file: True if a YAML file of the user's defines it.
        reading: how to find answers, in place of the benchmark's own reading.
    """

    name: str
    benchmark: Built[Benchmark]
    verifiers: Mapping[str, Built[Verifier]]
    is_file: bool = False
    reading: Reading | None = None

    @property
    def baselines(self) -> dict[str, Callable[[Example], str]]:
        """The benchmark's baselines, by name."""
        with self.benchmark.guarded():
            found = dict(self.benchmark.component.baselines())
            if not all(is_name(name) and callable(guesser) for name, guesser in found.items()):
                raise TypeError("its baselines are no functions with names")
            return found

    def asks_judge(self, example: Example) -> bool:
        """True if the official scoring asks a judge about responses that are more than a bare answer."""
        benchmark = self.benchmark.component
        with self.benchmark.guarded():
            return bool(benchmark.judge_extraction(example, PROBE) or benchmark.judge_score(example, PROBE))


def define(
    registry: Registry,
    spec: str | Mapping[str, Any],
    format: Format,
    *,
    data: Path | None = None,
    split: str | None = None,
    where: Where = "",
) -> Definition:
    """Build a benchmark and the verifiers of its scorings.

    Args:
        registry: the plugins.
        spec: a benchmark's name, or the path of a YAML file; or a mapping with that under ``use``, and options.
        format: how the policy is asked and answers.
        data: a local file or folder to read the questions from.
        split: another split than the benchmark's own.
        where: source position of the spec, or what gives those of its options, for error messages.

    Raises:
        PluginError: there is no such benchmark or verifier.
        UsageError: the file defines no benchmark, an option is wrong, the benchmark's data cannot be replaced, or it
            has no such split.
    """
    options: dict[str, Any] = {"use": spec} if isinstance(spec, str) else dict(spec)
    path = Path(str(options["use"]))
    is_file = path.suffix in (".yaml", ".yml")
    if is_file:
        file, lines = _read(path, where("") if callable(where) else where)
        where = _where_in_file(path, {key: line for key, line in lines.items() if key[0] not in options}, where)
        options = {**file, **options, "use": file["use"]}
    if data is not None:
        options["source"] = {**_source(registry, options), "path": str(data)}
    if split is not None:
        options["split"] = split
    built = registry.build(Benchmark, options, format=format, where=where)
    at = where("") if callable(where) else where
    verifiers = {
        scoring: registry.build(Verifier, name, format=format, where=f"{at} scoring '{scoring}'".strip())
        for scoring, name in built.component.scorings.items()
    }
    if asking := asking_among(verifiers):
        raise UsageError(
            f"The scoring '{next(iter(asking))}' of the benchmark {built.entry.name} asks a model.",
            "Name a verifier that decides by rules; --judge asks the judge of a benchmark's own scoring.",
        )
    definition = Definition(path.stem if is_file else built.entry.name, built, verifiers, is_file)
    splits, chosen = built.component.source.splits, built.component.split
    if splits and chosen not in splits:
        told = f"{where('split') if callable(where) else at}: " if at else ""
        raise UsageError(f"{told}The benchmark {definition.name} has no split '{chosen}'.", closest(chosen, [*splits]))
    return definition


def define_on_file(registry: Registry, name: str, format: Format, file: Path) -> Definition | None:
    """The benchmark with a response file as its data; None if that file has no questions with gold answers."""
    try:
        definition = define(registry, name, format, data=file)
        benchmark = definition.benchmark.component
        first = next(iter(benchmark.source.examples(benchmark.split)), None)
    except (DataError, UsageError):
        return None
    return definition if first is not None else None


def _where_in_file(path: Path, lines: Mapping[Key, int], where: Where) -> Where:
    """The positions of the options that a benchmark's file sets; of others those of the spec that names the file."""

    def position(option: str) -> str:
        if line := lines.get((option,)):
            return f"{path}:{line}: {option}"
        return (where(option) if callable(where) else where) or str(path)

    return position


def _read(path: Path, where: str) -> tuple[dict[str, Any], dict[Key, int]]:
    try:
        spec, lines = read_yaml(path, "benchmark")
    except UsageError as error:
        raise UsageError(f"{where}: {error.problem}" if where else error.problem, error.remedy) from error
    if not (isinstance(spec, dict) and isinstance(spec.get("use"), str)):
        raise UsageError(f"'{path}' defines no benchmark: it has no key 'use'.", "Begin it with 'use: qa'.")
    return dict(anchored(spec, path.parent)), lines


def _source(registry: Registry, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The source of a benchmark that is data."""
    source = spec.get("source")
    entry = registry.find("benchmark", spec["use"])
    if source is None and is_data(entry.target):
        source = read_data(entry.target).get("source")
    if isinstance(source, dict):
        return source
    raise UsageError(f"The data of the benchmark {entry.name} cannot be replaced.", "Omit --data.")
