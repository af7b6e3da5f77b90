"""The backend hf beside transformers' own generate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from families import FAMILIES
from openvlt import Completion, Format, Image, Model, Request, Sampling, UsageError
from openvlt.pipeline.model_checks import check_model
from openvlt.registry import Registry
from openvlt.stages.workspace import Workspace
from openvlt.store import open_home
from openvlt_plugins.hf.backend import HfBackend
from tiny_models import SPECIAL, picture, request

QUESTIONS = ("Is there a red circle?", "What shape does the image contain?", "Think step by step.")


def reference(folder: Path, requests: list[Request], **decoding: Any) -> list[str]:
    """What ``generate`` writes, one request at a time."""
    import torch

    from openvlt_plugins.hf.loading import load
    from openvlt_plugins.hf.prompts import collate, encode

    loaded = load(Model(id=str(folder)))
    network = type(loaded.network).from_pretrained(folder, attn_implementation="eager")
    replies = []
    for each in requests:
        inputs = collate([encode(each.messages, loaded, picture)], 0, torch.device("cpu"))
        # Explicit, or the model's own generation config counts.
        plain = {"do_sample": False, "temperature": None, "top_k": None, "top_p": None, "repetition_penalty": 1.0}
        suppressed = {"suppress_tokens": list(loaded.suppressed) or None}
        ids = network.generate(**inputs, max_new_tokens=24, **{**plain, **suppressed, **decoding})
        text = loaded.tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        replies.append(text.rstrip("\ufffd"))
    return replies


def greedy(folder: Path, requests: list[Request], **fields: Any) -> list[str]:
    with HfBackend(batch=4).open(Model(id=str(folder)), picture) as engine:
        replies = engine.generate(requests, Sampling(max_tokens=24, **fields))
    return [reply[0].text for reply in replies if isinstance(reply, list)]


def test_text_is_what_generate_writes(text_model: Path) -> None:
    requests = [request(question) for question in QUESTIONS]
    assert greedy(text_model, requests) == reference(text_model, requests)


def test_a_shared_prefix_changes_nothing(text_model: Path) -> None:
    examples = "Is there a red circle? yes. Is there a blue square? no. " * 4
    requests = [request(examples + question) for question in QUESTIONS]
    assert greedy(text_model, requests) == reference(text_model, requests)


def test_a_repetition_penalty_counts_the_prompt(text_model: Path) -> None:
    requests = [request(question) for question in QUESTIONS]
    assert greedy(text_model, requests, repetition_penalty=1.3) == reference(
        text_model, requests, repetition_penalty=1.3
    )


def test_a_presence_penalty_counts_the_reply_alone(text_model: Path) -> None:
    """So large a penalty lets no token be written twice, the prompt's included."""
    requests = [request(question, samples=(0, 1)) for question in QUESTIONS]
    sampling = Sampling(max_tokens=24, temperature=1.0, presence_penalty=1e6)
    with HfBackend(batch=4).open(Model(id=str(text_model)), picture) as engine:
        decoded: list[list[int]] = []
        keep = engine._completion  # type: ignore[attr-defined]
        engine._completion = lambda sample, cuts: decoded.append(sample.tokens) or keep(sample, cuts)  # type: ignore[attr-defined]
        engine.generate(requests, sampling)
    assert len(decoded) == 6 and all(len(set(tokens)) == len(tokens) for tokens in decoded)
    assert greedy(text_model, requests, presence_penalty=1e-9) == greedy(text_model, requests)


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_a_cut_is_what_a_lower_limit_leaves(text_model: Path, vision_model: Path, penalty: float) -> None:
    requests = [request(question + " really" * place) for place, question in enumerate(QUESTIONS * 3)]
    for folder in (text_model, vision_model):
        with HfBackend(batch=4).open(Model(id=str(folder)), picture) as engine:
            fields = {"repetition_penalty": penalty}
            whole = engine.generate(requests, Sampling(max_tokens=24, cuts=(1, 7, 16, 23), **fields))
            for cut in (1, 7, 16, 23):
                short = engine.generate(requests, Sampling(max_tokens=cut, **fields))
                found = [reply[0].cuts.get(cut, reply[0].text) for reply in whole if isinstance(reply, list)]
                assert found == [reply[0].text for reply in short if isinstance(reply, list)]


