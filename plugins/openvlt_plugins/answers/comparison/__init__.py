"""Equality of two parsed answers under a stated policy."""

from openvlt_plugins.answers.comparison.compare import Comparison
from openvlt_plugins.answers.comparison.policy import Policy

__all__ = ["Comparison", "Policy"]
