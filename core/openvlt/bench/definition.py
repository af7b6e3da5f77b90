"""Which benchmark a name, a YAML file or a mapping means, what scores it, and where its questions come from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from openvlt.errors import DataError, OpenvltError, UsageError, WrongResult, closest
from openvlt.extraction import Reading
from openvlt.interfaces import Benchmark, Verifier
from openvlt.recipe import anchored, read_yaml
from openvlt.recipe.own_data import name_of
from openvlt.recipe.positions import SourcePositions, split
from openvlt.records import Example, Format, Rejected
from openvlt.registry import Built, Registry, Spec, Where
from openvlt.registry.entries import Entry
from openvlt.registry.targets import is_data, read_data
from openvlt.results import check_size
from openvlt.store.locks import is_name
from openvlt.tables import is_table
from openvlt.verification import asking_among

HEAD = 32
"""Rows of a response file in which questions with gold answers are looked for."""
PROBE = "so it is"
"""A response that is more than a bare answer, so that every benchmark with a judge has a prompt for it."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A benchmark that is ready to be asked and scored.

    Attributes:
        name: what it is called in results.
        benchmark: the component.
        verifiers: by scoring; the first is the headline.
        limit: maximum number of questions, None for all.
        is_file: True if a YAML file of the user's defines it.
        reading: how to find answers, in place of the benchmark's own reading.
        position: source position of where its data is named; empty if it has none.
        names_data: True if the spec or the user's file says where the questions come from.
        spec: a mapping that `define` makes the same benchmark from.
    """

    name: str
    benchmark: Built[Benchmark]
    verifiers: Mapping[str, Built[Verifier]]
    limit: int | None = None
    is_file: bool = False
    reading: Reading | None = None
    position: str = ""
    names_data: bool = False
    spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def baselines(self) -> dict[str, Callable[[Example], str]]:
        """The benchmark's baselines, by name."""
        with self.benchmark.guarded("baselines"):
            found = dict(self.benchmark.component.baselines())
            if not all(is_name(name) and callable(guesser) for name, guesser in found.items()):
                raise WrongResult("its baselines are no functions with names")
            return found

    @cached_property
    def size(self) -> int | None:
        """Maximum number of questions, None if it is unknown before they are read."""
        benchmark = self.benchmark.component
        with self.benchmark.guarded("size"):
            known = (self.limit, check_size(benchmark.source.size(benchmark.split)))
        return min((count for count in known if count is not None), default=None)

    @contextmanager
    def reading_data(self) -> Iterator[None]:
        """Says in errors of the data where it is named."""
        try:
            yield
        except OpenvltError as error:
            raise error.at(self.position) if self.position else error from error

    def asks_judge(self, example: Example) -> bool:
        """True if the official scoring asks a judge about responses that are more than a bare answer."""
        benchmark = self.benchmark.component
        with self.benchmark.guarded("judge_extraction"):
            return bool(benchmark.judge_extraction(example, PROBE) or benchmark.judge_score(example, PROBE))


def define(registry: Registry, spec: Spec, format: Format, *, where: Where = "") -> Definition:
    """Build a benchmark and the verifiers of its scorings.

    Args:
        registry: the plugins.
        spec: a benchmark's name, or the path of a YAML file; or a mapping with that under ``use``. Keys of the mapping
            override those of the file. Beside the benchmark's options they are ``name`` (what it is called), ``data``
            (a local file or folder to read the questions from) and ``limit`` (maximum number of questions).
        format: how the policy is asked and answers.
        where: source position of the spec, or what gives those of its keys, for error messages.

    Raises:
        PluginError: there is no such benchmark or verifier.
        UsageError: the file defines no benchmark, a key is wrong, the benchmark's data cannot be replaced, or it has no
            such split.
    """
    options: dict[str, Any] = {"use": spec} if isinstance(spec, str) else dict(spec)
    position: Callable[[str], str] = where if callable(where) else lambda key: where
    path = Path(str(options["use"]))
    is_file = path.suffix in (".yaml", ".yml")
    if is_file:
        file, position = _read(path, options, position)
        options = {**file, **options, "use": file["use"]}
    key = next((key for key in ("data", "source") if key in options), "")
    try:
        if is_table(path):
            raise UsageError(
                f"'{path}' is a file of rows, which does not say how answers to it are scored.",
                f"Write {{use: qa, split: train, scorings: {{strict: answer}}, source: {{use: rows, path: {path}}}}}.",
            )
        name, data, limit = _checked(*(options.pop(key, None) for key in Benchmark.spec_keys))
        if data is not None:
            options["source"] = {**_source(registry, options), "path": data}
        built = registry.build(Benchmark, options, format=format)
        name = name or (path.stem if is_file else _name(built.entry, options))
        verifiers = _verifiers(registry, built, format)
        _check_split(name, built.component)
    except OpenvltError as error:
        if not (at := position(error.option)):
            raise
        raise error.at(at) from error
    return Definition(
        name=name, benchmark=built, verifiers=verifiers, limit=limit, is_file=is_file, position=position(key),
        names_data=bool(key), spec={**options, "name": name},
    )  # fmt: skip


