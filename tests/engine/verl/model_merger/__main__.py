"""``python -m verl.model_merger merge``."""

import sys
from pathlib import Path

from verl.engine import merge

if __name__ == "__main__":
    words = sys.argv[1:]
    assert words[:3] == ["merge", "--backend", "fsdp"]
    merge(*(Path(words[words.index(name) + 1]) for name in ("--local_dir", "--target_dir")))
