"""The verifiers as plain functions, for trainers that are not ours: TRL, verl, EasyR1."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, cast, get_args

from openvlt.errors import UsageError
from openvlt.extraction import parse
from openvlt.records import AnswerType, Claim, Completion, Example, Format
from openvlt.registry import Registry
from openvlt.verification.reward import Reward, RewardRow
from openvlt.verification.runner import VerifierRunner

GOLD_COLUMNS = ("answer", "solution", "ground_truth", "gold")


class RewardFunction:
    """A reward function for TRL's `GRPOTrainer`: the weighted sum of verifiers, None where a part of it is unknown.

    It never raises for a row. It takes completions as text, chat messages or token ids, and reads the gold answer and
    what else is known of a question (``choices``, ``answer_type``, ``precision``, ``unit``, ``source``, ``id``) from
    the dataset's columns. TRL leaves a row whose reward is None out of the update only if no other reward function
    scores it: give it this one function, with weights, and not several.

    Args:
        weights: verifier name to weight.
        specs: verifier name to its spec, where it is not the name itself.
        format: names the tags.
        tokenizer: decodes completions that are token ids.
        gold: column with the gold answer; None takes the first of ``answer, solution, ground_truth, gold``.
        workers: worker processes of this rank.
        plugins: one-file plugins.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        *,
        specs: Mapping[str, Any],
        format: Format,
        tokenizer: Any,
        gold: str | None,
        workers: int | None,
        plugins: Sequence[str],
    ) -> None:
        self.__name__ = "openvlt_" + "_".join(weights).replace("-", "_")
        self._weights = dict(weights)
        self._specs = {name: specs.get(name, name) for name in weights}
        self._format = format
        self._tokenizer = tokenizer
        self._gold = gold
        self._workers = workers
        self._plugins = tuple(plugins)
        self._reward: Reward | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reward": None}

    def __call__(
        self,
        prompts: Sequence[Any] | None = None,
        completions: Sequence[Any] = (),
        completion_ids: Sequence[Sequence[int]] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        log_extra: Callable[[str, list[Any]], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """The reward of each completion.

        Raises:
            UsageError: there is no column with a gold answer.
        """
        golds = self._golds(columns)
        claims = [
            self._claim(
                prompts[index] if prompts is not None else "",
                completion,
                {name: column[index] for name, column in columns.items() if _is_column(column, len(completions))},
                golds[index],
                completion_ids[index] if completion_ids is not None else None,
            )
            for index, completion in enumerate(completions)
        ]
        rows = self.score(claims)
        if log_metric is not None:
            for name, value in measures(rows).items():
                log_metric(name, value)
        if log_extra is not None:
            log_extra("extracted", [claim.answer or "" for claim in claims])
        return [row.reward for row in rows]

    def score(self, claims: Sequence[Claim]) -> list[RewardRow]:
        """The rewards of claims, with their verdicts."""
        if self._reward is None:
            registry = Registry.discover([Path(file) for file in self._plugins])
            built = {
                name: registry.build("verifier", spec, format=self._format, where="openvlt.reward")
                for name, spec in self._specs.items()
            }
            self._reward = Reward(VerifierRunner(built, format=self._format, workers=self._workers), self._weights)
        return self._reward.score(claims)

    def claim(self, response: str, gold: str, known: Mapping[str, Any], **more: Any) -> Claim:
        """A claim from a response and what is known of its question."""
        trace = parse(Completion(text=response), self._format)
        return Claim(trace=trace, example=_example(gold, known), **more)

    def _golds(self, columns: Mapping[str, Any]) -> Sequence[Any]:
        names = (self._gold,) if self._gold else GOLD_COLUMNS
        for name in names:
            if columns.get(name) is not None:
                return cast(Sequence[Any], columns[name])
        raise UsageError(
            f"The dataset has no column with the gold answer ({' or '.join(map(str, names))}).",
            "Name it: openvlt.reward(..., gold='column').",
        )

    def _claim(
        self, prompt: Any, completion: Any, known: Mapping[str, Any], gold: Any, ids: Sequence[int] | None
    ) -> Claim:
        if ids is None and _is_ids(completion):
            ids = completion
        group = f"{known.get('id', '')} {text_of(prompt)}"
        response = self._decoded(completion)
        return self.claim(
            response, _gold_text(gold), known, token_ids=tuple(ids) if ids is not None else None, group=group
        )

    def _decoded(self, completion: Any) -> str:
        if not _is_ids(completion):
            return text_of(completion)
        if self._tokenizer is None:
            raise UsageError(
                "The completions are token ids and there is no tokenizer to read them.",
                "Give it: openvlt.reward(..., tokenizer=tokenizer).",
            )
        return str(self._tokenizer.decode(completion, skip_special_tokens=True))


def reward(
    verifiers: str | Mapping[str, float] = "answer",
    *,
    specs: Mapping[str, Any] | None = None,
    format: Format | None = None,
    tokenizer: Any = None,
    gold: str | None = None,
    workers: int | None = None,
    plugins: Sequence[str] = (),
) -> RewardFunction:
    """A reward function for any TRL script: ``GRPOTrainer(reward_funcs=openvlt.reward("answer"), ...)``.

    Args:
        verifiers: a verifier's name, or names with their weights: ``{"answer": 1.0, "format": 0.1}``.
        specs: verifier name to its spec, to set options: ``{"answer": {"use": "answer", "units": "require"}}``.
        format: names the tags; by default ``<think>`` and ``<answer>``.
        tokenizer: decodes completions that are token ids.
        gold: column with the gold answer; by default the first of ``answer, solution, ground_truth, gold``.
        workers: worker processes; by default this rank's share of the CPUs.
        plugins: one-file plugins to load.
    """
    weights = {verifiers: 1.0} if isinstance(verifiers, str) else dict(verifiers)
    return RewardFunction(
        weights,
        specs=specs or {},
        format=format or Format(),
        tokenizer=tokenizer,
        gold=gold,
        workers=workers,
        plugins=plugins,
    )


def compute_score(
    data_source: Any = None,
    solution_str: str | None = None,
    ground_truth: Any = None,
    extra_info: Mapping[str, Any] | None = None,
    *,
    reward_inputs: Any = None,
    format_weight: float = 0.0,
    **_: Any,
) -> Any:
    """The reward with the signatures of verl and of EasyR1.

    verl calls ``compute_score(data_source, solution_str, ground_truth, extra_info)`` and gets a dict with ``score``.
    EasyR1 calls ``compute_score(reward_inputs)`` with one dict or a list of dicts (``response``, ``ground_truth``) and
    gets a dict or a list of dicts with ``overall``. Both also get ``accuracy``, ``format`` and ``unscored``: neither
    trainer can leave a sample out, so one whose gold cannot be read scores 0 and is marked ``unscored = 1``.

    Args:
        data_source: name of the data, used for nothing but routing by plugins.
        solution_str: the response.
        ground_truth: the gold answer.
        extra_info: may hold ``choices``, ``answer_type``, ``precision`` and ``unit``.
        reward_inputs: EasyR1's argument.
        format_weight: the score is ``(1 - format_weight) * accuracy + format_weight * format``.
    """
    inputs = data_source if reward_inputs is None and isinstance(data_source, Mapping | list) else reward_inputs
    if inputs is None:
        known = {**(extra_info or {}), "source": str(data_source or "")}
        [scores] = _scores([(solution_str or "", ground_truth, known)], format_weight)
        return {"score": scores.pop("overall"), **scores}
    several = inputs if isinstance(inputs, list) else [inputs]
    found = _scores([(row["response"], row["ground_truth"], row) for row in several], format_weight)
    return found if isinstance(inputs, list) else found[0]


def measures(rows: Sequence[RewardRow]) -> dict[str, float]:
    """Mean and spread of each verifier's scores, and the share of each of its statuses."""
    found: dict[str, float] = {}
    for name in dict.fromkeys(name for row in rows for name in row.verdicts):
        verdicts = [row.verdicts[name] for row in rows if name in row.verdicts]
        scores = [verdict.score for verdict in verdicts if verdict.score is not None]
        if scores:
            found[f"{name}/mean"], found[f"{name}/std"] = fmean(scores), pstdev(scores)
        for status, count in Counter(verdict.status for verdict in verdicts).items():
            found[f"{name}/{status}"] = count / len(verdicts)
    return found


def text_of(message: Any) -> str:
    """The text of a prompt or completion: text itself, or chat messages with text in parts."""
    if isinstance(message, str):
        return message
    if isinstance(message, Mapping):
        return text_of(message.get("content", message.get("text", "")) or "")
    if isinstance(message, Sequence):
        return "".join(map(text_of, message))
    return ""


@cache
def _both() -> RewardFunction:
    return reward({"answer": 1.0, "format": 0.0})


def _scores(rows: Sequence[tuple[str, Any, Mapping[str, Any]]], format_weight: float) -> list[dict[str, float]]:
    function = _both()
    claims = [function.claim(response, _gold_text(gold), known) for response, gold, known in rows]
    found = []
    for row in function.score(claims):
        accuracy, shape = row.verdicts["answer"].score, row.verdicts["format"].score or 0.0
        overall = 0.0 if accuracy is None else (1 - format_weight) * accuracy + format_weight * shape
        unscored = float(accuracy is None)
        found.append({"overall": overall, "accuracy": accuracy or 0.0, "format": shape, "unscored": unscored})
    return found


def _example(gold: str, known: Mapping[str, Any]) -> Example:
    kind, precision = known.get("answer_type"), known.get("precision")
    choices = known.get("choices")
    return Example(
        id=str(known.get("id", "")),
        question=text_of(known.get("question", "")),
        answer=gold,
        choices=tuple(map(str, choices)) if isinstance(choices, Sequence) and not isinstance(choices, str) else (),
        answer_type=kind if kind in get_args(AnswerType) else None,
        precision=int(precision) if isinstance(precision, int | float) and math.isfinite(precision) else None,
        unit=str(known["unit"]) if known.get("unit") else None,
        source=str(known.get("source") or ""),
    )


def _gold_text(gold: Any) -> str:
    return "" if gold is None else gold if isinstance(gold, str) else str(gold)


def _is_ids(completion: Any) -> bool:
    return isinstance(completion, Sequence) and bool(completion) and isinstance(completion[0], int)


def _is_column(value: Any, rows: int) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and len(value) == rows
