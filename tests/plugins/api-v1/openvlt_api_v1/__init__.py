"""All of plugin API 1: every hook, every kind, every method a component may have. Never edited; see README.md."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Interval

from openvlt import (  # every name that API 1 has
    PLACEHOLDER,
    AnswerType,
    AnswerVerifier,
    Asking,
    AskingExampleFilter,
    AskingTraceFilter,
    AskingVerifier,
    Backend,
    Benchmark,
    BenchResult,
    Captioner,
    Cause,
    Chat,
    Checkpoint,
    Claim,
    Completion,
    Component,
    CountingEngine,
    DataError,
    DefaultFor,
    Drop,
    EndpointKey,
    Engine,
    Example,
    ExampleFilter,
    FinishReason,
    Format,
    Gpus,
    Image,
    ImageReader,
    Judged,
    Keep,
    Kind,
    MaxTokens,
    Memory,
    Message,
    Model,
    ModelShape,
    NewImage,
    OpenvltError,
    Option,
    Paired,
    Part,
    PlainText,
    PluginError,
    ProgramCaptioner,
    Protocol,
    Rate,
    Reading,
    Reads,
    Register,
    Reject,
    Rejected,
    RemoteError,
    Request,
    Rewarded,
    Run,
    RunStatus,
    Samples,
    Sampling,
    Score,
    Seed,
    Source,
    StageRecord,
    Status,
    Teacher,
    Temperature,
    TopP,
    Trace,
    TraceFilter,
    Trainer,
    TrainJob,
    UsageError,
    UsedData,
    UsedJudge,
    UsedModel,
    UsedPrompt,
    UsedVerifier,
    Verdict,
    Verifier,
    Workload,
    after_thinking,
    allocate,
    choose_tokens,
    command_output,
    compute_score,
    endpoint_key,
    exported_reward,
    extract,
    first_line,
    handed_over,
    hookimpl,
    is_this_machine,
    limit_pixels,
    mask_keys,
    parse,
    penalise_repetition,
    reward,
    uniform_draws,
    visible_gpus,
    visual_tokens,
    with_images,
    within_pixels,
)  # fmt: skip

OPENVLT_API = 1

NAMES = (
    PLACEHOLDER, AnswerType, Asking, BenchResult, Cause, Component, CountingEngine, DefaultFor, EndpointKey,
    FinishReason, Kind, MaxTokens, NewImage, OpenvltError, Paired, Part, PlainText, PluginError, Protocol, Rate,
    RemoteError, Rewarded, RunStatus, Samples, Score, Status, Temperature, TopP, UsedData, UsedJudge, UsedModel,
    UsedPrompt, UsedVerifier, after_thinking, allocate, choose_tokens, command_output, compute_score, endpoint_key,
    exported_reward, extract, first_line, handed_over, is_this_machine, limit_pixels, mask_keys, penalise_repetition,
    reward, uniform_draws, visible_gpus, visual_tokens, within_pixels,
)  # fmt: skip


@hookimpl
def register_sources(register: Register) -> None:
    register("v1", V1Source, summary="sums on pictures", requires=("PIL",))


@hookimpl
def register_captioners(register: Register) -> None:
    register("v1", V1Captioner, summary="asks twice")
    register("v1-program", V1Program, summary="names the colour")


@hookimpl
def register_teachers(register: Register) -> None:
    register("v1", V1Teacher, summary="asks twice")


@hookimpl
def register_filters(register: Register) -> None:
    register("v1", V1Filter, summary="at most one trace")
    register("v1-examples", V1Examples, summary="by pass rate")
    register("v1-asking", V1AskingFilter, summary="asks about traces")
    register("v1-asking-examples", V1AskingExamples, summary="asks about examples")


@hookimpl
def register_verifiers(register: Register) -> None:
    register("v1", V1Verifier, summary="scores a group")
    register("v1-answer", V1Answer, summary="equal texts")
    register("v1-asking", V1AskingVerifier, summary="asks about claims")


@hookimpl
def register_benchmarks(register: Register) -> None:
    register("v1", V1Benchmark, summary="sums")
    register("v1-short", "openvlt_api_v1:short.yaml", summary="data")


@hookimpl
def register_backends(register: Register) -> None:
    register("v1", V1Backend, summary="adds")


@hookimpl
def register_trainers(register: Register) -> None:
    register("v1-traces", V1Trainer, summary="copies the model")
    register("v1-pairs", V1Pairs, summary="copies the model")
    register("v1-prompts", V1Prompts, summary="copies the model, rewarded")


@hookimpl
def on_stage_end(run: Run, stage: StageRecord) -> None:
    _note(stage=stage.name, kind=stage.stage_kind, out=stage.out, taken=stage.taken, cached=stage.cached, of=run.name)


@hookimpl
def on_run_end(run: Run) -> None:
    scores = {result.benchmark: result.score.accuracy for result in run.scores}
    _note(run=run.recipe, status=run.status, stages=len(run.stages), planned=len(run.planned), scores=scores)


def _note(**event: Any) -> None:
    if path := os.environ.get("OPENVLT_API_V1"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")


def _png(n: int) -> bytes:
    import PIL.Image

    file = BytesIO()
    PIL.Image.new("RGB", (8, 8), (n, 2 * n, 3 * n)).save(file, "png")
    return file.getvalue()


@dataclass(frozen=True)
class V1Source(Source):
    """Sums on pictures; every fifth row of the train split is rejected."""

    version: ClassVar[str] = "3"
    removed: ClassVar[Mapping[str, str]] = {"count": "Set n instead."}
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    licence: ClassVar[str] = "CC0"
    is_local: ClassVar[bool] = True
    note: Annotated[str, Option("for readers", affects_output=False)] = "made"
    n: Annotated[int, Ge(1), Option("sums", unit="rows")] = 20
    seed: Seed = 0

    def examples(self, split: str) -> Iterator[Example | Rejected]:
        if split not in self.splits:
            raise DataError(f"There is no split {split}.", "Choose another.")
        for n in range(self.n):
            id, images = f"{split}/{n}", (Image.data(_png(n + 100 * (split == "test"))),)
            if n % 5 == 4 and split == "train":
                yield Rejected(id=id, reason="every fifth", transient=False, where=f"row {n + 1}")
                continue
            size = {"category": "small" if n < 5 else "large"}
            yield Example(
                id=id, question=f"<image> What is {n} + 1?", answer=str(n + 1), images=images, choices=(),
                answer_type="integer", precision=None, unit=None, metadata=size,
            )  # fmt: skip

    def size(self, split: str) -> int | None:
        return self.n - (self.n // 5 if split == "train" else 0)

    def published_size(self, split: str) -> int | None:
        return None

    def understood(self, split: str, rows: int) -> Mapping[str, str]:
        return {"question": "made"}

    def revision(self) -> str:
        return "1"


@dataclass(frozen=True)
class V1Captioner(Captioner):
    """Asks, and asks again at another temperature."""

    model: Annotated[Model, Option("model")] = Model(id="base")
    prompt: Annotated[str, Option("prompt")] = "Describe."

    @property
    def sampling(self) -> Sampling:
        return Sampling(n=1, temperature=0.0, max_tokens=64)

    def messages(self, images: Sequence[Image]) -> list[Message]:
        return [Message.system("You see."), Message.user(*images, self.prompt)]

    def parse(self, completion: Completion) -> str:
        if not completion.text.strip():
            raise Reject("empty", transient=False)
        return completion.text.strip()

    def run(self, images: Sequence[Image], chat: Chat) -> str:
        asked = self.messages(images)
        first = chat(asked)
        return self.parse(
            chat([*asked, Message.assistant(first.text), Message.user("Again.")], temperature=0.5, seed=1)
        )


@dataclass(frozen=True)
class V1Program(ProgramCaptioner):
    """Names the colour of the first pixel."""

    def subject(self, example: Example) -> Any:
        return example.images[:1]

    def revision(self) -> str:
        return "1"

    @contextmanager
    def open(self, read: ImageReader) -> Iterator[Callable[[Any], str | None]]:
        yield lambda images: f"A pixel of {read(images[0]).getpixel((0, 0))}."


@dataclass(frozen=True)
class V1Teacher(Teacher):
    """Reads a caption, and checks itself."""

    uses_caption: ClassVar[bool] = True
    model: Annotated[Model, Option("model")] = Model(id="base")
    format: Format = Format()
    k: Samples = 2
    temperature: Temperature = 0.6
    top_p: TopP = 0.95
    max_tokens: MaxTokens = 64

    @property
    def sampling(self) -> Sampling:
        return Sampling(n=self.k, temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens)

    def messages(self, example: Example, caption: str | None) -> list[Message]:
        return [Message.user(f"{caption}\n{example.in_words().question}{self.format.suffix}")]

    def parse(self, completion: Completion) -> Trace:
        return parse(completion, self.format)

    def run(self, example: Example, caption: str | None, chat: Chat) -> Trace:
        trace = self.parse(chat(self.messages(example, caption)))
        return replace(trace, think=f"{trace.think} Sure.")


@dataclass(frozen=True)
class V1Filter(TraceFilter):
    """Keeps the first correct trace, and counts over the whole set."""

    keeps_incorrect: ClassVar[bool] = False
    verifier: Annotated[str, Option("verifier")] = "answer"

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.verifier,)

    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        return [one for one in judged if one.is_correct][:1] or Drop("none is correct")

    def choose_all(
        self, rows: Iterable[tuple[Example, Sequence[Judged]]]
    ) -> Iterator[tuple[Example, Sequence[Judged] | Drop]]:
        for example, judged in rows:
            yield example, self.choose(example, judged)


@dataclass(frozen=True)
class V1Examples(ExampleFilter):
    """Keeps examples by the policy's pass rate."""

    needs: ClassVar[tuple[str, ...]] = ("pass_rate", "benchmark_images")
    least: Annotated[float, Interval(ge=0, le=1), Option("least pass rate")] = 0.0

    def decide(
        self, examples: Iterable[Example], facts: Mapping[str, Mapping[str, float]]
    ) -> Iterator[Keep | tuple[Example, Drop]]:
        for example in examples:
            seen = any(image.sha256 in facts["benchmark_images"] for image in example.images)
            bad = seen or facts["pass_rate"].get(example.id, 0.0) < self.least
            yield (example, Drop("too hard or seen")) if bad else Keep(example)


