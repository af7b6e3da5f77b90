"""Compiles a recipe to one list of stages, and carries it out or shows it."""

from openvlt.pipeline.compiling import compile_recipe
from openvlt.pipeline.model_checks import check_packages
from openvlt.pipeline.pipeline import Pipeline
from openvlt.pipeline.stage import Stage

__all__ = ["Pipeline", "Stage", "check_packages", "compile_recipe"]
