"""A grammar for answers: it parses text to a tree and never evaluates it as code."""

from openvlt_plugins.answers.grammar.limits import TooLarge
from openvlt_plugins.answers.grammar.parser import parse
from openvlt_plugins.answers.grammar.tokens import Unreadable

__all__ = ["TooLarge", "Unreadable", "parse"]