def _name(entry: Entry, options: Mapping[str, Any]) -> str:
    """The name of a benchmark that no file defines: its own, or that of the questions which are given to a class."""
    source = None if is_data(entry.target) else options.get("source")
    paths = source.get("path") if isinstance(source, Mapping) else None
    if not paths:
        return entry.name
    name = name_of(str(paths[0] if isinstance(paths, list) else paths))
    return f"{entry.name}-{name}" if name[-1].isdigit() else name  # load-1 loads the examples of iteration 1


def define_on_file(registry: Registry, spec: Mapping[str, Any], format: Format, file: Path) -> Definition | None:
    """The benchmark with a response file as its data; None if that file has no questions with gold answers."""
    try:
        definition = define(registry, {**spec, "data": str(file)}, format)
        benchmark = definition.benchmark.component
        head = list(islice(benchmark.source.examples(benchmark.split), HEAD))
    except (DataError, UsageError):
        return None
    return definition if any(not isinstance(each, Rejected) for each in head) else None


def _read(
    path: Path, given: Mapping[str, Any], where: Callable[[str], str]
) -> tuple[dict[str, Any], Callable[[str], str]]:
    """The keys of a benchmark's file, and the source positions of all keys: those in `given` are not the file's."""
    try:
        spec, lines = read_yaml(path, "benchmark")
    except UsageError as error:
        if not (at := where("")):
            raise
        raise error.at(at) from error
    if not (isinstance(spec, dict) and isinstance(spec.get("use"), str)):
        raise UsageError(f"'{path}' defines no benchmark: it has no key 'use'.", "Begin it with 'use: qa'.")
    positions = SourcePositions(path, lines)

    def position(key: str) -> str:
        steps = split(key or "use")
        is_given = key and steps[0] in given
        return where(key) if is_given else f"{positions.of(steps)}: {key or 'use'}"

    return dict(anchored(spec, path.parent)), position


def _checked(name: object, data: object, limit: object) -> tuple[str, str | None, int | None]:
    """The keys that every benchmark has."""
    if name is not None and not (isinstance(name, str) and is_name(name)):
        raise UsageError(f"The name of a benchmark is {name!r}.", "Use letters, digits, dots and dashes.", "name")
    if data is not None and not isinstance(data, str):
        raise UsageError(f"The data of a benchmark is {data!r}.", "Name a file or a folder.", "data")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise UsageError(f"The limit of a benchmark is {limit!r}.", "It must be a whole number, at least 1.", "limit")
    return name or "", data and os.path.expanduser(data), limit


def _source(registry: Registry, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The source of a benchmark that is data."""
    source = spec.get("source")
    entry = registry.find("benchmark", spec["use"])
    if source is None and is_data(entry.target):
        source = read_data(entry.target).get("source")
    if isinstance(source, dict):
        return source
    raise UsageError(f"The data of the benchmark {entry.name} cannot be replaced.", "Remove data (--data).", "data")


def _verifiers(registry: Registry, built: Built[Benchmark], format: Format) -> dict[str, Built[Verifier]]:
    """The verifier of each scoring."""
    found: dict[str, Built[Verifier]] = {}
    for scoring, name in built.component.scorings.items():
        try:
            found[scoring] = registry.build(Verifier, name, format=format)
        except OpenvltError as error:
            raise type(error)(error.problem, error.remedy, f"scorings.{scoring}") from error
    if asking := asking_among(found):
        raise UsageError(
            f"The scoring '{next(iter(asking))}' of the benchmark {built.entry.name} asks a model.",
            "Name a verifier that decides by rules; --judge asks the judge of a benchmark's own scoring.",
            f"scorings.{next(iter(asking))}",
        )
    return found


def _check_split(name: str, benchmark: Benchmark) -> None:
    splits, chosen = benchmark.source.splits, benchmark.split
    if splits and chosen not in splits:
        raise UsageError(f"The benchmark {name} has no split '{chosen}'.", closest(chosen, [*splits]), "split")
