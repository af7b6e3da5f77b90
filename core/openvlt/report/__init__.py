"""What a run leaves for people: progress while it goes on, tables and pages when it has ended."""

from openvlt.report.card import Card
from openvlt.report.live import console, make_progress
from openvlt.report.tables import plan_table, runs_table, stages_table

__all__ = [
    "Card",
    "console",
    "make_progress",
    "plan_table",
    "runs_table",
    "stages_table",
]
