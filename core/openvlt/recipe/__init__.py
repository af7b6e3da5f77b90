"""Recipes: the components and numbers of a whole loop, as a YAML file."""

from openvlt.recipe.read import find_recipes, read_recipe
from openvlt.recipe.schema import Data, ExecutorSpec, Iteration, Recipe, Reinforce, Spec

__all__ = ["Data", "ExecutorSpec", "Iteration", "Recipe", "Reinforce", "Spec", "find_recipes", "read_recipe"]
