"""A recipe as it is kept with its run: every component by its id, which names one plugin's for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from openvlt.errors import PluginError
from openvlt.interfaces import Kind, kind_of
from openvlt.recipe import Recipe
from openvlt.records import Model
from openvlt.registry import Registry


def kept_recipe(recipe: Recipe, registry: Registry) -> dict[str, Any]:
    """The recipe as JSON, with ids (``distribution/name``) where it names components, also within options.

    What is in no plugin keeps its name: a benchmark's file. So do the verifiers that a benchmark's scorings name.
    """

    ids, tree = _Ids(registry), recipe.model_dump(mode="json")
    tree |= {"base": ids.model(tree["base"]), "captioner": ids.named("captioner", tree["captioner"])}
    tree["facts"] = {name: ids.named("fact", spec) for name, spec in tree["facts"].items()}
    tree["verifiers"] = {name: ids.named("verifier", spec) for name, spec in recipe.verifier_specs().items()}
    tree["bench"] = ids.named("benchmark", tree["bench"])
    for iteration in tree["iterations"]:
        if traces := iteration["traces"]:
            traces |= {
                "teacher": ids.named("teacher", traces["teacher"]),
                "select": ids.named("filter", traces["select"]),
            }
            traces["data"] = ids.data(traces["data"])
        for phase in iteration["train"].values():
            phase |= {"trainer": ids.named("trainer", phase["trainer"]), "start": ids.model(phase["start"])}
            phase["data"] = ids.data(phase["data"])
    return tree


@dataclass(frozen=True, slots=True)
class _Ids:
    """Puts ids for the names of components."""

    registry: Registry

    def named(self, kind: Kind, spec: Any) -> Any:
        if isinstance(spec, list):
            return [self.named(kind, each) for each in spec]
        if spec is None:
            return None
        try:
            id = self.registry.find(kind, spec if isinstance(spec, str) else spec["use"]).id
        except PluginError:
            return spec
        if isinstance(spec, str):
            return id
        try:
            hints = {option.name: option.hint for option in self.registry.describe(kind, id).options}
        except PluginError:  # told where it is built
            hints = {}
        return {**{option: self.valued(hints.get(option), value) for option, value in spec.items()}, "use": id}

    def valued(self, hint: Any, value: Any) -> Any:
        """The value of an option that is a component or a model."""
        types = [each for each in _types(hint) if isinstance(each, type)]
        if Model in types:
            return self.model(value)
        kind = next((found for each in types if (found := kind_of(each))), None)
        return self.named(kind, value) if kind and isinstance(value, str | dict) else value

    def model(self, value: Any) -> Any:
        return {**value, "backend": self.named("backend", value["backend"])} if _has_backend(value) else value

    def data(self, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {
            **data,
            "source": self.named("source", data["source"]),
            "filters": self.named("filter", data["filters"]),
        }


def _has_backend(model: Any) -> bool:
    return isinstance(model, dict) and bool(model.get("backend"))


def _types(hint: Any) -> list[Any]:
    """A type and those that it is made of."""
    return [hint, *(found for part in get_args(hint) for found in _types(part))]
