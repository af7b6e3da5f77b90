"""The decode loop: prompts in, completions out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import pad

from openvlt import Completion, ImageReader, Rejected, Request, Sampling, uniform_draws
from openvlt_plugins.hf.attention import KeyValues
from openvlt_plugins.hf.decoding import Batch, Written
from openvlt_plugins.hf.loading import Loaded
from openvlt_plugins.hf.prompts import Prompt, collate, common_prefix, encode

_SHARE = 32  # a shared prefix is reused in multiples of this many tokens, so that chunks agree on it
_CROWD = 0.9  # ended sequences give up their rows when less than this share of the batch is still being written


class HfEngine:
    """An open model.

    Args:
        loaded: the model.
        read: decodes images.
        batch: sequences decoded together at most.
    """

    def __init__(self, loaded: Loaded, read: ImageReader, *, batch: int) -> None:
        self.loaded = loaded
        self.read = read
        self.batch = batch
        self._shared_ids: list[int] = []
        self._shared: KeyValues | None = None

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion] | Rejected]:
        """Answer the requests in order; a prompt that fills the context is `Rejected`."""
        prompts = [encode(request.messages, self.loaded, self.read) for request in requests]
        fits = [len(prompt.ids) < self.loaded.context for prompt in prompts]
        sequences = [
            self._sequence(place, sample, requests[place], prompts[place], sampling)
            for place in sorted(range(len(prompts)), key=lambda place: len(prompts[place].ids))
            if fits[place]
            for sample in requests[place].samples
        ]
        with torch.inference_mode():
            shared = self._share([prompt for prompt, fit in zip(prompts, fits, strict=True) if fit])
            self._decode(deque(sequences), sampling, shared)
        replies: list[dict[int, Completion]] = [{} for _ in requests]
        for sequence in sequences:
            replies[sequence.request][sequence.sample] = self._completion(sequence)
        return [
            [replies[place][sample] for sample in request.samples]
            if fits[place]
            else Rejected(id=request.key, reason=f"the prompt is over the context of {self.loaded.context} tokens")
            for place, request in enumerate(requests)
        ]

    def _sequence(self, place: int, sample: int, request: Request, prompt: Prompt, sampling: Sampling) -> Written:
        limit = min(sampling.max_tokens, self.loaded.context - len(prompt.ids))
        return Written(place, sample, prompt, uniform_draws(request.key, sample, sampling.seed, limit))

    def _share(self, prompts: Sequence[Prompt]) -> KeyValues | None:
        """Keys and values of the tokens all prompts begin with; those of the last chunk are kept."""
        length = common_prefix(prompts, _SHARE)
        if not length or _slides(self.loaded.network.config.get_text_config()):
            return None
        ids = prompts[0].ids[:length]
        if ids != self._shared_ids:
            cache = self._cache(None)
            self._forward(cache, input_ids=torch.tensor([ids], device=self.loaded.network.device))
            self._shared_ids, self._shared = ids, cache
        return self._shared

    def _cache(self, shared: KeyValues | None) -> KeyValues:
        return KeyValues(self.loaded.network.config.get_text_config().num_hidden_layers, shared)

    def _forward(self, cache: KeyValues, **inputs: Any) -> torch.Tensor:
        """Logits of the last position, (rows, vocabulary) in float32."""
        output = self.loaded.network(
            **inputs, past_key_values=cache, use_cache=True, logits_to_keep=1, shared=cache.shared
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        if self.loaded.forbidden:
            logits[:, list(self.loaded.forbidden)] = float("-inf")
        return logits

    def _decode(self, waiting: deque[Written], sampling: Sampling, shared: KeyValues | None) -> None:
        """Write all sequences to their end; those that wait take the rows of those that ended."""
        batch = None
        while batch or waiting:
            batch = batch or self._read(_taken(waiting, self.batch), sampling, shared)
            tokens = batch.choose(sampling)
            alive = self._append(batch.sequences, tokens.tolist(), sampling.stop)
            crowded = len(alive) > _CROWD * len(batch.sequences)
            if not alive:
                batch = None
                continue
            if not waiting and not crowded:
                batch.keep(rows := torch.tensor(alive, device=tokens.device))
                tokens = tokens[rows]
            self._advance(batch, tokens)
            if waiting and not crowded:
                ended = [row for row, sequence in enumerate(batch.sequences) if sequence.finished]
                new = self._read(_taken(waiting, len(ended)), sampling, shared)
                batch.replace(torch.tensor(ended[: len(new.sequences)], device=tokens.device), new)

    def _read(self, sequences: list[Written], sampling: Sampling, shared: KeyValues | None) -> Batch:
        """Read the prompts of a batch, each once however many sequences answer it."""
        network = self.loaded.network
        unique = list({id(sequence.prompt): sequence.prompt for sequence in sequences}.values())
        places = {id(prompt): place for place, prompt in enumerate(unique)}
        rows = torch.tensor([places[id(sequence.prompt)] for sequence in sequences], device=network.device)
        cache = self._cache(shared)
        inputs = collate(unique, cache.get_seq_length(), network.device)
        width = inputs["input_ids"].shape[1]
        # The one place that knows of rotary positions in several dimensions (Qwen-VL); the full mask counts the prefix.
        positions = network._prepare_position_ids_for_generation(inputs["input_ids"], dict(inputs))
        logits = self._forward(cache, **{**inputs, "position_ids": positions[..., -width:]})[rows]
        cache.select(rows)
        return Batch(
            sequences,
            cache,
            mask=inputs["attention_mask"][rows, -width:],
            positions=positions[..., rows, -1:],
            logits=logits,
            seen=self._seen(sequences, logits) if sampling.repetition_penalty != 1 else None,
        )

    def _advance(self, batch: Batch, tokens: torch.Tensor) -> None:
        """Read the tokens that were chosen, (rows,)."""
        shared = batch.cache.shared.get_seq_length() if batch.cache.shared else 0
        batch.mask = pad(batch.mask, (0, 1), value=1)
        batch.positions = batch.positions + 1
        batch.logits = self._forward(
            batch.cache,
            input_ids=tokens.unsqueeze(1),
            attention_mask=pad(batch.mask, (shared, 0), value=1),
            position_ids=batch.positions,
        )

    def _seen(self, sequences: Sequence[Written], logits: torch.Tensor) -> torch.Tensor:
        """Marks the tokens of each prompt, (rows, vocabulary)."""
        seen = torch.zeros_like(logits, dtype=torch.bool)
        for row, sequence in enumerate(sequences):
            seen[row, sequence.prompt.ids] = True
        return seen

    def _append(self, sequences: Sequence[Written], tokens: Sequence[int], stops: Sequence[str]) -> list[int]:
        """Add a token to each sequence that is being written; the rows that still are."""
        alive = []
        for row, (sequence, token) in enumerate(zip(sequences, tokens, strict=True)):
            if sequence.finished:
                continue
            sequence.tokens.append(token)
            if token in self.loaded.eos or (stops and self._stopped(sequence, stops)):
                sequence.finished = "stop"
            elif len(sequence.tokens) >= len(sequence.draws):
                sequence.finished = "length"
            else:
                alive.append(row)
        return alive

    def _stopped(self, sequence: Written, stops: Sequence[str]) -> bool:
        """Cut the reply at the first stop string; only its end can hold a new one."""
        tail = self._text(sequence.tokens[-max(map(len, stops)) - 4 :])
        if not any(stop in tail for stop in stops):
            return False
        text = self._text(sequence.tokens)
        places = [place for stop in stops if (place := text.find(stop)) >= 0]
        if places:
            sequence.text = text[: min(places)]
        return bool(places)

    def _text(self, tokens: Sequence[int]) -> str:
        text: str = self.loaded.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def _completion(self, sequence: Written) -> Completion:
        tokens = sequence.tokens[:-1] if sequence.tokens[-1] in self.loaded.eos else sequence.tokens
        return Completion(
            # A character cut in half at the end is dropped, as vLLM does.
            text=self._text(tokens).rstrip("\ufffd") if sequence.text is None else sequence.text,
            finish_reason="length" if sequence.finished == "length" else "stop",
            prompt_tokens=len(sequence.prompt.ids),
            completion_tokens=len(sequence.tokens),
        )


def _taken(waiting: deque[Written], count: int) -> list[Written]:
    return [waiting.popleft() for _ in range(min(count, len(waiting)))]


def _slides(config: Any) -> bool:
    """True if some layers see only a window of the past."""
    return any(kind != "full_attention" for kind in getattr(config, "layer_types", None) or ())
