"""What a person sees: progress while a run goes on, tables when it has ended."""

from openvlt.report.live import console, make_progress
from openvlt.report.tables import gains, plan_table, runs_table, scores_table, stages_table

__all__ = ["console", "gains", "make_progress", "plan_table", "runs_table", "scores_table", "stages_table"]
