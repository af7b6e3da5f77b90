"""The vllm backend beside a bare ``LLM.chat`` with the same settings, and beside the hf backend.

Asks a text model 256 prompts with 4 samples each, three ways, and prints tokens a second and their ratios. The bare
engine and the backend take turns on one engine, so that they meet the same machine.
Run: ``python tests/benchmarks/vllm_throughput.py [--model FOLDER] [--prompts 256] [--tokens 64]``; without a folder the
model is SmolLM2-135M-Instruct. Every pass of vLLM begins with no prompt in its cache. The last line is about what an
engine could reach at best: as many tokens as the matrix products allow, were nothing else to do.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from smollm2 import save_plain

from openvlt import Completion, Engine, Image, Message, Model, Rejected, Request, Sampling


def read(image: Image) -> None:
    raise AssertionError("the benchmark sends no image")


def questions(count: int, samples: int, shots: int) -> list[Request]:
    """Prompts that begin alike, as a teacher's do, and end in a question of their own."""
    shapes, colours = ("circle", "square", "triangle", "star"), ("red", "green", "blue", "grey")
    example = "Caption: a {} {}. Question: what colour is it? It says {}, so the answer is {}.\n"
    head = "".join(example.format(c, s, c, c) for c in colours for s in shapes)[: shots * 80]
    tail = "Caption: number {}, a {} {}. Question: what colour is it? Think first."
    texts = [head + tail.format(place, colours[place % 4], shapes[place // 4 % 4]) for place in range(count)]
    return [Request((Message.user(text),), sha256(text.encode()).hexdigest(), tuple(range(samples))) for text in texts]


def rate(ask: Callable[[], int]) -> tuple[float, int]:
    """Tokens a second of one pass, and tokens."""
    start = time.perf_counter()
    written = ask()
    return written / (time.perf_counter() - start), written


def through(engine: Engine, requests: Sequence[Request], sampling: Sampling) -> int:
    """Tokens written through a backend."""
    completions: list[Completion] = []
    for reply in engine.generate(requests, sampling):
        assert not isinstance(reply, Rejected), reply
        completions += reply
    return sum(completion.completion_tokens for completion in completions)


def bare(llm: Any, requests: Sequence[Request], sampling: Sampling) -> int:
    """Tokens written by ``LLM.chat`` alone, without seeds: vLLM on a CPU fails on some prompts with them."""
    from vllm import SamplingParams

    turns = [[{"role": turn.role, "content": turn.content[0]} for turn in request.messages] for request in requests]
    parameters = SamplingParams(
        n=len(requests[0].samples),
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_tokens,
    )
    outputs = llm.chat(turns, parameters, use_tqdm=False)
    return sum(len(sample.token_ids) for output in outputs for sample in output.outputs)


def fresh(llm: Any, ask: Callable[[], int]) -> float:
    """Tokens a second of one pass that finds no prompt in the cache."""
    assert llm.reset_prefix_cache()
    return rate(ask)[0]


def limit(folder: str, dtype: str, requests: Sequence[Request], written: int) -> float:
    """Tokens a second if time went into matrix products alone, and no prompt token were read twice.

    Chat templates are not counted, and every written token is, though the last of a sample is not read.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    sizes = {name: part.weight.numel() for name, part in network.named_modules() if isinstance(part, torch.nn.Linear)}
    head = sizes.pop("lm_head")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompts = [tokenizer(str(request.messages[0].content[0]))["input_ids"] for request in requests]
    shared = next(place for place, tokens in enumerate(zip(*prompts, strict=False)) if len(set(tokens)) > 1)
    read = shared + sum(len(prompt) - shared for prompt in prompts)
    operations = 2 * ((read + written) * sum(sizes.values()) + written * head)
    return written * products(getattr(torch, dtype)) / operations


def products(dtype: Any) -> float:
    """Operations a second of a layer of SmolLM2, at the number of rows that this machine does fastest."""
    import torch

    best = 0.0
    for rows in (64, 256, 512, 2048):
        left, right = torch.rand(rows, 576, dtype=dtype), torch.rand(1536, 576, dtype=dtype)
        for _ in range(20):
            start = time.perf_counter()
            torch.nn.functional.linear(left, right)
            best = max(best, 2 * left.numel() * len(right) / (time.perf_counter() - start))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a folder; by default SmolLM2-135M-Instruct")
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--shots", type=int, default=8, help="worked examples all prompts share")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hf-rounds", type=int, default=1)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--eager", action="store_true")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        if options.model is None:
            save_plain(Path(folder), options.dtype)
        measure(options, options.model or folder)


def measure(options: argparse.Namespace, folder: str) -> None:
    from openvlt_plugins.hf.backend import HfBackend
    from openvlt_plugins.vllm.backend import VllmBackend
    from openvlt_plugins.vllm.engine import VllmEngine

    model = Model(id=folder, dtype=options.dtype, context=2048)
    requests = questions(options.prompts, options.samples, options.shots)
    sampling = Sampling(n=options.samples, temperature=0.7, top_p=0.95, max_tokens=options.tokens)
    with HfBackend().open(model, read) as engine:  # type: ignore[arg-type]
        through(engine, requests[:4], sampling)
        hf, written = max(rate(lambda: through(engine, requests, sampling)) for _ in range(options.hf_rounds))
        print(f"hf                {hf:7.0f} tokens/s", flush=True)
    with VllmBackend(eager=options.eager, cache=4.0).open(model, read) as engine:  # type: ignore[arg-type]
        assert isinstance(engine, VllmEngine)
        llm = engine.llm
        bare(llm, requests[:4], sampling)
        through(engine, requests[:4], sampling)
        pairs = [
            (fresh(llm, lambda: bare(llm, requests, sampling)), fresh(llm, lambda: through(engine, requests, sampling)))
            for _ in range(options.rounds)
        ]
        for alone, ours in pairs:
            print(f"one after the other: bare {alone:.0f}, vllm {ours:.0f} tokens/s, ratio {ours / alone:.2f}")
    alone, ours = (max(figures) for figures in zip(*pairs, strict=True))
    print(f"bare LLM.chat     {alone:7.0f} tokens/s")
    print(f"vllm              {ours:7.0f} tokens/s, {ours / alone:.2f} of the bare engine, {ours / hf:.2f} times hf")
    print(f"products alone    {limit(folder, options.dtype, requests, written):7.0f} tokens/s")


if __name__ == "__main__":
    main()
