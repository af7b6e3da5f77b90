"""The verifiers as a reward function of TRL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from openvlt import forks
from openvlt.errors import UsageError
from openvlt.integrations.claims import claim_of, is_ids, plain, text_of
from openvlt.interfaces import Verifier
from openvlt.records import Claim, Format
from openvlt.registry import Built, Registry, Spec
from openvlt.verification import STEP_SECONDS, Ask, Reward, RewardRow, VerifierRunner, Weights, WeightSpec, asking_among

GOLD_COLUMNS = ("answer", "solution", "ground_truth", "gold")


@dataclass(eq=False)
class RewardFunction:
    """A reward function for TRL's `GRPOTrainer`: the weighted sum of verifiers, None if a part of it is unknown.

    It never raises for a row. It takes completions as text, chat messages or token ids, and reads the gold answer and
    what else is known of a question (``choices``, ``answer_type``, ``precision``, ``unit``, ``source``, ``id``) from
    the dataset's columns. TRL excludes a row whose reward is None from the update only if no other reward function
    scores it: give it this one function, with weights, and not several. The fields are the arguments of `reward`.
    """

    weights: Mapping[str, WeightSpec]
    specs: Mapping[str, Spec]
    format: Format
    tokenizer: Any
    gold: str | None
    workers: int | None
    plugins: Sequence[str]
    budget: float | None
    routes: Mapping[str, Mapping[str, WeightSpec]] = field(default_factory=dict)
    _reward: Reward | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.__name__ = "openvlt_" + "_".join(self.weights).replace("-", "_")

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
            UsageError: no column has a gold answer, or completions are token ids and there is no tokenizer.
        """
        rows = len(completions)
        known = {name: found for name, values in columns.items() if (found := _column(values, rows)) is not None}
        golds = self._golds(known, columns, rows)
        asked, ids = _column(prompts, rows), _column(completion_ids, rows)
        claims = [
            self._claim(
                asked[index] if asked else "",
                plain(completion),
                {name: column[index] for name, column in known.items()},
                golds[index],
                plain(ids[index]) if ids else None,
            )
            for index, completion in enumerate(completions)
        ]
        scored = self.score(claims)
        if log_metric is not None:
            for name, value in aggregate(scored).items():
                log_metric(name, value)
        if log_extra is not None:
            log_extra("extracted", [claim.answer or "" for claim in claims])
        return [row.reward for row in scored]

    def score(self, claims: Sequence[Claim]) -> list[RewardRow]:
        """The rewards of claims, with their verdicts."""
        if self._reward is None:
            with forks.not_forked():
                self._reward = self._reward or self._built()
        return self._reward.score(claims)

    def components(self) -> tuple[Registry, dict[str, Built[Verifier]]]:
        """The verifiers in the order they run, and the registry that built them.

        Raises:
            UsageError, PluginError: a name, an option, a weight or its condition is wrong.
        """
        registry = Registry.discover([Path(file) for file in self.plugins])
        weights = Weights.of(self.weights, self.routes)
        names = dict.fromkeys([*self.specs, *(name for _, block in weights.blocks for name in block)])
        built = {
            name: registry.build(Verifier, self.specs.get(name, name), format=self.format, where="openvlt.reward")
            for name in weights.order(names)
        }
        weights.check(list(built))
        unused = {name for name in asking_among(built) if not weights.needed(name)}  # asking costs
        return registry, {name: each for name, each in built.items() if name not in unused}

    def _built(self) -> Reward:
        registry, built = self.components()
        ask = self._asker(registry, built) if asking_among(built) else None
        runner = VerifierRunner(built, format=self.format, workers=self.workers, budget=self.budget, ask=ask)
        return Reward(runner, self.weights, self.routes)

    def _asker(self, registry: Registry, verifiers: Mapping[str, Built[Verifier]]) -> Ask:
        from openvlt.stages.asker import Asker
        from openvlt.stages.workspace import Workspace
        from openvlt.store import open_home

        asker = Asker(Workspace(open_home(), registry, self.format), in_step=True)
        for each in asking_among(verifiers).values():
            asker.open(each)
        return asker.ask

    def _golds(self, known: Mapping[str, list[Any]], columns: Mapping[str, Any], rows: int) -> list[Any]:
        names = (self.gold,) if self.gold else GOLD_COLUMNS
        for name in names:
            if name in known:
                return known[name]
        if given := next((name for name in names if columns.get(name) is not None), None):
            raise UsageError(
                f"The column '{given}' has no gold answer for each of the {rows} completions.",
                "Give a list with one for each.",
            )
        raise UsageError(
            f"The dataset has no column with the gold answer ({' or '.join(names)}).",
            "Name it: openvlt.reward(..., gold='column').",
        )

    def _claim(
        self, prompt: Any, completion: Any, known: Mapping[str, Any], gold: Any, ids: Sequence[int] | None
    ) -> Claim:
        if ids is None and is_ids(completion):
            ids = completion
        claim = claim_of(self._decoded(completion), gold, known, self.format)
        group = f"{claim.example.id} {text_of(prompt)}".strip()
        return replace(claim, token_ids=None if ids is None else tuple(ids), group=group)

    def _decoded(self, completion: Any) -> str:
        if not is_ids(completion):
            return text_of(completion)
        if self.tokenizer is None:
            raise UsageError(
                "The completions are token ids, and there is no tokenizer to decode them.",
                "Pass one: openvlt.reward(..., tokenizer=tokenizer).",
            )
        return str(self.tokenizer.decode(completion, skip_special_tokens=True))


