"""The limits of verification in time and size."""

from __future__ import annotations

CPU_SECONDS = 2.0
"""a claim may compute in a worker"""
WALL_SECONDS = 2.3
"""a claim may take in a worker, whatever it does"""
BACKSTOP_SECONDS = 2.4
"""until a worker that has not been ended by its own limits is killed"""
IDLE_SECONDS = 0.2
"""of computing, below which a claim that ran out of wall time was only waiting"""
BATCH_SECONDS = 30.0
"""all claims of one call may take in the workers"""
START_SECONDS = 60.0
"""a worker may take to import its verifiers; no claim's clock runs meanwhile"""
MEMORY_BYTES = 1 << 30
"""a worker may grow beyond what it holds when it is ready"""
MESSAGE_BYTES = 64 << 20
"""between a worker and the core"""

TASKS_A_WORKER = 32
"""Tasks of one batch from which another worker is worth its start, which takes longer than most tasks together."""
