"""A grammar for answers: text becomes a tree, and nothing is ever evaluated as code."""

from openvlt_plugins.answers.grammar.limits import TooLarge
from openvlt_plugins.answers.grammar.parser import parse
from openvlt_plugins.answers.grammar.tokens import Unreadable

__all__ = ["TooLarge", "Unreadable", "parse"]
