"""The decode loop: prompts in, completions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from openvlt import Completion, ImageReader, Rejected, Request, Sampling
from openvlt_plugins.hf.attention import KeyValues
from openvlt_plugins.hf.loading import Loaded
from openvlt_plugins.hf.prompts import Prompt, collate, common_prefix, encode
from openvlt_plugins.hf.sampling import choose, penalise, uniforms

_SHARE = 32  # a shared prefix is reused in multiples of this many tokens, so that chunks agree on it
_CROWD = 0.9  # finished sequences leave the batch when less than this share of it is still being written


@dataclass
class _Sequence:
    """One sample being written.

    Attributes:
        request: place of its request in the chunk.
        prompt: what it answers.
        draws: its random numbers, one a position.
        limit: new tokens at most.
        tokens: the reply so far.
        text: the reply once it ended by a stop string.
        finished: why it ended, empty while it has not.
    """

    request: int
    sample: int
    prompt: Prompt
    draws: torch.Tensor
    limit: int
    tokens: list[int] = field(default_factory=list)
    text: str | None = None
    finished: str = ""


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
            for start in range(0, len(sequences), self.batch):
                self._decode(sequences[start : start + self.batch], sampling, shared)
        replies: list[dict[int, Completion]] = [{} for _ in requests]
        for sequence in sequences:
            replies[sequence.request][sequence.sample] = self._completion(sequence)
        return [
            [replies[place][sample] for sample in request.samples]
            if fits[place]
            else Rejected(id=request.key, reason=f"the prompt is over the context of {self.loaded.context} tokens")
            for place, request in enumerate(requests)
        ]

    def _sequence(self, place: int, sample: int, request: Request, prompt: Prompt, sampling: Sampling) -> _Sequence:
        limit = min(sampling.max_tokens, self.loaded.context - len(prompt.ids))
        return _Sequence(place, sample, prompt, uniforms(request.key, sample, sampling.seed, limit), limit)

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

    def _decode(self, sequences: list[_Sequence], sampling: Sampling, shared: KeyValues | None) -> None:
        """Write all sequences to their end."""
        network = self.loaded.network
        unique = list({id(sequence.prompt): sequence.prompt for sequence in sequences}.values())
        places = {id(prompt): place for place, prompt in enumerate(unique)}
        rows = torch.tensor([places[id(sequence.prompt)] for sequence in sequences], device=network.device)
        cache = self._cache(shared)
        inputs = collate(unique, shared.get_seq_length() if shared else 0, network.device)
        width = inputs["input_ids"].shape[1]
        # The one place that knows of rotary positions in several dimensions (Qwen-VL); the full mask counts the prefix.
        positions = network._prepare_position_ids_for_generation(inputs["input_ids"], dict(inputs))
        logits = self._forward(cache, **{**inputs, "position_ids": positions[..., -width:]})[rows]
        cache.select(rows)
        mask, positions = inputs["attention_mask"][rows], positions[..., rows, -1:]
        draws = torch.stack([_padded(sequence.draws, sampling.max_tokens) for sequence in sequences]).to(network.device)
        seen = self._seen(sequences, logits) if sampling.repetition_penalty != 1 else None
        for step in range(sampling.max_tokens):
            if seen is not None:
                logits = penalise(logits, seen, sampling.repetition_penalty)
            tokens = choose(logits, sampling, draws[:, step])
            if seen is not None:
                seen.scatter_(1, tokens.unsqueeze(1), True)
            alive = self._append(sequences, tokens.tolist(), sampling.stop)
            if not alive:
                return
            if len(alive) <= _CROWD * len(sequences):
                keep = torch.tensor(alive, device=network.device)
                sequences = [sequences[row] for row in alive]
                cache.select(keep)
                tokens, mask, draws, positions = tokens[keep], mask[keep], draws[keep], positions[..., keep, :]
                seen = seen[keep] if seen is not None else None
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
            positions = positions + 1
            logits = self._forward(cache, input_ids=tokens.unsqueeze(1), attention_mask=mask, position_ids=positions)

    def _seen(self, sequences: Sequence[_Sequence], logits: torch.Tensor) -> torch.Tensor:
        """Marks the tokens of each prompt, (rows, vocabulary)."""
        seen = torch.zeros_like(logits, dtype=torch.bool)
        for row, sequence in enumerate(sequences):
            seen[row, sequence.prompt.ids] = True
        return seen

    def _append(self, sequences: Sequence[_Sequence], tokens: Sequence[int], stops: Sequence[str]) -> list[int]:
        """Add a token to each sequence that is being written; the rows that still are."""
        alive = []
        for row, (sequence, token) in enumerate(zip(sequences, tokens, strict=True)):
            if sequence.finished:
                continue
            sequence.tokens.append(token)
            if token in self.loaded.eos or (stops and self._stopped(sequence, stops)):
                sequence.finished = "stop"
            elif len(sequence.tokens) >= sequence.limit:
                sequence.finished = "length"
            else:
                alive.append(row)
        return alive

    def _stopped(self, sequence: _Sequence, stops: Sequence[str]) -> bool:
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

    def _completion(self, sequence: _Sequence) -> Completion:
        tokens = sequence.tokens[:-1] if sequence.tokens[-1] in self.loaded.eos else sequence.tokens
        return Completion(
            # A character cut in half at the end is left out, as vLLM does.
            text=self._text(tokens).rstrip("\ufffd") if sequence.text is None else sequence.text,
            finish_reason="length" if sequence.finished == "length" else "stop",
            prompt_tokens=len(sequence.prompt.ids),
            completion_tokens=len(sequence.tokens),
        )


def _padded(draws: torch.Tensor, length: int) -> torch.Tensor:
    return torch.nn.functional.pad(draws, (0, length - len(draws)))


def _slides(config: Any) -> bool:
    """True if some layers see only a window of the past."""
    return any(kind != "full_attention" for kind in getattr(config, "layer_types", None) or ())
