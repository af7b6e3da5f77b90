"""A recipe as it is kept with its run: every component by its id, which names one plugin's for good."""

from __future__ import annotations

from typing import Any

from openvlt.errors import PluginError
from openvlt.interfaces import Kind
from openvlt.recipe import Recipe
from openvlt.registry import Registry


def kept_recipe(recipe: Recipe, registry: Registry) -> dict[str, Any]:
    """The recipe as JSON, with ids (``distribution/name``) where it names components.

    Components within the options of another keep their names, and so does what is in no plugin: a benchmark's file.
    """

    def named(kind: Kind, spec: Any) -> Any:
        try:
            return {**spec, "use": registry.find(kind, spec["use"]).id} if spec else spec
        except PluginError:
            return spec

    def data_named(data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        filters = [named("filter", spec) for spec in data["filters"]]
        return {**data, "source": named("source", data["source"]), "filters": filters}

    tree = recipe.model_dump(mode="json")
    tree["captioner"] = named("captioner", tree["captioner"])
    tree["facts"] = {name: named("fact", spec) for name, spec in tree["facts"].items()}
    tree["verifiers"] = {name: named("verifier", spec) for name, spec in recipe.verifier_specs().items()}
    tree["bench"] = [named("benchmark", spec) for spec in tree["bench"]]
    for iteration in tree["iterations"]:
        if traces := iteration["traces"]:
            select = traces["select"] and [named("filter", spec) for spec in traces["select"]]
            traces |= {"teacher": named("teacher", traces["teacher"]), "select": select}
            traces["data"] = data_named(traces["data"])
        for phase in iteration["train"].values():
            phase |= {"trainer": named("trainer", phase["trainer"]), "data": data_named(phase["data"])}
    return tree
