"""Which benchmark a name or a YAML file means, and where its questions come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from openvlt.errors import DataError, UsageError
from openvlt.interfaces import Benchmark
from openvlt.records import Format
from openvlt.registry import Built, Registry
from openvlt.registry.targets import is_data, read_data


@dataclass(frozen=True, slots=True)
class Defined:
    """A benchmark that is ready to be asked or scored.

    Attributes:
        name: what it is called in results.
        built: the component.
        is_file: it stands in a YAML file of the user's.
    """

    name: str
    built: Built
    is_file: bool = False

    @property
    def benchmark(self) -> Benchmark:
        component = self.built.component
        assert isinstance(component, Benchmark)
        return component


def define(
    registry: Registry, name: str, format: Format, *, data: Path | None = None, split: str | None = None
) -> Defined:
    """Build a benchmark.

    Args:
        registry: the plugins.
        name: a benchmark's name, or the path of a YAML file.
        format: how the policy is asked and answers.
        data: a local file or folder to read the questions from.
        split: another split than the benchmark's own.

    Raises:
        PluginError: there is no such benchmark.
        UsageError: the file is no definition, or the benchmark's data cannot be replaced.
    """
    path = Path(name)
    is_file = path.suffix in (".yaml", ".yml")
    spec: dict[str, Any] = _read(path) if is_file else {"use": name}
    if data is not None:
        spec["source"] = {**_source(registry, name, spec), "path": str(data)}
    if split is not None:
        spec["split"] = split
    built = registry.build("benchmark", spec, format=format, where=str(path) if is_file else "")
    defined = Defined(path.stem if is_file else built.entry.name, built, is_file)
    splits = defined.benchmark.source.splits
    if splits and defined.benchmark.split not in splits:
        raise UsageError(
            f"The benchmark {defined.name} has no split '{defined.benchmark.split}'.", f"It has {', '.join(splits)}."
        )
    return defined


def carries_golds(registry: Registry, name: str, format: Format, file: Path) -> Defined | None:
    """The benchmark with the response file itself as its data, if that holds the questions and their gold answers."""
    try:
        defined = define(registry, name, format, data=file)
        first = next(iter(defined.benchmark.source.examples(defined.benchmark.split)), None)
    except (DataError, UsageError):
        return None
    return defined if first is not None else None


def _read(path: Path) -> dict[str, Any]:
    try:
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The benchmark file '{path}' cannot be read: {error.strerror}.", "Check the path.") from error
    except yaml.YAMLError as error:
        raise UsageError(f"The benchmark file '{path}' is not YAML: {error}.", "Mend it.") from error
    if not (isinstance(spec, dict) and isinstance(spec.get("use"), str)):
        raise UsageError(f"'{path}' defines no benchmark: it has no key 'use'.", "Begin it with 'use: qa'.")
    return spec


def _source(registry: Registry, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The source of a benchmark that is data."""
    source = spec.get("source")
    entry = registry.find("benchmark", spec["use"])
    if source is None and is_data(entry.target):
        source = read_data(entry.target).get("source")
    if isinstance(source, dict):
        return source
    raise UsageError(f"The benchmark {name} brings its own data; --data cannot replace it.", "Leave --data out.")
