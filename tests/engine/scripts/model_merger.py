"""EasyR1's merger, which writes into the checkpoint."""

import sys
from pathlib import Path

from verl.engine import merge

if __name__ == "__main__":
    shards = Path(sys.argv[sys.argv.index("--local_dir") + 1])
    merge(shards, shards / "huggingface")