@dataclass(frozen=True)
class V1AskingFilter(AskingTraceFilter):
    """Drops what a model says no to."""

    model: Annotated[Model, Option("model")] = Model(id="base")
    step_seconds: Annotated[float, Option("wait", unit="s", affects_output=False)] = 60.0

    @property
    def sampling(self) -> Sampling:
        return Sampling(max_tokens=16)

    def messages(self, subject: Claim) -> Sequence[Message] | Drop | None:
        if subject.answer is None:
            return Drop("no answer")
        return [Message.user(f"Is {subject.answer!r} clear? yes or no. 1 + 1")]

    def parse(self, completion: Completion, subject: Claim) -> Drop | None:
        return Drop("unclear") if completion.text == "no" else None


@dataclass(frozen=True)
class V1AskingExamples(AskingExampleFilter):
    """Drops what a model says no to."""

    model: Annotated[Model, Option("model")] = Model(id="base")

    def messages(self, subject: Example) -> Sequence[Message] | Drop | None:
        return [Message.user(f"Is {subject.question!r} good? 1 + 1")] if subject.images else None

    def parse(self, completion: Completion, subject: Example) -> Drop | None:
        return Drop("bad") if completion.text == "no" else None


@dataclass(frozen=True)
class V1Verifier(Verifier):
    """Scores a response by its rank among those of its group."""

    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    grouped: ClassVar[bool] = True
    inline: ClassVar[bool] = True
    seconds: ClassVar[float] = 1.0
    memory: ClassVar[int] = 1 << 29

    def verify(self, claim: Claim) -> Verdict:
        return Verdict.scored(0.0, "alone", {"words": len(claim.response.split())})

    def verify_group(self, claims: Sequence[Claim]) -> list[Verdict]:
        shortest = min(len(claim.response) for claim in claims)
        return [Verdict.scored(1.0 if len(claim.response) == shortest else -1.0) for claim in claims]


