"""The limits of verification in time and size."""

from __future__ import annotations

LOOK_SECONDS = 2.4
"""Wall time after which a claim without a reply is looked at, and looked at again."""
GRACE_SECONDS = 0.4
"""Wall time of a claim that waits, beyond the seconds of its verifier."""
IDLE_SECONDS = 0.2
"""CPU time between two looks up to which a claim that sleeps was only waiting."""
PATIENCE_SECONDS = 60.0
"""Wall time of a claim on a machine that gives it no CPU time, or of a worker that is stopped."""
STEP_SECONDS = 30.0
"""Wall time of all claims of one training step; a stage has no such limit."""
START_SECONDS = 60.0
"""CPU time in which a worker must import its verifiers, and wall time in which it must go on computing."""
TIGHT_BYTES = 256 << 20
"""Memory available on the machine below which no second worker starts, and no killed worker is a claim's fault."""
MESSAGE_BYTES = 64 << 20
"""Size of a message from a worker."""

CRASHES = 2
"""Workers that a claim must crash before it is to blame."""
KILLS = 3
"""Workers that must be killed from outside, one after the other and all at the same claim, before it is to blame."""
STARTS = 8
"""Starts that must fail one after the other before none is tried any more."""
WAITS = 3
"""Times that a claim must wait without computing before it has timed out."""
LOSSES = 10
"""Claims that must get no verdict one after the other, for want of a machine or of a verifier that computes, before the
others are not tried any more."""

TASKS_A_WORKER = 32
"""Tasks of one batch from which another worker is worth its start, which takes longer than most tasks together."""