def test_images_are_read_as_generate_reads_them(vision_model: Path) -> None:
    requests = [
        request(Image("red", 64, 64), "What colour?"),
        request(Image("blue", 64, 64), "and", Image("grey", 128, 64), "Which is larger?"),
        request("No image at all."),
    ]
    assert greedy(vision_model, requests) == reference(vision_model, requests)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_read_as_generate_reads_it_or_refused(family: Callable[[str], Path], name: str) -> None:
    """With images of one tile and of several in a batch, and a prompt without any."""
    requests = [
        request(Image("red", 64, 64), "What colour?"),
        request(Image("green", 200, 90), "What colour is it?"),
        request(Image("blue", 64, 40), "and", Image("grey", 128, 64), "Which is larger?"),
        request("No image at all."),
    ]
    if name == "Qwen3.5":
        with pytest.raises(UsageError, match="hf cannot run models of the type qwen3_5"):
            greedy(family(name), requests)
        return
    HfBackend().check(json.loads((family(name) / "config.json").read_bytes()))
    replies = greedy(family(name), requests)
    assert replies == reference(family(name), requests)
    assert len({*replies, *greedy(family(name), [request(Image("blue", 64, 64), "What colour?")])}) == 5


@pytest.mark.parametrize("who", ["base", "teacher policy", "trained"])
def test_an_architecture_is_refused_before_any_work(
    family: Callable[[str], Path], who: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where a model is asked, the policy's too, which is the base's, and not where it is only trained."""
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path))
    base = Model(id=str(family("Qwen3.5")))
    workspace = Workspace(open_home(), Registry.discover([]), Format(), models={"base": base})
    if who == "trained":
        check_model(workspace, base, "phase sft-1", "train.sft.start", None)
        return
    with pytest.raises(
        UsageError, match=r"hf cannot run models of the type qwen3_5, whose layers are linear_attention"
    ):
        check_model(workspace, Model(id=who.rsplit(maxsplit=1)[-1]), who, "")


def test_a_chunk_does_not_change_a_reply(text_model: Path) -> None:
    requests = [request(question + " really" * place, samples=(0, 1)) for place, question in enumerate(QUESTIONS * 3)]
    sampling = Sampling(max_tokens=48, temperature=1.0)
    with HfBackend(batch=5).open(Model(id=str(text_model)), picture) as engine:
        together = engine.generate(requests, sampling)
        alone = [engine.generate([each], sampling)[0] for each in requests]
    assert together == alone


def test_waiting_sequences_take_the_rows_of_those_that_ended(text_model: Path) -> None:
    requests = [request(question + " really" * place) for place, question in enumerate(QUESTIONS * 6)]
    sampling = Sampling(max_tokens=96, temperature=1.5)
    passes = 0

    def count(*_: object) -> None:
        nonlocal passes
        passes += 1

    with HfBackend(batch=6).open(Model(id=str(text_model)), picture) as engine:
        engine.loaded.network.register_forward_hook(count)  # type: ignore[attr-defined]
        replies = engine.generate(requests, sampling)
    lengths = [reply[0].completion_tokens for reply in replies if isinstance(reply, list)]
    batches = [lengths[start : start + 6] for start in range(0, len(lengths), 6)]
    assert min(lengths) < max(lengths), "replies of one length show nothing"
    assert passes < sum(map(max, batches)), "a batch was written to its end before the next began"


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_rows_that_change_hands_keep_what_each_sequence_saw(text_model: Path, penalty: float) -> None:
    """Short prompts before long ones and long before short, with and without a prefix that all share."""
    shared = "Is there a red circle? yes. Is there a blue square? no. " * 4
    sampling = Sampling(max_tokens=32, temperature=1.5, repetition_penalty=penalty)
    for head in ("", shared):
        requests = [
            request(head + "Is it really " * (place % 4 * 20) + f"{place}?", samples=(0, 1)) for place in range(12)
        ]
        with HfBackend(batch=3).open(Model(id=str(text_model)), picture) as engine:
            together = engine.generate(requests, sampling)
            alone = [engine.generate([each], sampling)[0] for each in requests]
        assert together == alone


def test_a_nucleus_of_one_token_is_greedy(text_model: Path) -> None:
    requests = [request(question) for question in QUESTIONS]
    plain = greedy(text_model, requests)
    assert greedy(text_model, requests, temperature=1.0, top_p=1e-6) == plain
    assert greedy(text_model, requests, temperature=1.0, top_k=1) == plain


def test_draws_follow_the_distribution() -> None:
    import torch

    from openvlt import choose_tokens, uniform_draws

    probabilities = torch.tensor([0.05, 0.5, 0.15, 0.3])
    draws = uniform_draws("key", 0, 0, 20_000)
    rows = probabilities.log().expand(len(draws), -1)
    everything = choose_tokens(rows, Sampling(temperature=1.0), draws).bincount(minlength=4) / len(draws)
    assert torch.allclose(everything, probabilities, atol=0.02)
    nucleus = choose_tokens(rows, Sampling(temperature=1.0, top_p=0.7), draws).bincount(minlength=4) / len(draws)
    assert torch.allclose(nucleus, torch.tensor([0.0, 0.625, 0.0, 0.375]), atol=0.02)
    top = choose_tokens(rows, Sampling(temperature=1.0, top_k=3), draws).bincount(minlength=4) / len(draws)
    assert torch.allclose(top, torch.tensor([0.0, 0.5, 0.15, 0.3]) / 0.95, atol=0.02)


@pytest.mark.parametrize("bias", [True, False])
def test_a_packed_layer_multiplies_like_a_plain_one(bias: bool) -> None:
    import torch

    from openvlt_plugins.hf.linear import PackedLinear, pack

    network = torch.nn.Sequential(torch.nn.Linear(48, 80, bias=bias), torch.nn.Linear(80, 16, dtype=torch.bfloat16))
    plain = network[0]
    pack(network)
    assert isinstance(network[0], PackedLinear) and isinstance(network[1], torch.nn.Linear)
    with torch.inference_mode():
        for shape in ((1, 48), (70, 1, 48), (3, 5, 48)):
            rows = torch.rand(shape)
            assert torch.allclose(network[0](rows), plain(rows), atol=1e-5)


def test_a_shorter_reply_draws_the_same_numbers() -> None:
    from openvlt import uniform_draws

    assert uniform_draws("key", 1, 0, 8).tolist() == uniform_draws("key", 1, 0, 64)[:8].tolist()
    assert uniform_draws("key", 1, 0, 8).tolist() != uniform_draws("key", 2, 0, 8).tolist()


def test_bfloat16_and_pixels_are_honoured(vision_model: Path) -> None:
    model = Model(id=str(vision_model), dtype="bfloat16", pixels=(128 * 128, 128 * 128))
    with HfBackend().open(model, picture) as engine:
        (reply,) = engine.generate([request(Image("red", 64, 64), "What?")], Sampling(max_tokens=2))
    assert isinstance(reply, list) and isinstance(reply[0], Completion)
    assert reply[0].prompt_tokens > 64  # (128 / (8 * 2)) ** 2 image tokens


def test_a_text_model_refuses_an_image(text_model: Path) -> None:
    with (
        HfBackend().open(Model(id=str(text_model)), picture) as engine,
        pytest.raises(UsageError, match="reads text only"),
    ):
        engine.generate([request(Image("red", 64, 64), "What?")], Sampling())


@pytest.mark.parametrize("model", [Model(id="/no/such/folder"), Model(id="no-such.gguf")])
def test_a_missing_model_is_a_usage_error(model: Model) -> None:
    with pytest.raises(UsageError, match="cannot be loaded"), HfBackend().open(model, picture):
        pass


def test_pickled_weights_are_refused(text_model: Path, tmp_path: Path) -> None:
    for file in text_model.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"not read")
    with pytest.raises(UsageError, match="cannot be loaded"), HfBackend().open(Model(id=str(tmp_path)), picture):
        pass


@pytest.mark.parametrize("text", SPECIAL)
@pytest.mark.parametrize("sees", [False, True])
def test_a_prompt_has_the_control_tokens_of_its_template_alone(
    text: str, sees: bool, text_model: Path, vision_model: Path
) -> None:
    from openvlt_plugins.hf.loading import load
    from openvlt_plugins.hf.prompts import encode

    loaded = load(Model(id=str(vision_model if sees else text_model)))
    special = set(loaded.tokenizer.all_special_ids)
    images = [Image("red", 64, 64)] if sees else []

    def control(question: str) -> list[int]:
        return [id for id in encode(request(*images, question).messages, loaded, picture).ids if id in special]

    assert control(f"What is {text}? {text}{text}<{text}") == control("What is that?")
    assert encode(request("a <b> & <think> | [INST]").messages, loaded, picture).ids == [
        *loaded.tokenizer("<|im_start|>user\na <b> & <think> | [INST]<|im_end|>\n<|im_start|>assistant\n")["input_ids"]
    ]


@pytest.mark.parametrize("size", [(1, 1), (1, 100), (3, 200), (100, 3), (2, 2)])
def test_small_images_are_asked(vision_model: Path, size: tuple[int, int]) -> None:
    with HfBackend().open(Model(id=str(vision_model)), picture) as engine:
        (reply,) = engine.generate([request(Image("red", *size), "What colour?")], Sampling(max_tokens=4))
    assert isinstance(reply, list)
