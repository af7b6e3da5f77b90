"""What a recipe may say, where it is found, and what is said of a mistake in it."""

from openvlt.recipe.reading import find_recipes, read_recipe
from openvlt.recipe.schema import TRACES, Data, ExecutorSpec, Iteration, Phase, Recipe, Traces

__all__ = ["TRACES", "Data", "ExecutorSpec", "Iteration", "Phase", "Recipe", "Traces", "find_recipes", "read_recipe"]
