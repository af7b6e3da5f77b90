"""What a model scored on a benchmark, and the protocol the number depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from openvlt.records.chat import Sampling
from openvlt.records.format import Format

AskedAs: TypeAlias = Literal["trained", "base", "none", "unknown"]
"""The prompt: the benchmark's own, its prompt for base models, none (a baseline guesses), or unknown."""

AskedAbout: TypeAlias = Literal["official", "unparsed responses", "every response"]
"""What a judge is asked about: what the benchmark's own scoring says, or one of the others if it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many questions are correct.

    Attributes:
        accuracy: correct answers over n, of several samples their mean (avg@k); None if too many questions are
            undecided for one number.
        correct: number of correct answers, of all samples.
        n: all questions, those without a reply or a verdict included.
        ci95: 95 % interval over questions and their samples: Wilson, or a cluster bootstrap where questions share an
            image or a problem; from the low end if all undecided ones were wrong to the high end if they were right.
        bounds: lowest and highest accuracy, if all undecided questions were wrong or right.
        undecided: questions without a verdict: no reply, a failed verifier, or an unreadable gold answer.
        mean: of the scores of all that is decided, where the verifier gives fractional ones; None where it gives none,
            or where too many are undecided.
        mean95: the 95 % interval of `mean`.
    """

    accuracy: float | None
    correct: int
    n: int
    ci95: tuple[float, float]
    bounds: tuple[float, float]
    undecided: int = 0
    mean: float | None = None
    mean95: tuple[float, float] | None = None


class Estimate(NamedTuple):
    """A mean over questions with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What several responses to each question tell.

    Attributes:
        k: samples of the question that has fewest.
        samples95: 95 % interval of the accuracy if these same questions are sampled again.
        pass_at: number of samples, 1, 2, 4 ... k, to the chance that one of so many is right (unbiased).
        majority: accuracy of the answer that most samples give, equal by the verifier; of a tie, its share. Where too
            many questions are undecided for one number, it is None, and `pass_at` is empty.
        most: samples of the question that has most.
    """

    k: int
    samples95: tuple[float, float]
    pass_at: Mapping[int, Estimate]
    majority: Estimate | None
    most: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(Rate):
    """The result of one scoring.

    Attributes:
        breakdown: metadata key to value to its rate; a question counts once for each of its values.
        figures: further figures of the benchmark; lower bounds where questions are undecided.
        tiers: number of verdicts by the step of the verifier that decided.
        sampled: None if each question has one response.
    """

    breakdown: Mapping[str, Mapping[str, Rate]] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    tiers: Mapping[str, int] = field(default_factory=dict)
    sampled: Sampled | None = None


class Paired(NamedTuple):
    """The difference in accuracy between two models on the same questions, with its 95 % interval."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedData:
    """The questions; `content` is a digest of those read, with their gold answers."""

    revision: str
    split: str
    limit: int | None
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedModel:
    """The source of the responses: a model, a baseline (only an id), or a file of responses (only its name).

    Attributes:
        backend_options: those that can change a response and are not the default.
    """

    id: str = ""
    responses: str = ""
    revision: str | None = None
    digest: str = ""
    backend: str = ""
    backend_identity: str = ""
    dtype: str = ""
    pixels: tuple[int, int] | None = None
    context: int | None = None
    backend_options: Mapping[str, Any] = field(default_factory=dict, metadata={"added": True})

    @property
    def name(self) -> str:
        return self.id or self.responses


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedPrompt:
    """The prompt; `digest` is that of the messages sent, ``unknown`` for responses made elsewhere.

    Attributes:
        system: what the user put in place of the benchmark's system text; None if that was kept.
        suffix: what the user added to the benchmark's words.
    """

    asked: AskedAs = "unknown"
    digest: str = "unknown"
    format: Format = field(default_factory=Format)
    system: str | None = field(default=None, metadata={"added": True})
    suffix: str = field(default="", metadata={"added": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedVerifier:
    """The verifier of a scoring."""

    verifier: str
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedJudge:
    """The LLM that extracted answers or scored them.

    Attributes:
        prompts: digest of its prompts for one fixed response.
        about: ``official`` if the benchmark says what it is asked, else which responses it was asked about.
    """

    id: str
    digest: str
    backend: str
    decoding: Sampling
    prompts: str
    about: AskedAbout = field(default="official", metadata={"added": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Everything a score depends on.

    Attributes:
        extraction: how answers were extracted: by the reading ``tag``, ``phrase``, ``anywhere`` or ``whole``, by a
            ``judge``, or ``stored`` with the responses.
        decoding: None for responses made elsewhere.
        draws: samples of each question by seed, if they were drawn with several.
        scoring: verifier by scoring, except scorings of a judge.
        judge: None if rules decided.
        refused: what a request counts for that an endpoint refuses for good.
    """

    benchmark: str
    data: UsedData
    model: UsedModel
    prompt: UsedPrompt
    decoding: Sampling | None
    extraction: str
    scoring: Mapping[str, UsedVerifier]
    judge: UsedJudge | None = None
    draws: Mapping[int, int] = field(default_factory=dict, metadata={"added": True})
    refused: Literal["open", "wrong"] = field(default="open", metadata={"added": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The headline accuracy at a limit of tokens, from the same responses as at the largest."""

    max_tokens: int
    accuracy: float | None
    ci95: tuple[float, float]
    mean_tokens: float
    truncated: int
    unparsed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """What one model scored on one benchmark.

    Attributes:
        benchmark: its name.
        stage: the model: its name in a run (``blind``, ``base``, ``sft-1``), else what the user called it.
        headline: the scoring that is compared.
        scores: score by scoring.
        versus: paired difference by name of an earlier model.
        responses: how many there are, every sample of each question; 0 in results that did not count them.
        unparsed: responses in which no answer was found.
        truncated: responses cut off at the token limit.
        unanswered: ids without a response in a file; these count as wrong.
        failed: reason by id of the questions without a usable response; these are undecided.
        mean_tokens: mean length of a response.
        judge_tokens: tokens of all prompts and replies of a judge.
        judge_reply_tokens: of these, tokens of the replies.
        seconds: wall time of generation.
        clusters: metadata key of what questions share, empty if they are independent.
        excluded_from_score: value by metadata key; matching questions are in the breakdown only.
        warnings: why the score may say little about the model.
        notes: what a reader of the score should know.
        about: facts about the data: licence, note, contamination.
        releases: of openvlt and of each plugin that was used, by distribution.
        budgets: the accuracy at each limit of tokens, this one included, in order; empty if there was one limit.
        spec: the benchmark as a recipe would have it, with the keys of the user's file.
    """

    benchmark: str
    stage: str
    headline: str
    scores: Mapping[str, Score]
    protocol: Protocol
    protocol_hash: str
    versus: Mapping[str, Paired] = field(default_factory=dict)
    responses: int = 0
    unparsed: int = 0
    truncated: int = 0
    unanswered: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    mean_tokens: float = 0.0
    judge_tokens: int = 0
    judge_reply_tokens: int = 0
    seconds: float = 0.0
    clusters: str = ""
    excluded_from_score: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)
    releases: Mapping[str, str] = field(default_factory=dict)
    budgets: tuple[Budget, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def score(self) -> Score:
        """The headline score."""
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
        """The result as ``--json`` shows it, with the headline's figures at the top level too."""
        record = asdict(self)
        names = ("accuracy", "correct", "n", "ci95", "bounds", "undecided", "breakdown")
        return {**{name: record["scores"][self.headline][name] for name in names}, **record}
