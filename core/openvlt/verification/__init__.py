"""From claims to verdicts and rewards, in the same way for data, rewards and benchmarks."""

from openvlt.verification.limits import STEP_SECONDS
from openvlt.verification.reward import Reward, RewardRow
from openvlt.verification.runner import Tally, VerifierRunner

__all__ = ["STEP_SECONDS", "Reward", "RewardRow", "Tally", "VerifierRunner"]
