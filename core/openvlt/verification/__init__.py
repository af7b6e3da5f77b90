"""From claims to verdicts and rewards, in the same way for data, rewards and benchmarks."""

from openvlt.verification.limits import STEP_SECONDS
from openvlt.verification.reward import Reward, RewardRow
from openvlt.verification.runner import Ask, Tally, VerifierRunner, asking_among
from openvlt.verification.weights import UNWEIGHTED, Weights, WeightSpec, check_weight

__all__ = [
    "STEP_SECONDS",
    "UNWEIGHTED",
    "Ask",
    "Reward",
    "RewardRow",
    "Tally",
    "VerifierRunner",
    "WeightSpec",
    "Weights",
    "asking_among",
    "check_weight",
]