def reward(
    verifiers: str | Mapping[str, WeightSpec] = "answer",
    *,
    specs: Mapping[str, Spec] | None = None,
    format: Format | None = None,
    tokenizer: Any = None,
    gold: str | None = None,
    workers: int | None = None,
    plugins: Sequence[str] = (),
    budget: float | None = STEP_SECONDS,
    routes: Mapping[str, Mapping[str, WeightSpec]] | None = None,
) -> RewardFunction:
    """A reward function for any TRL script: ``GRPOTrainer(reward_funcs=openvlt.reward("answer"), ...)``.

    Args:
        verifiers: a verifier's name, or names with their weights: ``{"answer": 1.0, "format": 0.1}``. With the weight
            ``{"weight": 0.3, "when": "answer.unparsed"}`` one runs only where an earlier one has found this status.
        specs: verifier name to its spec, for options: ``{"answer": {"use": "answer", "units": "require"}}``.
            One without a weight runs too, for those that look at its verdicts.
        format: names the tags; by default ``<think>`` and ``<answer>``.
        tokenizer: decodes completions that are token ids.
        gold: column with the gold answer; by default the first of ``answer, solution, ground_truth, gold``.
        workers: number of worker processes; by default this rank's share of the CPUs.
        plugins: one-file plugins to load.
        budget: seconds of one call for what a verifier does in workers; rows not reached get None. None for no limit.
        routes: value of the column ``source`` to the weights used for its rows instead.

    Raises:
        UsageError, PluginError: there is no verifier, or a name, an option, a weight or its condition is wrong.
    """
    weights: Mapping[str, WeightSpec] = {verifiers: 1.0} if isinstance(verifiers, str) else dict(verifiers)
    if not weights and not routes:
        raise UsageError("openvlt.reward has no verifier, so every reward would be 0.", 'Name one: {"answer": 1.0}.')
    made = format or Format()
    function = RewardFunction(weights, specs or {}, made, tokenizer, gold, workers, plugins, budget, routes or {})
    with forks.not_forked():
        function.components()  # a mistake is an error now, and not after the model is loaded
    return function


def aggregate(rows: Sequence[RewardRow]) -> dict[str, float]:
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


def _column(values: Any, rows: int) -> list[Any] | None:
    """A column as a list, whatever it is kept in; None for what has no value for each row."""
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__iter__") or not hasattr(values, "__len__"):
        return None
    return list(values) if len(values) == rows else None
