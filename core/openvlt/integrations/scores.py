"""The verifiers as the score function of verl and EasyR1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from openvlt.integrations.claims import claim_of, plain, text_of
from openvlt.integrations.rewards import RewardFunction, reward


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
    trainer can exclude a sample, so one whose gold cannot be read scores 0 and has ``unscored = 1``.

    Args:
        data_source: name of the data, for verifiers that look at it.
        solution_str: the response.
        ground_truth: the gold answer.
        extra_info: may have ``choices``, ``answer_type``, ``precision`` and ``unit``.
        reward_inputs: EasyR1's argument.
        format_weight: the score is ``(1 - format_weight) * accuracy + format_weight * format``.
    """
    is_first = solution_str is None and ground_truth is None and isinstance(data_source, Mapping | list)
    inputs = plain(data_source if is_first and reward_inputs is None else reward_inputs)
    if inputs is None:
        known = {**_mapping(extra_info), "source": data_source}
        [scores] = _scores([(solution_str, ground_truth, known)], format_weight)
        return {"score": scores.pop("overall"), **scores}
    rows = list(map(_mapping, inputs if isinstance(inputs, list | tuple) else [inputs]))
    found = _scores([(row.get("response"), row.get("ground_truth"), row) for row in rows], format_weight)
    return found if isinstance(inputs, list | tuple) else found[0]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


@cache
def _function() -> RewardFunction:
    return reward({"answer": 1.0, "format": 0.0})


def _scores(rows: Sequence[tuple[Any, Any, Mapping[str, Any]]], format_weight: float) -> list[dict[str, float]]:
    function = _function()
    claims = [claim_of(text_of(response), gold, known, function.format) for response, gold, known in rows]
    found = []
    for row in function.score(claims):
        accuracy, shape = row.verdicts["answer"].score, row.verdicts["format"].score or 0.0
        overall = 0.0 if accuracy is None else (1 - format_weight) * accuracy + format_weight * shape
        unscored = float(accuracy is None)
        found.append({"overall": overall, "accuracy": accuracy or 0.0, "format": shape, "unscored": unscored})
    return found
