"""Papers on reinforcement learning for vision-language models; each is a file of this package."""

from openvlt import Register, hookimpl

TRAINERS = {
    "gspo": "one importance ratio for each response",
    "cispo": "clips the weight of a token, never its gradient",
    "dr-grpo": "no division by length or standard deviation",
    "dapo": "clips higher, and replaces prompts without a difference in reward",
    "noisy-rollout": "half of a group sees a distorted image",
    "papo": "what is written must depend on the image",
    "vl-rethinker": "forced rethinking, and replay of groups that teach",
}


@hookimpl
def register_trainers(register: Register) -> None:
    for name, summary in TRAINERS.items():
        target = f"openvlt_papers:{name.replace('-', '_')}.yaml"
        register(name, target, summary=summary, requires=("torch", "transformers", "trl"))


@hookimpl
def register_filters(register: Register) -> None:
    register("thinklite", "openvlt_papers.thinklite:ThinkLite", summary="questions that take the policy many attempts")


@hookimpl
def register_verifiers(register: Register) -> None:
    register("perception", "openvlt_papers.perception_r1:Perception", summary="share of what is visible that is told")