@dataclass(frozen=True)
class V1Answer(AnswerVerifier):
    """Equal texts are correct; half of the text is half correct."""

    imports: ClassVar[tuple[str, ...]] = ("decimal",)
    context_free: ClassVar[bool] = True
    case: Annotated[Literal["same", "any"], Option("case")] = "any"

    def quick(self, answer: str, claim: Claim) -> Verdict | None:
        return Verdict.correct("equal", tier="text") if answer == claim.example.answer else None

    def check(self, answer: str, claim: Claim) -> Verdict:
        gold = claim.example.answer
        if not gold:
            return Verdict.bad_gold("empty")
        if self.case == "any" and answer.lower() == gold.lower():
            return Verdict.correct("but for case")
        return Verdict.partial(0.5, "a part") if answer and answer in gold else Verdict.incorrect("another")


@dataclass(frozen=True)
class V1AskingVerifier(AskingVerifier):
    """Asks a model about a claim."""

    model: Annotated[Model, Option("model")] = Model(id="base")

    def messages(self, subject: Claim) -> Sequence[Message] | Verdict:
        if subject.answer is None:
            return Verdict.not_applicable("nothing to judge")
        return [Message.user(f"Is {subject.answer!r} polite? 1 + 1")]

    def parse(self, completion: Completion, subject: Claim) -> Verdict:
        return Verdict.scored(float(completion.text != "no"))


