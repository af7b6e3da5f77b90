"""A plugin for tests: made sums on made pictures, an engine that answers at once, trainers that raise a number.

What is to go wrong is said in the environment variable ``OPENVLT_FAKE``, a JSON object, so that it changes no identity:

    log         file to which every question asked of a model is written, one line of JSON each
    seconds     time a chunk takes
    down        share of the requests the engine cannot answer now
    over_long   share of the requests the engine can never answer
    die_after   chunks (of this process) after which the process kills itself
    trainer     what becomes of a training: die, die unsaved, crash, refuse, full, hang or diverge
    at          the step in which that happens, 2 if not said
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, ClassVar

from openvlt import (
    AskingExampleFilter,
    Backend,
    Benchmark,
    Chat,
    Checkpoint,
    Claim,
    Completion,
    DataError,
    Drop,
    Engine,
    Example,
    Format,
    Image,
    ImageReader,
    Judged,
    Message,
    Model,
    Option,
    Reads,
    Reject,
    Rejected,
    Request,
    Sampling,
    Source,
    Teacher,
    Trace,
    TraceFilter,
    Trainer,
    TrainJob,
    Verdict,
    Verifier,
    hookimpl,
    parse,
)  # fmt: skip

BARE = "\nAnswer with one number."


@hookimpl
def register_sources(register: Any) -> None:
    register("made", Made, summary="sums on made pictures")


@hookimpl
def register_teachers(register: Any) -> None:
    register("tutor", Tutor, summary="adds from the caption")
    register("echo", Echo, summary="takes any reply for an answer")
    register("double-checker", DoubleChecker, summary="adds, and asks itself again")


@hookimpl
def register_filters(register: Any) -> None:
    register("forger", Forger, summary="changes an answer, which no filter may")
    register("sluggard", Sluggard, summary="decides on the first row only")
    register("picky", Picky, summary="asks whether a question is good")


@hookimpl
def register_verifiers(register: Any) -> None:
    register("luck", Luck, summary="a score that only the response decides")


@hookimpl
def register_benchmarks(register: Any) -> None:
    register("made", MadeBenchmark, summary="sums on the pictures of the test split")


@hookimpl
def register_backends(register: Any) -> None:
    register("fake", Fake, summary="answers at once")


@hookimpl
def register_trainers(register: Any) -> None:
    register("copy-sft", CopySft, summary="copies the model and raises its skill")
    register("imitate", Imitate, summary="becomes its teacher")
    register("copy-grpo", CopyGrpo, summary="the same, rewarded")


def told(name: str, otherwise: Any = None) -> Any:
    return json.loads(os.environ.get("OPENVLT_FAKE", "{}")).get(name, otherwise)


def share(*parts: object) -> float:
    """A number in [0, 1) that is the same for the same parts."""
    return int(sha256(repr(parts).encode()).hexdigest()[:8], 16) / 2**32


def png(*colour: int, size: int = 8) -> bytes:
    import PIL.Image

    file = BytesIO()
    PIL.Image.new("RGB", (size, size), colour).save(file, "png")
    return file.getvalue()


@dataclass(frozen=True)
class Made(Source):
    """Sums, each on a picture of its own colour; `faults` names the places of the rows that are bad, by fault."""

    n: int = 20
    per_image: int = 1
    faults: dict[str, tuple[int, ...]] = field(default_factory=dict)

    splits: ClassVar[tuple[str, ...]] = ("train", "test")

    def examples(self, split: str) -> Iterator[Example | Rejected]:
        for index in range(self.n):
            yield self._spoilt(index, self._example(index, split))

    def size(self, split: str) -> int:
        return self.n

    def _example(self, index: int, split: str) -> Example:
        a, b = index % 23, index * 7 % 19
        place = index // self.per_image
        return Example(
            id=f"{split}/{index}",
            question=f"What is {a} + {b}?",
            answer=str(a + b),
            images=(Image.data(png(place % 256, place // 256, 255 if split == "test" else 0)),),
            answer_type="integer",
            metadata={"category": "small" if a + b < 20 else "large"},
        )

    def _spoilt(self, index: int, example: Example) -> Example | Rejected:
        from dataclasses import replace

        fault = next((name for name, places in self.faults.items() if index in places), "")
        bad: dict[str, dict[str, Any]] = {
            "": {},
            "empty gold": {"answer": "  "},
            "duplicate id": {"id": example.id.partition("/")[0] + "/0"},
            "no image": {"images": ()},
            "missing image": {"images": (Image.file("/nowhere/at/all.png"),)},
            "broken image": {"images": (Image.data(png(1, 2, 3)[:40]),)},
            "test image": {"images": self._example(index, "test").images},
            "wrong gold": {"answer": "12345"},
        }
        return Rejected(id=example.id, reason="the source's own reason") if fault == "rejected" else replace(
            example, **bad[fault]
        )  # fmt: skip


@dataclass(frozen=True)
class MadeBenchmark(Benchmark):
    """Sums on the pictures of the test split; the guesser says 7."""

    n: int = 12

    split: ClassVar[str] = "test"
    scorings: ClassVar[dict[str, str]] = {"exact": "answer"}
    breakdown: ClassVar[tuple[str, ...]] = ("category",)

    @property
    def source(self) -> Source:  # type: ignore[override]
        return Made(self.n)

    def messages(self, example: Example, format: Format) -> list[Message]:
        return format.prompt(example)

    def base_messages(self, example: Example, format: Format) -> list[Message]:
        return [Message.user(*example.images, example.question + BARE)]

    def baselines(self) -> dict[str, Any]:
        return {"blind": lambda example: "7"}


@dataclass(frozen=True)
class Tutor(Teacher):
    """Reads the caption and adds."""

    model: Model
    k: Annotated[int, Option("chains an example", affects_output=False)] = 2
    refuse: Annotated[str, Option("reject replies that hold this")] = ""

    @property
    def sampling(self) -> Sampling:
        return Sampling(n=self.k, temperature=0.7, max_tokens=64)

    def messages(self, example: Example, caption: str | None) -> list[Message]:
        return [Message.user(f"{caption}\n{example.question}\nThink, then answer.")]

    def parse(self, completion: Completion) -> Trace:
        if self.refuse and self.refuse in completion.text:
            raise Reject("refused by the teacher")
        return parse(completion, Format())


@dataclass(frozen=True)
class DoubleChecker(Tutor):
    """Asks once, then once more with its own reply; some questions are given up after the first turn."""

    def run(self, example: Example, caption: str | None, chat: Chat) -> Trace:
        asked = self.messages(example, caption)
        first = chat(asked)
        if share("give up", example.id) < 0.2:
            raise Reject("given up")
        if share("sure", example.id) < 0.3:
            return parse(first, Format())
        again = [*asked, Message.assistant(first.text), Message.user("Are you sure? Think, then answer.")]
        return parse(chat(again, temperature=0.1), Format())


@dataclass(frozen=True)
class Echo(Tutor):
    """Sees the images, and takes whatever is replied for an answer: an untrained model writes no tags."""

    uses_caption = False

    @property
    def sampling(self) -> Sampling:
        return Sampling(n=self.k, temperature=1.0, max_tokens=8)

    def messages(self, example: Example, caption: str | None) -> list[Message]:
        return Format().prompt(example)

    def parse(self, completion: Completion) -> Trace:
        return Trace(think="", answer=completion.text.strip() or "?", raw=completion.text)


@dataclass(frozen=True)
class Forger(TraceFilter):
    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        from dataclasses import replace

        return [replace(one, trace=replace(one.trace, answer="999")) for one in judged]


@dataclass(frozen=True)
class Sluggard(TraceFilter):
    def choose(self, example: Example, judged: Sequence[Judged]) -> Sequence[Judged] | Drop:
        return judged

    def choose_all(self, rows: Any) -> Iterator[Any]:
        rows = list(rows)
        yield rows[0][0], rows[0][1]


@dataclass(frozen=True)
class Picky(AskingExampleFilter):
    """Keeps the questions that a model finds good; the first it keeps unasked, the second it cannot ask about."""

    model: Model = Model(id="base")

    def messages(self, subject: Example) -> list[Message] | Drop | None:
        if subject.id == "train/1":
            raise Reject("too silly to ask about")
        return None if subject.id == "train/0" else [Message.user(f"Is it good: {subject.question}? Verdict: ")]

    def parse(self, completion: Completion, subject: Example) -> Drop | None:
        if "yes" in completion.text:
            return None
        if "no" in completion.text:
            return Drop("not good")
        raise Reject("neither yes nor no")


@dataclass(frozen=True)
class Luck(Verifier):
    """Scores a response by its digest, so that responses earn different rewards whatever a random model writes."""

    def verify(self, claim: Claim) -> Verdict:
        return Verdict.scored(share("luck", claim.response))


@dataclass(frozen=True)
class Fake(Backend):
    """Adds the last sum in the prompt, as often rightly as the model's ``skill.json`` says.

    What it replies is decided by what it is asked, not by a request's key, which also tells where the model lies and the
    version of the code: a test must not depend on those.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"images", "samples", "seeds"})
    deterministic: ClassVar[bool] = True
    chunk: ClassVar[int] = 8

    @contextmanager
    def open(self, model: Model, read: ImageReader) -> Iterator[Engine]:
        yield FakeEngine(json.loads((Path(model.id) / "skill.json").read_text())["skill"], read)


