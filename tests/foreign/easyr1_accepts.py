"""Run by a Python that has what verl needs, with EasyR1's sources on its path: ``easyr1_accepts.py FOLDER ARGUMENTS.json``.

It makes EasyR1's configuration of the words of our command as its entry point does, reads the data with EasyR1's own data
set, and asks for a reward through EasyR1's own loader of reward functions. Prints what it finds, as JSON. vLLM, which
only a GPU can use, is replaced by a name.
"""

import importlib.machinery
import json
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock


def without(*names):
    """Modules that can be imported and do nothing."""
    for name in names:
        module = sys.modules[name] = ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        module.__getattr__ = lambda attribute: MagicMock()


def configured(words):
    """As in `verl.trainer.main.main`."""
    from omegaconf import OmegaConf
    from verl.trainer.config import PPOConfig

    config = OmegaConf.merge(OmegaConf.structured(PPOConfig()), OmegaConf.from_dotlist(words))
    config = OmegaConf.to_object(config)
    config.deep_post_init()
    return config


def main(words):
    without("vllm", "vllm.distributed", "vllm.lora", "vllm.lora.request", "verl.utils.vllm_utils")
    config = configured(words)
    from transformers import AutoProcessor, AutoTokenizer
    from verl.utils.dataset import RLHFDataset
    from verl.workers.reward.function import AutoRewardManager

    model, data = config.worker.actor.model.model_path, config.data
    processor, tokenizer = AutoProcessor.from_pretrained(model), AutoTokenizer.from_pretrained(model)
    rows = RLHFDataset(
        data.train_files, tokenizer, processor, prompt_key=data.prompt_key, answer_key=data.answer_key,
        image_key=data.image_key, max_prompt_length=data.max_prompt_length, truncation="right",
        format_prompt=data.format_prompt, min_pixels=data.min_pixels, max_pixels=data.max_pixels,
        filter_overlong_prompts_workers=1,
    )  # fmt: skip
    row = rows[0]
    manager = AutoRewardManager(config.worker.reward, tokenizer)
    answer = json.loads(row["ground_truth"])["openvlt"]["answer"]
    said = {"response": f"<answer>{answer}</answer>", "response_length": 3, "ground_truth": row["ground_truth"]}
    flat = {}

    def walk(tree, above):
        for key, value in tree.items():
            if isinstance(value, dict) and value:
                walk(value, f"{above}{key}.")
            else:
                flat[above + key] = value

    walk(config.to_dict(), "")
    asked = tokenizer.decode(row["raw_prompt_ids"])
    print("FOUND" + json.dumps({
        "config": flat, "rows": len(rows), "paid": manager.reward_fn([said]), "type": manager.reward_type,
        "asked": asked,
    }, default=str))  # fmt: skip


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[2]).read_text()))
