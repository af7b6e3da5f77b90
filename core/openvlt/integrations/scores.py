"""The verifiers as the score function of verl, EasyR1, OpenRLHF and slime."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from openvlt.integrations import reward_client
from openvlt.integrations.claims import cell_text, claim_of, plain, text_of
from openvlt.integrations.rewards import RewardFunction, reward
from openvlt.records import Claim, Format
from openvlt.verification import RewardRow

REWARD_FILE = "reward.json"
SCRIPT_FILE = "reward.py"
_SCRIPT = '''"""The reward of the recipe whose questions are in this folder, for verl and EasyR1."""

from openvlt import exported_reward

REWARD_NAME, REWARD_TYPE = "openvlt", "batch"  # for EasyR1
compute_score = exported_reward(__file__)
'''


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
    calls = _Calls.of(data_source, solution_str, ground_truth, extra_info, reward_inputs)
    return calls.answered([_score(row, format_weight) for row in calls.scored(_function())])


def exported_reward(script: str) -> Callable[..., Any]:
    """The reward of the recipe whose questions were exported, for the file ``reward.py`` of an export.

    Args:
        script: that file; ``reward.json`` beside it has the weights, routes, verifiers and format of the recipe.

    Returns:
        A function with the signatures of `compute_score`. What it returns also has the score of each verifier by name.
    """
    function = reward_of(json.loads(Path(script).with_name(REWARD_FILE).read_bytes()))

    def compute_score(
        data_source: Any = None, solution_str: Any = None, ground_truth: Any = None, extra_info: Any = None, *,
        reward_inputs: Any = None, **_: Any,
    ) -> Any:  # fmt: skip
        calls = _Calls.of(data_source, solution_str, ground_truth, extra_info, reward_inputs)
        return calls.answered([exported(row) for row in calls.scored(function)])

    return compute_score


def reward_of(spec: Mapping[str, Any], workers: int | None = None) -> RewardFunction:
    """The reward of a recipe.

    Args:
        spec: ``rewards``, ``routes``, ``verifiers`` and ``format`` as in a recipe, and ``plugins``, files.
        workers: of `reward`.
    """
    return reward(
        spec["rewards"], specs=spec["verifiers"], routes=spec["routes"], plugins=spec["plugins"],
        format=Format(**spec["format"]), workers=workers, budget=None,
    )  # fmt: skip


def write_client(folder: Path, url: str) -> None:
    """Write ``reward.py`` that asks `openvlt serve-rewards` at a URL; it needs nothing but Python."""
    code = Path(reward_client.__file__).read_text(encoding="utf-8")
    (folder / SCRIPT_FILE).write_text(code.replace(reward_client.URL, url), encoding="utf-8")


def write_reward(folder: Path, spec: Mapping[str, Any]) -> None:
    """Write ``reward.py`` and ``reward.json`` for `exported_reward`.

    Args:
        folder: of the export.
        spec: see `reward_of`.
    """
    (folder / REWARD_FILE).write_text(json.dumps(spec, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / SCRIPT_FILE).write_text(_SCRIPT, encoding="utf-8")


@dataclass(frozen=True)
class _Calls:
    """The samples of one call, and the form of its answer."""

    rows: Sequence[tuple[Any, Any, Mapping[str, Any]]]
    form: Literal["verl", "one", "many"]

    @staticmethod
    def of(data_source: Any, solution_str: Any, ground_truth: Any, extra_info: Any, reward_inputs: Any) -> _Calls:
        is_first = solution_str is None and ground_truth is None and isinstance(data_source, Mapping | list)
        inputs = plain(data_source if is_first and reward_inputs is None else reward_inputs)
        if inputs is None:
            known = {**_mapping(extra_info), "source": data_source}
            return _Calls([(solution_str, known.get("example") or ground_truth, known)], "verl")
        many = isinstance(inputs, list | tuple)
        rows = list(map(_mapping, inputs if many else [inputs]))
        return _Calls([(row.get("response"), row.get("ground_truth"), row) for row in rows], "many" if many else "one")

    def scored(self, function: RewardFunction) -> list[RewardRow]:
        return function.score([_claim(response, gold, known, function.format) for response, gold, known in self.rows])

    def answered(self, scores: list[dict[str, float]]) -> Any:
        if self.form == "verl":
            return {"score": scores[0].pop("overall"), **scores[0]}
        return scores if self.form == "many" else scores[0]


def score_rows(rows: Sequence[Mapping[str, Any]], function: RewardFunction) -> list[RewardRow]:
    """The rewards of rows as EasyR1 has them: ``response`` and ``ground_truth``, and what else is known of a question.

    ``group`` tells which rows answer one question, else their ``id`` does.
    """
    return function.score([_claim(row.get("response"), row.get("ground_truth"), row, function.format) for row in rows])


def _claim(response: Any, gold: Any, known: Mapping[str, Any], format: Format) -> Claim:
    claim = claim_of(text_of(response), gold, known, format)
    return replace(claim, group=cell_text(known.get("group")) or claim.example.id)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


@cache
def _function() -> RewardFunction:
    return reward({"answer": 1.0, "format": 0.0})


def _score(row: RewardRow, format_weight: float) -> dict[str, float]:
    accuracy, shape = row.verdicts["answer"].score, row.verdicts["format"].score or 0.0
    overall = 0.0 if accuracy is None else (1 - format_weight) * accuracy + format_weight * shape
    return {"overall": overall, "accuracy": accuracy or 0.0, "format": shape, "unscored": float(accuracy is None)}


def exported(row: RewardRow) -> dict[str, float]:
    """The scores of a row by verifier; ``overall`` is its reward, 0 with ``unscored = 1`` where there is none."""
    scores = {name: verdict.score or 0.0 for name, verdict in row.verdicts.items()}
    return {**scores, "overall": row.reward or 0.0, "unscored": float(row.reward is None)}
