"""From claims to verdicts and rewards, in the same way for data, rewards and benchmarks."""

from openvlt.verification.reward import Reward, RewardRow
from openvlt.verification.runner import Tally, VerifierRunner

__all__ = ["Reward", "RewardRow", "Tally", "VerifierRunner"]