@dataclass
class FakeEngine:
    skill: float
    read: ImageReader
    chunks: int = 0

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[list[Completion] | Rejected]:
        if self.chunks == told("die_after"):
            os.kill(os.getpid(), signal.SIGKILL)
        self.chunks += 1
        time.sleep(told("seconds", 0))
        return [self._reply(request, sampling) for request in requests]

    def _reply(self, request: Request, sampling: Sampling) -> list[Completion] | Rejected:
        asked = repr(request.messages)
        if share("down", asked) < told("down", 0):
            return Rejected(id="", reason="endpoint down", transient=True)
        if share("over long", asked) < told("over_long", 0):
            return Rejected(id="", reason="prompt over-long")
        return [self._complete(request, sample, sampling) for sample in request.samples]

    def _complete(self, request: Request, sample: int, sampling: Sampling) -> Completion:
        turn = request.messages[-1]
        images = [part for part in turn.content if isinstance(part, Image)]
        text = "".join(part for message in request.messages for part in message.content if isinstance(part, str))
        colours = [self.read(image).getpixel((0, 0)) for image in images]
        if (log := told("log")) is not None:
            entry = {"text": text, "sample": sample, "temperature": sampling.temperature, "images": len(images)}
            entry["process"] = os.getpid()
            with Path(log).open("a") as file:
                file.write(json.dumps(entry) + "\n")
        said = self._say(text, repr(request.messages), sample) if "+" in text else f"A square of colour {colours}."
        if "Verdict: " in text:
            said = f"Let me see.\nVerdict: {'yes' if share('judged', text) < self.skill else 'no'}"
        return Completion(text=said, prompt_tokens=len(text.split()), completion_tokens=len(said.split()))

    def _say(self, text: str, asked: str, sample: int) -> str:
        a, b = map(int, re.findall(r"(\d+) \+ (\d+)", text)[-1])
        answer = a + b if share("right", asked, sample) < self.skill else a + b + 1
        if text.endswith(BARE):
            return str(answer)
        return f"<think>{a} and {b}, chain {share('chain', asked, sample):.6f}</think>\n<answer>{answer}</answer>"


