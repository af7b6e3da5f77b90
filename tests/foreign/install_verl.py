"""Makes an environment with verl's configuration and data set, for a CPU: ``python tests/foreign/install_verl.py DIR``.

Then ``OPENVLT_VERL_PYTHON=DIR/bin/python uv run pytest tests/foreign``. verl is installed without its dependencies, of
which only those follow that its config classes, its data set and its loader of rewards need; it can train nothing here.
"""

from __future__ import annotations

import subprocess
import sys

VERL = "verl==0.9.0"
NEEDED = (
    "transformers>=5.5.3,<5.11,!=5.6.0", "tensordict>=0.8,<=0.10,!=0.9.0", "torch", "torchvision", "ray", "hydra-core",
    "codetiming", "dill", "pandas", "torchdata", "orjson", "datasets", "pyarrow", "accelerate", "peft", "packaging",
    "qwen-vl-utils", "cachetools",
)  # fmt: skip


def main(folder: str) -> None:
    subprocess.run(["uv", "venv", "--python", "3.11", folder], check=True)
    install = ["uv", "pip", "install", "--python", f"{folder}/bin/python"]
    subprocess.run([*install, "--no-deps", VERL], check=True)
    subprocess.run([*install, *NEEDED], check=True)


if __name__ == "__main__":
    main(sys.argv[1])
