"""What several folders of tests share: tiny random models, a home of its own, the plugin of made sums."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from families import FAMILIES
from judge_endpoint import Endpoint
from tiny_models import save_text_model, save_vision_model

# Tests run on all cores already: two threads of torch on one core wait for each other more than they compute.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Where no bytecode may be written, each child compiles torch, transformers and TRL anew: half of a small training.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A job in the background ignores SIGINT, and one under nohup SIGHUP; what it starts must not inherit that.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, lambda *_: None)

# Under `uv run` Ray would start its workers with `uv run` too, which changes the environment under the other tests;
# Ray reads this when it is imported, and vLLM imports it before the executor can say so.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

# The gate must not depend on luck, nor on a machine that has time; new inputs are looked for with `--hypothesis-seed`.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
fuzz = int(os.environ.get("OPENVLT_FUZZ", "0"))  # see tests/benchmarks/fuzz.py
settings.register_profile(
    "fuzz", deadline=None, max_examples=max(1, fuzz), database=None, suppress_health_check=list(HealthCheck)
)
settings.load_profile("fuzz" if fuzz else "steady")


@pytest.fixture(scope="session")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen2 of 2 layers; see `tiny_models.save_text_model`."""
    folder = tmp_path_factory.mktemp("text")
    save_text_model(folder)
    return folder


@pytest.fixture(scope="session")
def vision_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen2.5-VL of 2 layers; see `tiny_models.save_vision_model`."""
    folder = tmp_path_factory.mktemp("vision")
    save_vision_model(folder)
    return folder


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """The folder of a tiny random model of a family; see `families.FAMILIES`."""

    @cache
    def folder(name: str) -> Path:
        FAMILIES[name].save(made := tmp_path_factory.mktemp("family"))
        return made

    with pytest.MonkeyPatch.context() as patch:
        # The processor of SmolVLM wants a package that only writes the numbers of videos in words.
        patch.setattr("transformers.models.smolvlm.processing_smolvlm.num2words", str)
        yield folder


FAKE = Path(__file__).parent / "plugins" / "fake" / "openvlt_fake.py"


@pytest.fixture(scope="session")
def fake_plugin() -> Path:
    """The one-file plugin of made sums and an engine that answers at once."""
    return FAKE


@pytest.fixture
def fake_model(tmp_path: Path) -> Path:
    """A model of the engine ``fake``, right in half of its answers."""
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "skill.json").write_text('{"skill": 0.5}')
    return folder


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A judge that is asked over HTTP; see `judge_endpoint.Endpoint`."""
    served = Endpoint()
    yield served
    served.server.shutdown()
    served.server.server_close()