@dataclass(frozen=True)
class CopySft(Trainer):
    """Copies the model and raises its skill, in steps that survive a kill like those of a real training."""

    steps: int = 4
    skill: float = 0.7
    seconds: Annotated[float, Option("time of a step", affects_output=False)] = 0.0
    batch: Annotated[int, Option("rows of a batch", affects_output=False)] = 1

    def batch_rows(self) -> int:
        return self.batch

    def train(self, job: TrainJob) -> Checkpoint:
        assert job.examples()
        done = int(job.checkpoint.name.split("-")[1]) if job.checkpoint else 0
        for step in range(done + 1, self.steps + 1):
            time.sleep(self.seconds)
            self._step(job, step)
            job.log({"step": step, "steps": self.steps, "loss": 1 / step, "started_from": done})
            checkpoint = job.folder / f"checkpoint-{step}"
            checkpoint.mkdir(exist_ok=True)
            (checkpoint / "skill.json").write_text(json.dumps({"skill": self.skill * step / self.steps}))
            if step == told("at", 2) and told("trainer") == "die unsaved":
                os.kill(os.getpid(), signal.SIGKILL)
            job.saved(checkpoint)
        target = job.folder / "model"
        shutil.copytree(job.model.id, target, dirs_exist_ok=True)
        (target / "skill.json").write_text(json.dumps({"skill": self.skill}))
        return Checkpoint(target, {"loss": float("nan") if told("trainer") == "diverge" else 1 / self.steps})

    def _step(self, job: TrainJob, step: int) -> None:
        fault = told("trainer") if step == told("at", 2) else None
        if fault == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault == "crash":
            raise RuntimeError("the optimiser fell over")
        elif fault == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(job.folder / "checkpoint-2"))
        elif fault == "refuse":
            raise DataError("The loss is not a number.", "Lower the learning rate.")
        elif fault == "hang":
            sys.stderr.flush()
            time.sleep(600)


@dataclass(frozen=True)
class Imitate(Trainer):
    """Becomes the model it is given as a teacher."""

    teacher: Model = Model(id="base")
    steps: int = 1

    def train(self, job: TrainJob) -> Checkpoint:
        return Checkpoint(Path(shutil.copytree(self.teacher.id, job.folder / "model", dirs_exist_ok=True)))


@dataclass(frozen=True)
class CopyGrpo(CopySft):
    """The same, with a reward for each example's own answer and for a wrong one."""

    reads: ClassVar[Reads] = "prompts"
    rewarded: ClassVar[bool] = True
    skill: float = 0.95

    def _step(self, job: TrainJob, step: int) -> None:
        super()._step(job, step)
        for example in job.examples()[:2]:
            for answer in (example.answer, "nonsense"):
                raw = f"<think>so</think>\n<answer>{answer}</answer>"
                claim = Claim(trace=parse(Completion(text=raw), job.format), example=example, group=str(step))
                (row,) = job.reward([claim])
                assert row.reward is not None
