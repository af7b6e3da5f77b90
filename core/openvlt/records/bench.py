"""What a model scored on a benchmark, and the protocol the number depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from openvlt.records.chat import Sampling
from openvlt.records.format import Format

AskedAs: TypeAlias = Literal["trained", "base", "none", "unknown"]
"""Whose prompt it was: the benchmark's own, the one for untrained models, none (a baseline guesses), or not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many of how many questions are correct.

    Attributes:
        accuracy: share of all n; None where too many questions are undecided for one number.
        correct: number of correct answers.
        n: all questions, those without a reply or a verdict included.
        ci95: 95 % interval: Wilson, or a cluster bootstrap where questions share an image or a problem.
        bounds: lowest and highest accuracy, whatever the undecided questions turn out to be.
        undecided: questions without a verdict: no reply, a verifier that failed, a gold answer nobody can read.
    """

    accuracy: float | None
    correct: int
    n: int
    ci95: tuple[float, float]
    bounds: tuple[float, float]
    undecided: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(Rate):
    """What one scoring found.

    Attributes:
        breakdown: metadata key to value to its rate; a question counts once for each of its values.
        figures: further figures of the benchmark; lower bounds where questions are undecided.
        tiers: step of the verifier that decided, to a count.
    """

    breakdown: Mapping[str, Mapping[str, Rate]] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    tiers: Mapping[str, int] = field(default_factory=dict)


class Paired(NamedTuple):
    """How much better one model is than another on the same questions, with the 95 % interval of that."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedData:
    """The questions: `content` is a digest of those that were read, with their gold answers."""

    revision: str
    split: str
    limit: int | None
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedModel:
    """Who answered: a model, a baseline (only an id), or the name of a file of responses."""

    id: str = ""
    responses: str = ""
    revision: str | None = None
    digest: str = ""
    backend: str = ""
    backend_identity: str = ""
    dtype: str = ""
    pixels: tuple[int, int] | None = None
    context: int | None = None

    @property
    def name(self) -> str:
        return self.id or self.responses


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedPrompt:
    """How the questions were worded: `digest` is one of the messages that were asked, ``unknown`` if others asked."""

    asked: AskedAs = "unknown"
    digest: str = "unknown"
    format: Format = field(default_factory=Format)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedVerifier:
    """What decided a scoring."""

    verifier: str
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedJudge:
    """The LLM that extracted answers or scored; `prompts` is a digest of its prompts for one fixed response."""

    id: str
    digest: str
    backend: str
    decoding: Sampling
    prompts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """All that moves a score.

    Attributes:
        extraction: how answers were found: ``tag``, ``phrase`` or ``whole``, by a ``judge``, or ``stored`` with the
            responses.
        decoding: None for replies made elsewhere.
        scoring: scoring to verifier, without what a judge decided.
        judge: None if rules decided.
    """

    benchmark: str
    data: UsedData
    model: UsedModel
    prompt: UsedPrompt
    decoding: Sampling | None
    extraction: str
    scoring: Mapping[str, UsedVerifier]
    judge: UsedJudge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """What one model scored on one benchmark.

    Attributes:
        benchmark: its name.
        stage: the model: its name in a run (``blind``, ``base``, ``sft-1``), else what the user called it.
        headline: the scoring that is compared.
        scores: by scoring.
        versus: name of an earlier model to the paired difference from it.
        unparsed: replies in which no answer was found.
        truncated: replies cut at the token limit.
        unanswered: ids without a response in a file; they are wrong.
        failed: id to reason, for questions that got no usable reply; they are undecided.
        mean_tokens: of a reply.
        judge_tokens: of all prompts and replies of a judge.
        seconds: wall time of the replies.
        clusters: metadata key of what questions share, empty if they are independent.
        excluded_from_score: metadata key to a value; such questions are in the breakdown only.
        notes: what a reader of the score should know.
        about: what is known of the data: licence, note, contamination.
    """

    benchmark: str
    stage: str
    headline: str
    scores: Mapping[str, Score]
    protocol: Protocol
    protocol_hash: str
    versus: Mapping[str, Paired] = field(default_factory=dict)
    unparsed: int = 0
    truncated: int = 0
    unanswered: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    mean_tokens: float = 0.0
    judge_tokens: int = 0
    seconds: float = 0.0
    clusters: str = ""
    excluded_from_score: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def score(self) -> Score:
        """The headline."""
        return self.scores[self.headline]

    @property
    def accuracy(self) -> float | None:
        return self.score.accuracy

    @property
    def correct(self) -> int:
        return self.score.correct

    @property
    def n(self) -> int:
        return self.score.n

    @property
    def ci95(self) -> tuple[float, float]:
        return self.score.ci95

    def as_json(self) -> dict[str, Any]:
        """The result as ``--json`` shows it: the figures of the headline stand at the top too."""
        record = asdict(self)
        names = ("accuracy", "correct", "n", "ci95", "bounds", "undecided", "breakdown")
        return {**{name: record["scores"][self.headline][name] for name in names}, **record}