@dataclass(frozen=True)
class V1Benchmark(Benchmark):
    """The sums of the test split."""

    n: Annotated[int, Ge(1), Option("sums")] = 10
    source: Source = field(init=False, default=V1Source())
    split: Annotated[str, Option("split")] = "test"
    scorings: Annotated[Mapping[str, str], Option("scorings")] = field(default_factory=lambda: {"exact": "answer"})
    breakdown: Annotated[tuple[str, ...], Option("keys")] = ("category",)
    clusters: Annotated[str, Option("key")] = "category"
    reading: Annotated[Reading, Option("reading")] = "phrase"
    excluded_from_score: Annotated[Mapping[str, str], Option("excluded")] = field(default_factory=dict)
    contamination: ClassVar[str] = "none known"

    def messages(self, example: Example, format: Format) -> list[Message]:
        return [Message.user(*with_images(example.question, example.images), format.suffix)]

    def base_messages(self, example: Example, format: Format) -> list[Message]:
        return [Message.user(*example.images, f"{example.in_words().question} One number.")]

    def baselines(self) -> Mapping[str, Callable[[Example], str]]:
        return {"blind": lambda example: "1"}

    def judge_extraction(self, example: Example, response: str) -> list[Message] | None:
        return None

    def judge_score(self, example: Example, answer: str) -> list[Message] | None:
        return None

    def choose(self, examples: Iterable[Example]) -> Iterator[Example]:
        for place, example in enumerate(examples):
            if place < self.n:
                yield example

    def aggregate(self, rows: Sequence[tuple[Example, Verdict]]) -> Mapping[str, float]:
        return {"small": float(sum(example.metadata.get("category") == "small" for example, _ in rows))}


