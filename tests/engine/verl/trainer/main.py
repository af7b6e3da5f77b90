"""``python -m verl.trainer.main`` of EasyR1."""

import json
from pathlib import Path

from verl.engine import RIGHT, settings, train


def score(compute_score, rows, step):
    """EasyR1 asks for all responses together."""
    chosen = [rows[(step + number) % len(rows)] for number in range(step % 3 + 1)]
    golds = [json.loads(row["answer"])["openvlt"]["answer"] for row in chosen]
    said = [RIGHT.format(gold if number % 2 == 0 else gold + "9") for number, gold in enumerate(golds)]
    inputs = [
        {"response": text, "ground_truth": row["answer"], "response_length": 3}
        for row, text in zip(chosen, said, strict=True)
    ]
    return sum(each["overall"] for each in compute_score(inputs))


if __name__ == "__main__":
    found = settings()
    last = found["trainer.load_checkpoint_path"]
    folder = Path(found["trainer.save_checkpoint_path"])
    assert "{{ content }}" in Path(found["data.format_prompt"]).read_text()
    train(
        {
            "all": found, "folder": folder, "files": sorted(map(str, Path(found["data.train_files"]).iterdir())),
            "score": score, "resumed": int(last.rpartition("_")[2]) if last else 0,
            "model": found["worker.actor.model.model_path"], "steps": found["trainer.max_steps"],
            "reward": found["worker.reward.reward_function"].rpartition(":")[0],
            "metrics": folder / "experiment_log.jsonl", "save_every": found["trainer.save_freq"],
        },
        "easyr1",
    )  # fmt: skip
