"""``python -m verl.trainer.main_ppo``."""

import os
from pathlib import Path

from verl.engine import RIGHT, settings, train


def score(compute_score, rows, step):
    """verl asks for each response."""
    total = 0.0
    for number in range(step % 3 + 1):
        row = rows[(step + number) % len(rows)]
        gold = row["reward_model"]["ground_truth"]
        said = RIGHT.format(gold if number % 2 == 0 else gold + "9")
        total += compute_score(
            data_source=row["data_source"], solution_str=said, ground_truth=gold,
            extra_info={**row["extra_info"], "num_turns": None, "rollout_reward_scores": {}},
        )["score"]  # fmt: skip
    return total


if __name__ == "__main__":
    found = settings()
    folder = Path(found["trainer.default_local_dir"])
    tracker = folder / "latest_checkpointed_iteration.txt"
    train(
        {
            "all": found, "folder": folder, "files": found["data.train_files"], "score": score,
            "resumed": int(tracker.read_text()) if tracker.exists() else 0,
            "model": found["actor_rollout_ref.model.path"], "steps": found["trainer.total_training_steps"],
            "reward": found["reward.custom_reward_function.path"], "metrics": os.environ["VERL_FILE_LOGGER_PATH"],
            "save_every": found["trainer.save_freq"],
        },
        "verl",
    )  # fmt: skip
