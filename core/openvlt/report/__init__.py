"""What a person sees: progress while a run goes on, tables when it has ended."""

from openvlt.report.live import make_progress
from openvlt.report.tables import plan_table, runs_table, scores_table, stages_table

__all__ = ["make_progress", "plan_table", "runs_table", "scores_table", "stages_table"]
