"""What a plugin author implements: one small class per kind, a frozen dataclass whose fields are its options.

The core does the rest: batching, samples, retries, caching, resume, counting. None of these classes opens files of its
own accord (a source reads its data), starts threads, retries or caches. Any method may raise `openvlt.Reject` to leave
one row out. A component is built once per process, may be called from many threads and keeps no state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

from openvlt.records import (
    Claim,
    Completion,
    Example,
    Format,
    Image,
    Judged,
    Message,
    Model,
    Rejected,
    Sampling,
    Trace,
    Verdict,
)

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Kind: TypeAlias = Literal["source", "captioner", "teacher", "filter", "verifier", "benchmark", "backend", "trainer"]
KINDS: tuple[Kind, ...] = (
    "source", "captioner", "teacher", "filter", "verifier", "benchmark", "backend", "trainer",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Option:
    """Describes a component's field where ``openvlt describe`` can see it: ``Annotated[int, Option("...")]``.

    Attributes:
        text: what the option does, half a sentence.
        unit: unit of its value.
        operational: True if it cannot change a row's output (a URL, a concurrency; a number of samples, which the core
            counts by itself): it stays out of the identity.
    """

    text: str
    unit: str = ""
    operational: bool = False


class Component:
    """Base of all kinds.

    Attributes:
        version: raise it when the same options may give another output; it is part of every cache key.
    """

    version: ClassVar[str] = "1"


@dataclass(frozen=True, slots=True)
class Drop:
    """A filter's decision to leave an example or its traces out, with a reason that can be counted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Keep:
    """An example filter's decision to keep an example."""

    example: Example


class Source(Component, ABC):
    """Yields examples.

    Attributes:
        splits: the splits it has.
        licence: the licence of the data.
    """

    splits: ClassVar[tuple[str, ...]] = ("train",)
    licence: ClassVar[str] = ""

    @abstractmethod
    def examples(self, split: str) -> Iterator[Example | Rejected]:
        """Yield the split's examples in a fixed order; images are ``Image.file(path)`` or ``Image.data(content)``.

        Raises:
            DataError: the split cannot be read at all; a single bad row is yielded as `Rejected` instead.
        """

    def size(self, split: str) -> int | None:
        """How many examples the split has, or None if only reading it tells."""
        return None

    def revision(self) -> str:
        """What changes when the data changes: a release, a commit, a digest."""
        return ""


class Chat(Protocol):
    """Asks the component's model once and blocks until it has answered."""

    def __call__(self, messages: Sequence[Message], **sampling: Any) -> Completion: ...


class Captioner(Component, ABC):
    """Turns images into text that lets a text-only teacher know what they show. It never sees the question."""

    model: Model

    @property
    def sampling(self) -> Sampling:
        return Sampling(max_tokens=1024)

    @abstractmethod
    def messages(self, images: Sequence[Image]) -> list[Message]:
        """The chat turns that ask for a caption of the images."""

    def parse(self, completion: Completion) -> str:
        """The caption; raise `Reject` if the reply is none."""
        return completion.text.strip()

    def run(self, images: Sequence[Image], chat: Chat) -> str:
        """Override for anything that is not one prompt; `chat` may be called any number of times."""
        return self.parse(chat(self.messages(images)))


class Teacher(Component, ABC):
    """Writes reasoning chains.

    Attributes:
        uses_caption: False if it looks at the images itself; then no caption is made for it.
    """

    model: Model
    uses_caption: ClassVar[bool] = True

    @property
    def sampling(self) -> Sampling:
        return Sampling(n=4, temperature=0.6, top_p=0.95)

    @abstractmethod
    def messages(self, example: Example, caption: str | None) -> list[Message]:
        """The chat turns that ask for one chain; `caption` is None if `uses_caption` is False."""

    @abstractmethod
    def parse(self, completion: Completion) -> Trace:
        """Split the reply into think, explanation and answer; raise `Reject` if it cannot be a trace."""

    def run(self, example: Example, caption: str | None, chat: Chat) -> Trace:
        """Override for tool use or refinement; called once for each sample."""
        return self.parse(chat(self.messages(example, caption)))


