"""Claims go in, verdicts and rewards come out: the same for data, reward and benchmark."""

from openvlt.verification.judge import Judge, Tally
from openvlt.verification.reward import Reward, RewardRow

__all__ = ["Judge", "Reward", "RewardRow", "Tally"]
