"""The decode loop: prompts in, completions out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import pad

from openvlt import Completion, ImageReader, Reject, Rejected, Request, Sampling, uniform_draws
from openvlt_plugins.hf.attention import KeyValues
from openvlt_plugins.hf.decoding import Batch, Sample
from openvlt_plugins.hf.loading import Loaded
from openvlt_plugins.hf.prompts import Prompt, collate, common_prefix, encode

_PREFIX_MULTIPLE = 32  # a shared prefix is rounded down to a multiple of this, so that consecutive chunks share it
_REFILL_BELOW = 0.9  # finished rows are replaced once less than this fraction of the batch is unfinished


class HfEngine:
    """An open model.

    Args:
        loaded: the model.
        read: decodes images.
        batch: most samples decoded together.
    """

    def __init__(self, loaded: Loaded, read: ImageReader, *, batch: int) -> None:
        self.loaded = loaded
        self.read = read
        self.batch = batch
        self._shared_ids: list[int] = []
        self._shared: KeyValues | None = None

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion] | Rejected]:
        """Answer the requests in order; a prompt over the context and refused images are `Rejected`."""
        prompts: dict[int, Prompt] = {}
        responses: list[list[Completion] | Rejected] = [[] for _ in requests]
        for number, request in enumerate(requests):
            try:
                prompts[number] = self._encode(request)
            except Reject as reject:
                responses[number] = Rejected(id=request.key, reason=reject.reason)
        # Sorted by length, so that the prompts of a batch need little padding.
        samples = [
            self._sample(number, index, requests[number], prompts[number], sampling)
            for number in sorted(prompts, key=lambda number: len(prompts[number].ids))
            for index in requests[number].samples
        ]
        with torch.inference_mode():
            shared = self._share(list(prompts.values()))
            self._decode(deque(samples), sampling, shared)
        completions = {(sample.request, sample.index): self._completion(sample, sampling.cuts) for sample in samples}
        for number in prompts:
            responses[number] = [completions[number, index] for index in requests[number].samples]
        return responses

    def _encode(self, request: Request) -> Prompt:
        prompt = encode(request.messages, self.loaded, self.read)
        if len(prompt.ids) >= self.loaded.context:
            raise Reject(f"the prompt is over the context of {self.loaded.context} tokens")
        return prompt

    def _sample(self, number: int, index: int, request: Request, prompt: Prompt, sampling: Sampling) -> Sample:
        limit = min(sampling.max_tokens, self.loaded.context - len(prompt.ids))
        return Sample(number, index, prompt, uniform_draws(request.key, index, sampling.seed, limit))

    def _share(self, prompts: Sequence[Prompt]) -> KeyValues | None:
        """Keys and values of the common prefix of all prompts; those of the last chunk are cached."""
        length = common_prefix(prompts, _PREFIX_MULTIPLE)
        if not length or _slides(self.loaded.network.config.get_text_config()):
            return None
        ids = prompts[0].ids[:length]
        if ids != self._shared_ids:
            cache = self._cache(None)
            self._forward(cache, input_ids=torch.tensor([ids], device=self.loaded.network.device))
            self._shared_ids, self._shared = ids, cache
        return self._shared

    def _cache(self, shared: KeyValues | None) -> KeyValues:
        config = self.loaded.network.config.get_text_config()
        # The last layers of Gemma 4 read the keys and values of earlier ones, and have none.
        return KeyValues(config.num_hidden_layers - (getattr(config, "num_kv_shared_layers", None) or 0), shared)

    def _forward(self, cache: KeyValues, **inputs: Any) -> torch.Tensor:
        """Logits of the last position, (rows, vocabulary) in float32."""
        output = self.loaded.network(
            **inputs, past_key_values=cache, use_cache=True, logits_to_keep=1, shared=cache.shared
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        if self.loaded.suppressed:
            logits[:, list(self.loaded.suppressed)] = float("-inf")
        return logits

    def _decode(self, waiting: deque[Sample], sampling: Sampling, shared: KeyValues | None) -> None:
        """Decode all samples; waiting ones take the rows of finished ones.

        A finished row costs as much as an unfinished one until it is replaced or dropped, but either one copies the
        cache of the whole batch, so it is done for several rows at once. The random numbers of a sample depend only on
        its request and index, so they are the same in whichever batch and row it is decoded.
        """
        batch = None
        while batch or waiting:
            batch = batch or self._read(_take(waiting, self.batch), sampling, shared)
            tokens = batch.choose(sampling)
            alive = self._append(batch.samples, tokens.tolist(), sampling.stop)
            full = len(alive) > _REFILL_BELOW * len(batch.samples)
            if not alive:
                batch = None
                continue
            if not waiting and not full:
                batch.keep(rows := torch.tensor(alive, device=tokens.device))
                tokens = tokens[rows]
            self._advance(batch, tokens)
            if waiting and not full:
                finished = [row for row, sample in enumerate(batch.samples) if sample.finished]
                new = self._read(_take(waiting, len(finished)), sampling, shared)
                batch.replace(torch.tensor(finished[: len(new.samples)], device=tokens.device), new)

    def _read(self, samples: list[Sample], sampling: Sampling, shared: KeyValues | None) -> Batch:
        """Prefill a batch; each prompt is read once, however many samples it has."""
        network = self.loaded.network
        unique = list({id(sample.prompt): sample.prompt for sample in samples}.values())
        indices = {id(prompt): index for index, prompt in enumerate(unique)}
        rows = torch.tensor([indices[id(sample.prompt)] for sample in samples], device=network.device)
        cache = self._cache(shared)
        inputs = collate(unique, cache.get_seq_length(), network.device)
        width = inputs["input_ids"].shape[1]
        # The network computes the rotary positions, which have several dimensions in Qwen-VL; the mask has the prefix.
        positions = network._prepare_position_ids_for_generation(inputs["input_ids"], dict(inputs))
        logits = self._forward(cache, **{**inputs, "position_ids": positions[..., -width:]})[rows]
        cache.select(rows)
        return Batch(
            samples,
            cache,
            mask=inputs["attention_mask"][rows, -width:],
            positions=positions[..., rows, -1:],
            logits=logits,
            seen=_seen(samples, logits) if sampling.repetition_penalty != 1 else None,
            written=torch.zeros_like(logits, dtype=torch.bool) if sampling.presence_penalty else None,
        )

    def _advance(self, batch: Batch, tokens: torch.Tensor) -> None:
        """Decode one step with the chosen tokens, (rows,)."""
        shared = batch.cache.shared.get_seq_length() if batch.cache.shared else 0
        batch.mask = pad(batch.mask, (0, 1), value=1)
        batch.positions = batch.positions + 1
        batch.logits = self._forward(
            batch.cache,
            input_ids=tokens.unsqueeze(1),
            attention_mask=pad(batch.mask, (shared, 0), value=1),
            position_ids=batch.positions,
        )

    def _append(self, samples: Sequence[Sample], tokens: Sequence[int], stops: Sequence[str]) -> list[int]:
        """Append a token to each unfinished sample; returns the rows that are still unfinished."""
        alive = []
        for row, (sample, token) in enumerate(zip(samples, tokens, strict=True)):
            if sample.finished:
                continue
            sample.tokens.append(token)
            if token in self.loaded.eos or (stops and self._stopped(sample, stops)):
                sample.finished = "stop"
            elif len(sample.tokens) >= len(sample.draws):
                sample.finished = "length"
            else:
                alive.append(row)
        return alive

    def _stopped(self, sample: Sample, stops: Sequence[str]) -> bool:
        """Truncate the reply at its first stop string, if it has one."""
        # Only the end of the reply can have a new one: to decode all of it at every step would be quadratic.
        tail = self._text(sample.tokens[-max(map(len, stops)) - 4 :])
        if not any(stop in tail for stop in stops):
            return False
        text = self._text(sample.tokens)
        starts = [start for stop in stops if (start := text.find(stop)) >= 0]
        if starts:
            sample.text = text[: min(starts)]
        return bool(starts)

    def _text(self, tokens: Sequence[int]) -> str:
        text: str = self.loaded.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def _completion(self, sample: Sample, cuts: Sequence[int]) -> Completion:
        tokens = sample.tokens[:-1] if sample.tokens[-1] in self.loaded.eos else sample.tokens
        return Completion(
            text=self._whole(tokens) if sample.text is None else sample.text,
            finish_reason="length" if sample.finished == "length" else "stop",
            prompt_tokens=len(sample.prompt.ids),
            completion_tokens=len(sample.tokens),
            cuts={cut: self._whole(sample.tokens[:cut]) for cut in cuts if cut < len(sample.tokens)},
        )

    def _whole(self, tokens: Sequence[int]) -> str:
        """The text without an incomplete character at its end, which vLLM drops, too."""
        return self._text(tokens).rstrip("\ufffd")


def _take(waiting: deque[Sample], count: int) -> list[Sample]:
    return [waiting.popleft() for _ in range(min(count, len(waiting)))]


def _seen(samples: Sequence[Sample], logits: torch.Tensor) -> torch.Tensor:
    """Marks the tokens of each prompt, (rows, vocabulary)."""
    seen = torch.zeros_like(logits, dtype=torch.bool)
    for row, sample in enumerate(samples):
        seen[row, sample.prompt.ids] = True
    return seen


def _slides(config: Any) -> bool:
    """True if some layers attend only to a window of the past."""
    return any(layer != "full_attention" for layer in getattr(config, "layer_types", None) or ())
