"""Recipes: their schema, how they are found and read, and what is wrong in one."""

from openvlt.recipe.parsing import parse, problem_of, read_yaml
from openvlt.recipe.paths import anchored
from openvlt.recipe.reading import find_recipes, read_recipe
from openvlt.recipe.schema import TRACES, Data, ExecutorSpec, Iteration, Phase, Recipe, Traces

__all__ = [
    "TRACES",
    "Data",
    "ExecutorSpec",
    "Iteration",
    "Phase",
    "Recipe",
    "Traces",
    "anchored",
    "find_recipes",
    "parse",
    "problem_of",
    "read_recipe",
    "read_yaml",
]