class Adds:
    def __init__(self, read: ImageReader) -> None:
        self.read, self.asked = read, 0

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Sequence[Completion] | Rejected]:
        return [self._reply(each, sampling) for each in requests]

    def counts(self) -> Mapping[str, float]:
        return {"asked": float(self.asked)}

    def _reply(self, request: Request, sampling: Sampling) -> Sequence[Completion] | Rejected:
        self.asked += 1
        words = " ".join(part for turn in request.messages for part in turn.content if isinstance(part, str)).split()
        if len(words) > 10_000:
            return Rejected(id=request.key, reason="over-long")
        for turn in request.messages:
            for part in turn.content:
                if isinstance(part, Image):
                    assert self.read(part).size
        numbers = [word.strip("?.") for word in words]
        plus = max((place for place, word in enumerate(numbers) if word == "+"), default=0)
        answer = str(int(numbers[plus - 1]) + 1) if plus else "yes"
        text = f"<think>{answer} it is.</think> <answer>{answer}</answer>"
        for stop in sampling.stop:
            text = text.partition(stop)[0]
        return [Completion(text=text, prompt_tokens=len(words), completion_tokens=4) for _ in request.samples]


@dataclass(frozen=True)
class V1Backend(Backend):
    """Adds 1 to the last number before a plus."""

    default_for: ClassVar[DefaultFor | None] = None
    capabilities: ClassVar[frozenset[str]] = frozenset({"samples"})
    deterministic: ClassVar[bool] = True
    chunk: ClassVar[int] = 4

    @property
    def parallel(self) -> int:
        return 2

    def check(self, config: Mapping[str, Any]) -> None:
        if config.get("model_type") == "unknown":
            raise UsageError("It cannot run this model.", "Use hf.")

    def gpu_memory(self, shape: ModelShape, work: Workload) -> Memory | None:
        return {"weights": 1.0} if work.gpus == Gpus(1, 1) else None

    def savings(self) -> Sequence[Mapping[str, Any]]:
        return ()

    @contextmanager
    def open(self, model: Model, read: ImageReader) -> Iterator[Engine]:
        yield Adds(read)


@dataclass(frozen=True)
class V1Trainer(Trainer):
    """Copies the model, with a checkpoint."""

    reads: ClassVar[Reads] = "traces"
    rewarded: ClassVar[bool] = False
    rows: Annotated[int, Ge(1), Option("rows of a batch")] = 2

    def batch_rows(self) -> int:
        return self.rows

    def check_model(self, config: Mapping[str, Any]) -> None:
        assert isinstance(config, Mapping)

    def check_machine(self) -> None: ...

    def processes(self) -> int:
        return 1

    def devices_used(self) -> int:
        return 1

    def machines(self) -> int:
        return 1

    def memory(self, shape: ModelShape, work: Workload) -> Memory | None:
        return None

    def savings(self) -> Sequence[Mapping[str, Any]]:
        return ({"rows": 1},)

    def secrets(self) -> Sequence[str]:
        return ()

    def train(self, job: TrainJob) -> Checkpoint:
        self._learn(job)
        job.log({"step": 1, "steps": 1, "loss": 0.5, "seed": float(job.seed)})
        checkpoint = job.folder / "checkpoint-1"
        shutil.copytree(job.model.id, checkpoint, dirs_exist_ok=True)
        job.saved(checkpoint)
        model = job.folder / "model"
        shutil.copytree(job.model.id, model, dirs_exist_ok=True)
        return Checkpoint(model, {"loss": 0.5})

    def _learn(self, job: TrainJob) -> None:
        assert len(job.traces()) == len(job.examples())
        for example in job.examples():
            for image in example.images:
                assert job.read(image).size and job.content(image)


@dataclass(frozen=True)
class V1Pairs(V1Trainer):
    """Reads pairs."""

    reads: ClassVar[Reads] = "pairs"

    def _learn(self, job: TrainJob) -> None:
        assert all(chosen != rejected for chosen, rejected in job.pairs())


@dataclass(frozen=True)
class V1Prompts(V1Trainer):
    """Reads prompts, and asks for rewards."""

    reads: ClassVar[Reads] = "prompts"
    rewarded: ClassVar[bool] = True

    def _learn(self, job: TrainJob) -> None:
        for example in job.examples()[:2]:
            raw = job.format.target(Trace(think="so", answer=example.answer, raw=""))
            claim = Claim(trace=parse(Completion(text=raw), job.format), example=example, group=example.id)
            (paid,) = job.reward([claim])
            assert paid.reward is not None and paid.verdicts