class TraceFilter(Component, ABC):
    """Drops, rewrites or chooses among the traces of an example. It may rewrite think, never the answer."""

    @abstractmethod
    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        """The traces to keep, in order, or `Drop` to lose the example with a reason."""

    def choose_all(
        self, rows: Iterable[tuple[Example, Sequence[Judged]]]
    ) -> Iterator[tuple[Example, Sequence[Judged] | Drop]]:
        """Override for a choice that depends on the whole set, such as a balance; one decision a row, in order."""
        for example, judged in rows:
            yield example, self.choose(example, judged)


class ExampleFilter(Component, ABC):
    """Chooses the examples a stage works on.

    Attributes:
        needs: names of the facts it must be given: ``pass_rate`` (share of correct policy samples, by example id; the
            core samples the policy for it) or ``benchmark_images`` (digests of the images of all benchmarks).
    """

    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def decide(
        self, examples: Iterable[Example], facts: Mapping[str, Mapping[str, float]]
    ) -> Iterator[Keep | tuple[Example, Drop]]:
        """Yield one decision an example, in order; ``facts["pass_rate"][example.id]`` is a fact of an example."""


class Verifier(Component, ABC):
    """Scores a claim.

    Attributes:
        range: the lowest and the highest score it gives; what the response caused (a hang) scores lowest.
        inline: True only for bounded work on bounded input; all else runs in a worker that can be killed.
        grouped: True if a score depends on the other claims of the same group.
    """

    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    inline: ClassVar[bool] = False
    grouped: ClassVar[bool] = False

    @abstractmethod
    def verify(self, claim: Claim) -> Verdict:
        """The verdict on one claim; the same claim always gets the same one."""

    def verify_group(self, claims: Sequence[Claim]) -> list[Verdict]:
        """The verdicts on all claims that answer one prompt, in order."""
        return [self.verify(claim) for claim in claims]


class AnswerVerifier(Verifier):
    """Compares an extracted answer with the gold. Extraction, memo and worker are the core's.

    Attributes:
        imports: modules `check` needs; a worker imports them before the clock of its first claim starts.
    """

    imports: ClassVar[tuple[str, ...]] = ()

    def quick(self, answer: str, claim: Claim) -> Verdict | None:
        """Decide inline with bounded work, or return None to leave it to `check`."""
        return None

    @abstractmethod
    def check(self, answer: str, claim: Claim) -> Verdict:
        """Decide with whatever it takes; runs in a worker with a time limit."""

    def verify(self, claim: Claim) -> Verdict:
        if claim.answer is None:
            return Verdict.unparsed("no answer could be extracted", self.range[0])
        return self.quick(claim.answer, claim) or self.check(claim.answer, claim)


