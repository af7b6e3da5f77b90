"""Runs one component on a few examples, in a temporary store, and shows what is sent and received."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openvlt.bench.definition import Definition
from openvlt.bench.questions import questions
from openvlt.bench.score import read, reading_of
from openvlt.engines.conversation import Conversing
from openvlt.errors import Reject, UsageError
from openvlt.extraction import parse
from openvlt.interfaces import (
    AskingFact,
    Captioner,
    Chat,
    Engine,
    FactValue,
    Kind,
    ProgramFact,
    Request,
    Source,
    Teacher,
)
from openvlt.records import Claim, Completion, Example, Image, Message, Model, Rejected, Sampling, Trace, Verdict
from openvlt.registry import Built, Registry
from openvlt.results import check_fact
from openvlt.stages.ask import MODEL
from openvlt.stages.asker import Asker, models_of_run
from openvlt.stages.load import load
from openvlt.stages.workspace import Output, Workspace
from openvlt.store import Home, digest, encode
from openvlt.verification import VerifierRunner
from openvlt.verification.runner import Ask


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        workspace: with a temporary store.
        show: prints text.
    """

    workspace: Workspace
    show: Callable[[str], None]

    @classmethod
    def open(cls, registry: Registry, folder: Path, show: Callable[[str], None]) -> Trial:
        """Begin a trial with a store in `folder`."""
        home = Home(folder)
        for each in (home.images, home.values, home.stages, home.runs):
            each.mkdir(parents=True, exist_ok=True)
        return cls(Workspace(home, registry, reject_above=1.0), show)

    def build(self, kind: Kind, spec: Any) -> Built[Any]:
        """Build a component with the default format."""
        return self.workspace.registry.build(kind, spec, format=self.workspace.format)

    def examples(self, tried: Built[Any], source: Any, split: str | None, limit: int) -> list[Example]:
        """Read the first examples, and show rejected rows.

        Raises:
            UsageError: there is no source.
        """
        reader = tried if isinstance(tried.component, Source) else self._source(tried, source)
        split = split or next(iter(reader.component.splits), "train")
        made = load(self.workspace, "try", 0, reader, split, limit)
        self._show_rejected(made)
        return [row.example for row in made.rows()]

    def questions(self, definition: Definition) -> list[Example]:
        """Read the questions of a benchmark, and show those that cannot be asked."""
        found = questions(self.workspace, definition)
        self._show_rejected(found.output)
        return [row.example for row in found.output.rows() if row.example.id not in found.unreadable]

    def _show_rejected(self, made: Output) -> None:
        for reason, count in made.record.rejected.items():
            self.show(f"rejected {count}: {reason}")

    def _source(self, tried: Built[Any], source: Any) -> Built[Source]:
        if source is None:
            raise UsageError(
                f"A {tried.entry.kind} needs examples.", "Add --source NAME; see 'openvlt list-plugins --kind source'."
            )
        return self.build("source", source)

    def source(self, examples: Sequence[Example]) -> None:
        """Show the examples of a source."""
        for example in examples:
            self._head(example)
            self._result(example)

    def caption(self, captioner: Built[Any], examples: Sequence[Example]) -> None:
        """Caption each example."""
        with self._captioning(captioner) as caption:
            for example in examples:
                self._head(example)
                found = _tried(lambda: caption(example))  # noqa: B023 - called at once
                self._result("no caption" if found is None else found)

    def teach(
        self, teacher: Built[Any], examples: Sequence[Example], caption: str | None, captioner: Built[Any] | None
    ) -> None:
        """Write one chain for each example.

        Raises:
            UsageError: the teacher reads captions, but there are none.
        """
        uses_caption = teacher.component.uses_caption
        if uses_caption and caption is None and captioner is None:
            raise UsageError("This teacher reads captions.", "Add --caption TEXT or --captioner NAME.")
        captions = dict.fromkeys((example.id for example in examples), caption if uses_caption else None)
        if captioner is not None and uses_caption:
            with self._captioning(captioner) as describe:
                captions = {example.id: describe(example) for example in examples}
        with self._teaching(teacher) as write:
            for example in examples:
                self._head(example)
                self._result(_tried(lambda: write(example, captions[example.id])))  # noqa: B023 - called at once

    @contextmanager
    def _teaching(self, teacher: Built[Any]) -> Iterator[Callable[[Example, str | None], Any]]:
        """What writes the first chain for an example and its caption."""
        component = teacher.component
        if isinstance(component, Teacher):
            with self._chatting(models_of_run(teacher), component.sampling) as chat:
                yield lambda example, caption: component.run(example, caption, chat)
        else:
            with teacher.guarded("open"), component.open(self.workspace.images.read) as write:
                yield lambda example, caption: write(example, caption, 0) or "no chain"

    @contextmanager
    def _captioning(self, captioner: Built[Any]) -> Iterator[Callable[[Example], str | None]]:
        """What captions an example; None where there is nothing to caption."""
        component = captioner.component
        if isinstance(component, Captioner):
            with self._chatting(models_of_run(captioner), component.sampling) as chat:
                yield lambda example: component.run(example.images, chat) if example.images else None
        else:
            with captioner.guarded("open"), component.open(self.workspace.images.read) as caption:
                yield lambda example: caption(subject) or None if (subject := component.subject(example)) else None

    def verify(self, verifier: Built[Any], examples: Sequence[Example], response: str | None) -> None:
        """Verify one response to each example; `answer` runs first, as shaping verifiers may use its verdict."""
        verifiers = {"answer": self.build("verifier", "answer"), verifier.entry.name: verifier}
        format, images = self.workspace.format, self.workspace.home.images
        with self._asking() as ask, VerifierRunner(verifiers, format=format, ask=ask, images=images) as runner:
            for example in examples:
                self._head(example)
                gold = Trace(think="I look, and I see it.", answer=example.answer, raw="")
                raw = format.target(gold) if response is None else response
                claim = Claim(trace=parse(Completion(text=raw), format), example=example)
                self._part("response", raw)
                self._verdicts(runner.verdicts([claim])[0])

    def tell(self, fact: Built[Any], examples: Sequence[Example]) -> None:
        """Tell the fact about each example.

        Raises:
            UsageError: it samples chains, which needs a recipe.
        """
        with self._telling(fact) as value:
            for example in examples:
                self._head(example)
                found = _tried(lambda: value(example))  # noqa: B023 - called at once
                self._result("no value" if found is None else found)

    @contextmanager
    def _telling(self, fact: Built[Any]) -> Iterator[Callable[[Example], Any]]:
        component = fact.component
        if isinstance(component, ProgramFact):
            with fact.guarded("open"):
                opened = component.open(self.workspace.images.read)
            with opened as tell:
                yield lambda example: self._checked(fact, "the function of open", example, lambda: tell(example))
        elif isinstance(component, AskingFact):
            with self._asking() as ask:
                yield lambda example: self._decided(fact, example, ask)
        else:
            raise UsageError(
                f"The fact {fact.entry.name} samples chains, which a recipe's teacher writes and its verifiers judge.",
                "Add it to a recipe and run 'openvlt train RECIPE --plan'.",
            )

    def _decided(self, fact: Built[Any], example: Example, ask: Ask) -> Any:
        with fact.guarded("messages", example.id):
            asked = fact.component.messages(example)
        if asked is None or isinstance(asked, FactValue):
            return self._checked(fact, "messages", example, lambda: asked)
        (reply,) = ask(fact, [asked])
        if isinstance(reply, Rejected):
            return None
        return self._checked(fact, "parse", example, lambda: fact.component.parse(reply, example))

    def _checked(self, fact: Built[Any], method: str, example: Example, value: Callable[[], Any]) -> Any:
        with fact.guarded(method, example.id):
            return check_fact(value())

    @contextmanager
    def _asking(self) -> Iterator[Ask]:
        """What asks the model of a component, and shows it."""
        asker = Asker(self.workspace)

        def ask(built: Built[Any], prompts: Sequence[Sequence[Message]]) -> list[Completion | Rejected]:
            replies = asker.ask(built, prompts)
            for messages, reply in zip(prompts, replies, strict=True):
                self._asked(messages)
                self._part("reply", reply.reason if isinstance(reply, Rejected) else reply.text)
            return replies

        with closing(asker):
            yield ask

    def bench(self, definition: Definition, examples: Sequence[Example], model: Any) -> None:
        """Ask each question as a trained model is asked, and score the response."""
        benchmark, format = definition.benchmark.component, self.workspace.format
        reading = reading_of(definition, "trained")
        with (
            self._chatting({MODEL: model_of(model, "A benchmark")}, Sampling()) as chat,
            VerifierRunner(definition.verifiers, format=format, images=self.workspace.home.images) as runner,
        ):
            for example in examples:
                self._head(example)
                reply = chat(benchmark.messages(example, format))
                trace = read(replace(parse(reply, format), answer=None), format, reading, example)
                self._result(trace)
                self._verdicts(runner.verdicts([Claim(trace=trace, example=example)])[0])

    def ask(self, backend: str, examples: Sequence[Example], model: Any) -> None:
        """Ask a backend each question, in the default format."""
        format = self.workspace.format
        asked = replace(model_of(model, "A backend"), backend=backend)
        with self._chatting({MODEL: asked}, Sampling(max_tokens=256)) as chat:
            for example in examples:
                self._head(example)
                self._result(_tried(lambda: parse(chat(format.prompt(example)), format)))  # noqa: B023

    @contextmanager
    def _chatting(self, models: Mapping[str, Model], sampling: Sampling) -> Iterator[Chat]:
        """Open models; all chats with them are shown."""
        with ExitStack() as stack:
            engines = dict[str, Engine]()
            for name, model in models.items():
                resolved = self.workspace.resolve(model)
                self.show(f"{name} {resolved.model.id} on {resolved.backend.entry.name}, {resolved.reason}")
                engines[name] = stack.enter_context(self.workspace.executor.open(resolved, self.workspace.images))
            yield Conversing(
                lambda messages, name, changes: self._chat(engines[name], messages, replace(sampling, n=1, **changes)),
                engines,
                0,
                self.workspace.images.read,
            )

    def _chat(self, engine: Engine, messages: Sequence[Message], sampling: Sampling) -> Completion:
        self._asked(messages)
        (reply,) = engine.generate([Request(tuple(messages), digest(messages))], sampling)
        if isinstance(reply, Rejected):
            raise Reject(reply.reason, transient=reply.transient)
        self._part(f"reply ({reply[0].finish_reason}, {reply[0].completion_tokens} tokens)", reply[0].text)
        return reply[0]

    def _asked(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._part(message.role, " ".join(map(_shown, message.content)))

    def _head(self, example: Example) -> None:
        self.show(f"\n=== {example.source} {example.id}: {example.full_question} (gold: {example.answer})")

    def _part(self, name: str, text: str) -> None:
        self.show(f"--- {name}\n{text}")

    def _result(self, value: Any) -> None:
        self._part("result", value if isinstance(value, str) else _pretty(value))

    def _verdicts(self, verdicts: Mapping[str, Verdict]) -> None:
        for name, verdict in verdicts.items():
            self._part(f"verdict of {name}", _pretty(verdict))


def _tried(run: Callable[[], Any]) -> Any:
    """The component's result, or the reason why it rejects the row."""
    try:
        return run()
    except Reject as reject:
        return f"rejected: {reject.reason}"


def _pretty(record: Any) -> str:
    return json.dumps(json.loads(encode(record)), indent=1, ensure_ascii=False)


def _shown(part: str | Image) -> str:
    return f"<image {part.sha256[:12]}, {part.width}x{part.height}>" if isinstance(part, Image) else part


def model_of(spec: Any, who: str) -> Model:
    """The model a user named.

    Raises:
        UsageError: there is none, or it is not a model.
    """
    if isinstance(spec, str):
        return Model(id=spec)
    if isinstance(spec, dict) and set(spec) <= set(Model.__dataclass_fields__) and isinstance(spec.get("id"), str):
        return Model(**spec)
    raise UsageError(f"{who} needs a model, not {spec!r}.", "Add --model NAME or --model '{id: NAME, backend: hf}'.")
