"""The engines the contract is tested on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import Serve, Served, start

from openvlt import Image, Model, Request
from tiny_models import CONTEXT, FIGURES, Opened, picture, served


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for line in config.stash[FIGURES]:
        terminalreporter.write_line(line)


@pytest.fixture(scope="module")
def hf(vision_model: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    from openvlt_plugins.hf.backend import HfBackend

    backend = HfBackend(threads=1)
    with backend.open(Model(id=str(vision_model), context=CONTEXT), picture) as engine:
        yield Opened("hf", backend, engine, CONTEXT, request.config.stash[FIGURES])


@pytest.fixture(scope="module")
def vllm(vision_model: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    pytest.importorskip("vllm", reason="needs the group engines")
    from openvlt_plugins.vllm.backend import VllmBackend

    backend = VllmBackend(eager=True, cache=0.25)
    with backend.open(Model(id=str(vision_model), context=CONTEXT), picture) as engine:
        yield Opened("vllm", backend, engine, CONTEXT, request.config.stash[FIGURES])


@pytest.fixture(scope="module")
def openai(
    vision_model: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Opened]:
    """The endpoint is a real one, ``vllm serve``, which takes most of a minute to start, once for all its tests."""
    pytest.importorskip("vllm", reason="needs the group engines")
    from openvlt_plugins.openai.backend import OpenAIBackend

    backend = OpenAIBackend(concurrency=16)
    with served(vision_model, tmp_path_factory.mktemp("serve") / "log") as url:
        model = Model(id="tiny", context=CONTEXT, url=(url,))
        with backend.open(model, picture) as engine:
            yield Opened("openai", backend, engine, CONTEXT, request.config.stash[FIGURES])


# Each starts vLLM once, so its tests stay in one worker.
SLOW = [pytest.param(name, marks=[pytest.mark.slow, pytest.mark.xdist_group("engines")]) for name in ("openai", "vllm")]


@pytest.fixture(scope="module", params=["hf", *SLOW])
def opened(request: pytest.FixtureRequest) -> Opened:
    """Each backend in turn."""
    backend: Opened = request.getfixturevalue(request.param)
    return backend


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts fault servers; each is stopped when the test ends."""
    started: list[Served] = []

    def one_more(*options: str) -> Served:
        started.append(start(*options))
        return started[-1]

    yield one_more
    for each in started:
        each.stop()


@pytest.fixture(scope="session")
def prompt_length(vision_model: Path) -> Callable[[Request], int]:
    """Counts a request's tokens with the model's own processor: 16 for an image of 64 x 64."""
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(vision_model)

    def count(asked: Request) -> int:
        turns = [
            {
                "role": turn.role,
                "content": [
                    {"type": "image"} if isinstance(part, Image) else {"type": "text", "text": part}
                    for part in turn.content
                ],
            }
            for turn in asked.messages
        ]
        images = [picture(part) for turn in asked.messages for part in turn.content if isinstance(part, Image)]
        text = processor.apply_chat_template(turns, add_generation_prompt=True)
        return len(processor(text=[text], images=images or None)["input_ids"][0])

    return count