class Benchmark(Component, ABC):
    """Questions, how they are asked, and the names of the verifiers that score the answers.

    Attributes:
        source: where the questions come from.
        split: which of its splits.
        scorings: scoring name to verifier name; the first is the headline.
        breakdown: metadata keys the score is broken down by.
        clusters: metadata key of the image or problem that questions share, empty if they are independent.
        phrases: True if a reply without tag or box may say its answer in a phrase, or be nothing but the answer.
        beside: metadata key to a value; questions that have it are shown in the breakdown but are not in the score.
    """

    source: Source
    split: str
    scorings: Mapping[str, str]
    breakdown: tuple[str, ...] = ()
    clusters: str = ""
    phrases: bool = False
    beside: Mapping[str, str] = MappingProxyType({})

    @abstractmethod
    def messages(self, example: Example, format: Format) -> list[Message]:
        """The chat turns that ask one question."""

    def base_messages(self, example: Example, format: Format) -> list[Message]:
        """The chat turns that ask a model that was never trained to answer in `format`; by default the same."""
        return self.messages(example, format)

    def baselines(self) -> Mapping[str, Callable[[Example], str]]:
        """Guessers without a model, by name, such as ``blind``: each gives the answer it would give to an example.

        They are scored like a model whose response is that answer, and are reported beside the models.
        """
        return {}

    def judge_extraction(self, example: Example, response: str) -> list[Message] | None:
        """The chat turns that ask a judge what answer a response gives; None if no judge is needed to tell."""
        return None

    def judge_score(self, example: Example, answer: str) -> list[Message] | None:
        """The chat turns that ask a judge to reply 1 if an answer is right, else 0; None if rules decide."""
        return None

    def choose(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Override to ask only some of the split's questions."""
        yield from examples

    def aggregate(self, rows: Sequence[tuple[Example, Verdict]]) -> Mapping[str, float]:
        """Further figures than the accuracy, by name."""
        return {}


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt for a backend.

    Attributes:
        messages: the chat turns.
        key: hex digest of what is asked; seeds derive from it, so that a sample never depends on its neighbours.
        samples: indices of the samples wanted, at least one.
    """

    messages: tuple[Message, ...]
    key: str
    samples: tuple[int, ...] = (0,)


class ImageReader(Protocol):
    """Decodes an image of the store."""

    def __call__(self, image: Image) -> Picture: ...


class Engine(Protocol):
    """An open model."""

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Sequence[Sequence[Completion] | Rejected]:
        """Answer the requests in order, one completion for each wanted sample; a request that cannot be answered is
        `Rejected` (permanent: its prompt is too long; transient: the endpoint is down)."""
        ...


@runtime_checkable
class CountingEngine(Engine, Protocol):
    """An engine that counts more than the core can see, to be shown beside the progress."""

    def counts(self) -> Mapping[str, float]:
        """Counts by name, such as ``in flight`` and ``retried``."""
        ...


class Backend(Component, ABC):
    """An inference engine.

    Attributes:
        capabilities: of ``images``, ``samples`` (several per prompt at the cost of one prefill), ``seeds``.
        deterministic: True if the same request gives the same bytes whatever else is in its chunk or came before.
        chunk: requests the core hands over at once.
        parallel: chunks that may be in flight at the same time, each from its own thread; of a model with several
            URLs, as many for each.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset()
    deterministic: ClassVar[bool] = False
    chunk: ClassVar[int] = 64

    @property
    def parallel(self) -> int:
        return 1

    @abstractmethod
    def open(self, model: Model, read: ImageReader) -> AbstractContextManager[Engine]:
        """Load the model; leaving the context frees it.

        Args:
            model: what to load; its id is a hub id, a local folder or the id an endpoint serves.
            read: decodes the images of a request.
        """


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained model: a folder that loads on its own, and what the training measured."""

    folder: Path
    metrics: Mapping[str, float] = field(default_factory=dict)


class Rewarded(Protocol):
    """What one claim earned: None leaves it out of the update; the verdicts say why."""

    @property
    def reward(self) -> float | None: ...

    @property
    def verdicts(self) -> Mapping[str, Verdict]: ...


class TrainJob(Protocol):
    """What a trainer is given, inside a process of its own.

    Attributes:
        model: the folder training starts from, with the dtype and pixel limits to train with.
        format: how the policy is asked and answers.
        folder: where checkpoints and the result go; it may hold the checkpoints of a run that was interrupted.
        seed: of everything random.
    """

    model: Model
    format: Format
    folder: Path
    seed: int

    def examples(self) -> Sequence[Example]:
        """The examples to train on, in order."""
        ...

    def traces(self) -> Sequence[Trace]:
        """For SFT: the trace of each example, in the same order; empty for RL."""
        ...

    def read(self, image: Image) -> Picture:
        """Decode an image of the store."""
        ...

    def reward(self, claims: Sequence[Claim]) -> Sequence[Rewarded]:
        """The composite reward of each claim, in order; it never raises for a claim."""
        ...

    def log(self, metrics: Mapping[str, float]) -> None:
        """Record metrics of a step; they show in the progress and lie in ``metrics.jsonl``."""
        ...


class Trainer(Component, ABC):
    """Trains a model.

    Attributes:
        needs: ``traces`` for supervised training, ``reward`` for reinforcement.
    """

    needs: ClassVar[Literal["traces", "reward"]] = "traces"

    def preflight(self, examples: int) -> None:
        """Refuse, before any work, a job that cannot be done, such as fewer examples than one batch.

        Raises:
            UsageError: what is wrong and what to change.
        """

    def processes(self) -> int:
        """How many processes train together, each with its own share of the batch."""
        return 1

    @abstractmethod
    def train(self, job: TrainJob) -> Checkpoint:
        """Train to the end, or go on from the last checkpoint in ``job.folder``."""


INTERFACES: Mapping[Kind, tuple[type[Component], ...]] = {
    "source": (Source,),
    "captioner": (Captioner,),
    "teacher": (Teacher,),
    "filter": (TraceFilter, ExampleFilter),
    "verifier": (Verifier,),
    "benchmark": (Benchmark,),
    "backend": (Backend,),
    "trainer": (Trainer,),
}
