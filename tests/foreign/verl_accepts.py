"""Run by a Python that has verl: ``verl_accepts.py FOLDER ARGUMENTS.json``; prints what verl makes of them, as JSON.

It composes verl's configuration from the words of our command, checks it as verl's trainer does, builds its config
classes, reads the data with verl's own data set and asks for a reward through verl's own loader of reward functions.
"""

import asyncio
import inspect
import json
import sys
from pathlib import Path


def main(folder, words):
    from hydra import compose, initialize_config_module
    from omegaconf import OmegaConf

    with initialize_config_module("verl.trainer.config", version_base=None):
        config = compose("ppo_trainer", overrides=words)
    OmegaConf.resolve(config)
    from verl.utils.config import omega_conf_to_dataclass, validate_config

    validate_config(config, use_reference_policy=True, use_critic=False)
    actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    rollout = omega_conf_to_dataclass(config.actor_rollout_ref.rollout)
    from transformers import AutoProcessor, AutoTokenizer
    from verl.trainer.ppo.reward import get_custom_reward_fn
    from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

    model = config.actor_rollout_ref.model.path
    processor, tokenizer = AutoProcessor.from_pretrained(model), AutoTokenizer.from_pretrained(model)
    data = RLHFDataset(list(config.data.train_files), tokenizer, config.data, processor)
    row = collate_fn([data[0]])
    score = get_custom_reward_fn(config)
    known = {"num_turns": None, "rollout_reward_scores": {}}
    gold = row["reward_model"][0]["ground_truth"]
    paid = score(
        data_source=row["data_source"][0], solution_str=f"<answer>{gold}</answer>", ground_truth=gold,
        extra_info={**row["extra_info"][0], **known},
    )  # fmt: skip
    if inspect.isawaitable(paid):
        paid = asyncio.run(paid)
    flat = {}

    def walk(tree, above):
        for key, value in tree.items():
            if isinstance(value, dict) and value:
                walk(value, f"{above}{key}.")
            else:
                flat[above + key] = value

    walk(OmegaConf.to_container(config), "")
    print("FOUND" + json.dumps({
        "config": flat, "rows": len(data), "paid": paid, "keys": sorted(row),
        "classes": [type(actor).__name__, type(rollout).__name__], "lr": actor.optim.lr, "n": rollout.n,
        "clip": [actor.clip_ratio_low, actor.clip_ratio_high, actor.clip_ratio_c],
    }, default=str))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()))
