"""Prompts in, completions out, through ``vllm.LLM``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from vllm import SamplingParams
from vllm.exceptions import VLLMClientError

from openvlt import (
    Completion,
    Image,
    ImageReader,
    Message,
    PlainText,
    Reject,
    Rejected,
    Request,
    Sampling,
    UsageError,
    visual_tokens,
)
from openvlt_plugins.vllm.draws import drawn

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput

_OVER_CONTEXT = re.compile(r"context length|maximum model length", re.IGNORECASE)


class VllmEngine:
    """An open model.

    Args:
        llm: the engine.
        read: decodes images.
        draws: whether `llm` has the logits processor `Draws`.
    """

    def __init__(self, llm: LLM, read: ImageReader, *, draws: bool) -> None:
        self.llm = llm
        self._read = read
        self._draws = draws
        self._plain = PlainText(llm.get_tokenizer())
        config = llm.model_config.hf_config
        self._suppressed = dict.fromkeys(visual_tokens(config, config.get_text_config().vocab_size), -100.0)

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion] | Rejected]:
        """Answer the requests in order; a prompt over the context and refused images are `Rejected`.

        Raises:
            UsageError: the messages have an image, but the model reads only text.
        """
        waiting: list[tuple[int, tuple[int, ...]]] = []
        refused: dict[int, str] = {}
        for number, request in enumerate(requests):
            try:
                turns = [self._turn(turn) for turn in request.messages]  # of one request, for pictures may be large
                for run in self._runs(request, sampling):
                    self._enqueue(turns, self._parameters(request, run, sampling))
                    waiting.append((number, run))
            except Reject as reject:
                refused[number] = reject.reason
            except Exception:
                self.llm.wait_for_completion(use_tqdm=False)  # what is enqueued must not answer the next call
                raise
        outputs = self.llm.wait_for_completion(use_tqdm=False) if waiting else []
        completions: list[dict[int, Completion]] = [{} for _ in requests]
        for (number, run), output in zip(waiting, outputs, strict=True):
            completions[number].update(zip(run, self._completions(output, sampling.cuts), strict=True))
        return [
            Rejected(id=request.key, reason=refused[number])
            if number in refused
            else [completions[number][sample] for sample in request.samples]
            for number, request in enumerate(requests)
        ]

    def _enqueue(self, turns: list[dict[str, Any]], parameters: SamplingParams) -> None:
        """Enqueue one prompt, if need be without its token limit.

        Raises:
            Reject: there is no room for a reply, or the model's processor refuses the images.
        """
        for limit in (parameters.max_tokens, None):
            parameters.max_tokens = limit
            try:
                self.llm.enqueue_chat(turns, parameters, use_tqdm=False)
            except (ValueError, VLLMClientError) as error:
                if _OVER_CONTEXT.search(str(error)):
                    continue
                if all(isinstance(turn["content"], str) for turn in turns):
                    raise
                raise Reject("the model's processor refuses the prompt with its images") from error
            return
        raise Reject(f"the prompt is over the context of {self.llm.model_config.max_model_len} tokens")

    def _runs(self, request: Request, sampling: Sampling) -> list[tuple[int, ...]]:
        """The groups of samples that vLLM is asked for together."""
        if self._drawn(sampling) or not sampling.temperature:  # vLLM refuses several greedy samples at once
            return [(sample,) for sample in request.samples]
        return list(_consecutive(request.samples))

    def _parameters(self, request: Request, run: Sequence[int], sampling: Sampling) -> SamplingParams:
        """All fields are explicit, or vLLM would use the model's generation config.

        vLLM adds a sample's index among the `n` to the seed, so the seeds of a run do not depend on how it is grouped.
        """
        if self._drawn(sampling):
            greedy = Sampling(max_tokens=sampling.max_tokens, stop=sampling.stop)
            return drawn(self._parameters(request, run, greedy), request.key, run[0], sampling)
        digest = sha256(f"{sampling.seed}:{request.key}".encode()).digest()
        return SamplingParams(
            n=len(run),
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=sampling.max_tokens,
            repetition_penalty=sampling.repetition_penalty,
            presence_penalty=sampling.presence_penalty,
            stop=list(sampling.stop),
            seed=(int.from_bytes(digest[:6]) + run[0]) if sampling.temperature else None,
            logit_bias=self._suppressed or None,
        )

    def _completions(self, output: RequestOutput, cuts: Sequence[int]) -> list[Completion]:
        decode = self.llm.get_tokenizer().decode
        return [
            Completion(
                text=sample.text,
                finish_reason="length" if sample.finish_reason == "length" else "stop",
                prompt_tokens=len(output.prompt_token_ids or ()),
                completion_tokens=len(sample.token_ids),
                cuts={
                    cut: decode(
                        sample.token_ids[:cut], skip_special_tokens=True, clean_up_tokenization_spaces=False
                    ).rstrip("\ufffd")
                    for cut in cuts
                    if cut < len(sample.token_ids)
                },
            )
            for sample in sorted(output.outputs, key=lambda sample: sample.index)
        ]

    def _drawn(self, sampling: Sampling) -> bool:
        return self._draws and sampling.temperature > 0

    def _turn(self, turn: Message) -> dict[str, Any]:
        if not any(isinstance(part, Image) for part in turn.content):
            return {"role": turn.role, "content": self._plain("".join(map(str, turn.content)))}
        if not self.llm.model_config.is_multimodal_model:
            raise UsageError(
                f"A prompt has an image, but '{self.llm.model_config.model}' reads text only.",
                "Choose a vision-language model.",
            )
        parts = [
            {"type": "image_pil", "image_pil": self._read(part).convert("RGB")}
            if isinstance(part, Image)
            else {"type": "text", "text": self._plain(part)}
            for part in turn.content
        ]
        return {"role": turn.role, "content": parts}


def _consecutive(samples: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Split indices into runs of consecutive ones."""
    start = 0
    for end in range(1, len(samples) + 1):
        if end == len(samples) or samples[end] != samples[end - 1] + 1:
            yield tuple(samples[start:end])
            start = end
