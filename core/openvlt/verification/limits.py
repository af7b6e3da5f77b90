"""The limits of verification in time and size."""

from __future__ import annotations

CPU_SECONDS = 2.0
"""CPU time of a claim in a worker."""
WALL_SECONDS = 2.3
"""Wall time of a claim in a worker."""
BACKSTOP_SECONDS = 2.4
"""Wall time after which a worker that has not ended itself by the two limits above is killed."""
IDLE_SECONDS = 0.2
"""CPU time up to which a claim that ran out of wall time was only waiting."""
BATCH_SECONDS = 30.0
"""Wall time of all claims of one call."""
START_SECONDS = 60.0
"""Wall time in which a worker must import its verifiers; no claim's clock runs meanwhile."""
MEMORY_BYTES = 1 << 30
"""Memory of a worker beyond what it uses when it is ready."""
MESSAGE_BYTES = 64 << 20
"""Size of a message from a worker."""

TASKS_A_WORKER = 32
"""Tasks of one batch from which another worker is worth its start, which takes longer than most tasks together."""
