"""Downloads what the GPU check needs beside torch and what comes with it: ``python tests/gpu/wheels.py FOLDER``.

Found there are torch, torchvision, transformers, accelerate, peft, pyarrow and pandas, with what they need. The wheels are
for Python 3.12 on Linux and together under 60 MB; openvlt's own is among them, without which no plugin is found. On the
machine with the GPU: ``pip install --no-deps FOLDER/*.whl``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "trl==1.16.0", "datasets", "dill", "multiprocess", "xxhash", "pydantic", "pydantic-core", "typing-inspection",
    "annotated-types", "pluggy", "click", "rich", "markdown-it-py", "mdurl", "pygments", "platformdirs", "sympy",
    "mpmath", "aiohttp", "aiohappyeyeballs", "aiosignal", "attrs", "frozenlist", "multidict", "propcache", "yarl",
)  # fmt: skip
SOURCES = ("pylatexenc<3",)
"""Pure Python that has no wheel."""
LIMIT = 60_000_000
"""Bytes of all wheels."""


def download(folder: Path) -> None:
    pip, quiet = ["uv", "tool", "run", "pip"], ["--no-deps", "--quiet"]
    target = ["--python-version", "3.12", "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64"]
    only = ["--only-binary", ":all:", "--implementation", "cp", "--dest", str(folder)]
    subprocess.run([*pip, "download", *quiet, *target, *only, *PACKAGES], check=True)
    subprocess.run([*pip, "wheel", *quiet, "--wheel-dir", str(folder), *SOURCES], check=True)
    subprocess.run(["uv", "build", "--quiet", "--wheel", "--out-dir", str(folder), str(ROOT)], check=True)


def check(folder: Path) -> list[str]:
    """What is wrong with the wheels of a folder; nothing if all is well."""
    files = sorted(folder.glob("*.whl"))
    names = {file.name.partition("-")[0].lower().replace("_", "-") for file in files}
    wanted = {re.split("[=<]", package)[0] for package in (*PACKAGES, *SOURCES, "openvlt")}
    size = sum(file.stat().st_size for file in files)
    print(f"{len(files)} wheels, {size / 1e6:.1f} MB")
    problems = [f"{name} is missing" for name in sorted(wanted - names)]
    problems += [f"{file.name} is for another Python" for file in files if not fits(file.name)]
    return problems + ([f"they have {size:,} bytes, over {LIMIT:,}"] if size > LIMIT else [])


def fits(name: str) -> bool:
    """Whether a wheel is for any Python 3, or for CPython 3.12 on Linux."""
    _, python, abi, platform = name.removesuffix(".whl").rsplit("-", 3)
    own = "cp312" in python or abi == "abi3"
    return (platform == "any" and "py3" in python) or (own and "linux" in platform and "x86_64" in platform)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    download(target)
    found = check(target)
    print("\n".join(found))
    sys.exit(bool(found))
