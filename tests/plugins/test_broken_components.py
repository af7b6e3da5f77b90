"""A component that misbehaves is named with its method, row and line; the run goes on, unless the recipe is strict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openvlt import DataError, Fault, Model, OpenvltError, Reject, RemoteError
from openvlt.bench.asking import ask, guess
from openvlt.bench.definition import define
from openvlt.bench.questions import questions
from openvlt.bench.score import score
from openvlt.records import Format, Sampling
from openvlt.registry import Registry
from openvlt.stages.caption import caption
from openvlt.stages.distill import distill
from openvlt.stages.filter import Choice, Choosing, filter_examples
from openvlt.stages.load import load
from openvlt.stages.select import select
from openvlt.stages.train import Rewards, train
from openvlt.stages.verify import verify
from openvlt.stages.workspace import Output, Workspace
from openvlt.store import open_home

PLUGIN = Path(__file__).parent / "broken" / "openvlt_broken.py"
ROWS = 20


class Notes:
    """The progress of a stage, of which only the notes are kept."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def begin(self, *_: object) -> None: ...

    def advance(self, *_: object, **__: float) -> None: ...

    def end(self, *_: object) -> None: ...

    def note(self, text: str) -> None:
        self.said.append(text)


class Trial:
    """Carries out the stage that calls a component, after stages that all go well."""

    def __init__(self, workspace: Workspace, model: Path) -> None:
        self.workspace, self.notes = workspace, Notes()
        workspace.progress, self.model = self.notes, model

    def build(self, kind: str, use: str, **options: Any) -> Any:
        return self.workspace.registry.build(kind, {"use": use, **options}, format=Format())  # type: ignore[call-overload]

    def resolved(self, **options: Any) -> Any:
        return self.workspace.resolve(Model(id=str(self.model), backend={"use": "broken", **options}))

    def source(self, use: str = "broken", **options: Any) -> Output:
        return load(self.workspace, "load-1", 1, self.build("source", use, **options), "train")

    def captioner(self, use: str = "broken", **options: Any) -> Output:
        models = {} if use == "broken-program" else {"model": self.resolved()}
        return caption(self.workspace, "caption-1", 1, self.source(), self.build("captioner", use, **options), models)

    def teacher(self, use: str = "broken", **options: Any) -> Output:
        models = {"model": self.resolved()}
        return distill(self.workspace, "distill-1", 1, self.source(), self.build("teacher", use, **options), models)

    def backend(self, use: str = "broken", **options: Any) -> Output:
        teacher, model = self.build("teacher", "broken"), self.resolved(**options)
        return distill(self.workspace, "distill-1", 1, self.source(), teacher, {"model": model})

    def verifier(self, use: str = "broken", **options: Any) -> Output:
        if use == "broken-asking":
            options["model"] = {"id": str(self.model), "backend": "broken"}
        return verify(self.workspace, "verify-1", 1, self.teacher(), {"it": self.build("verifier", use, **options)})

    def filter(self, use: str = "broken", **options: Any) -> Output:
        if use == "broken-asking":
            options["model"] = {"id": str(self.model), "backend": "broken"}
        built = self.build("filter", use, **options)
        if use in ("broken-examples", "broken-asking"):
            choosing = Choosing(self.workspace, Choice((built,)), {})
            return filter_examples(self.workspace, "filter-1", 1, self.source(), choosing)
        return select(self.workspace, "select-1", 1, self.verifier(), [built])

    def benchmark(self, use: str = "broken", **options: Any) -> Output:
        definition = define(self.workspace.registry, {"use": use, **options}, Format())
        asked, model = questions(self.workspace, definition), Model(id=str(self.model), backend="broken")
        if options.get("at") in ("guess", "baselines"):
            guesser = definition.baselines["one"]
            made = guess(self.workspace, "bench-one", asked, definition, "one", guesser)
        else:
            made = ask(self.workspace, "bench", 1, asked, definition, model, Sampling(), trained=True)
        output, result = score(self.workspace, "score", 1, "m", definition, made)
        self.notes.said += result.warnings
        assert result.score.n == ROWS, "every question counts"
        return output

    def trainer(self, use: str = "broken", verifier: str = "", **options: Any) -> Output:
        verifiers = {"it": self.build("verifier", "broken", at="verify" if verifier else "", does=verifier or "key")}
        built = self.build("trainer", use, **options)
        rewards = Rewards(verifiers, {"it": 1.0})
        return train(self.workspace, "rl-1", 1, self.source(), built, Model(id=str(self.model)), rewards)[0]


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Trial]:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    model = tmp_path / "base"
    model.mkdir()
    (model / "config.json").write_text("{}")
    registry = Registry.discover([PLUGIN])

    def made(*, strict: bool = False) -> Trial:
        return Trial(Workspace(open_home(), registry, strict=strict), model)

    return made


KEY = "KeyError: 'parse'"

ROW = [  # on one row: kind, component, method, what it does there, what the message says
    ("source", "broken", "examples", "key", KEY),
    ("source", "broken", "examples", "exit", "SystemExit: 3"),
    ("source", "broken", "examples", "id", "whose id is int, not text"),
    ("source", "broken", "examples", "question", "whose question is NoneType, not text"),
    ("source", "broken", "examples", "images", "whose images are no tuple of images"),
    ("source", "broken", "examples", "type", "the answer type 'number'"),
    ("source", "broken", "examples", "metadata", "whose metadata is list, not a mapping"),
    ("source", "broken", "examples", "None", "returned NoneType, not an Example"),
    ("captioner", "broken", "messages", "key", KEY),
    ("captioner", "broken", "parse", "key", KEY),
    ("captioner", "broken-program", "subject", "key", KEY),
    ("captioner", "broken-program", "subject", "object", "Unable to serialize unknown type"),
    ("captioner", "broken-program", "open", "key", KEY),
    ("captioner", "broken-program", "open", "number", "returned int, which is no str | None"),
    ("captioner", "broken-program", "close", "key", KEY),
    ("teacher", "broken", "messages", "key", KEY),
    ("teacher", "broken", "messages", "None", "returned NoneType, not a list of messages"),
    ("teacher", "broken", "messages", "no message", "its prompt has str, which is no message"),
    ("teacher", "broken", "messages", "new image", "an image that is not in the store"),
    ("teacher", "broken", "parse", "key", KEY),
    ("teacher", "broken", "parse", "None", "returned NoneType, which is no Trace"),
    ("teacher", "broken", "parse", "text", "returned str, which is no Trace"),
    ("teacher", "broken", "parse", "surrogate", "returned Trace, which has a value that cannot be stored"),
    ("teacher", "broken-chat", "run", "key", KEY),
    ("teacher", "broken-chat", "run", "exit", "SystemExit: 3"),
    ("teacher", "broken-chat", "chat", "no message", "its prompt has str, which is no message"),
    ("backend", "broken", "generate", "key", KEY),
    ("backend", "broken", "generate", "None", "returned NoneType for a request"),
    ("backend", "broken", "generate", "text", "returned str for a request"),
    ("backend", "broken", "counts", "key", KEY),
    ("backend", "broken", "close", "key", KEY),
    ("filter", "broken", "choose", "key", KEY),
    ("filter", "broken", "choose", "number", "returned int, neither a list of judged traces nor a Drop"),
    ("filter", "broken", "choose", "forge", "changed an answer"),
    ("filter", "broken-stream", "choose_all", "key", KEY),
    ("filter", "broken-stream", "choose_all", "forget", "made no decision on 1 row"),
    ("filter", "broken-examples", "decide", "key", KEY),
    ("filter", "broken-examples", "decide", "None", "returned NoneType, neither a Keep nor an example with a Drop"),
    ("filter", "broken-examples", "decide", "id", "whose id is int, not text"),
    ("filter", "broken-asking", "messages", "key", KEY),
    ("filter", "broken-asking", "parse", "number", "returned int, neither None nor a Drop"),
    ("verifier", "broken", "verify", "key", KEY),
    ("verifier", "broken", "verify", "None", "returned NoneType instead of a Verdict"),
    ("verifier", "broken", "verify", "nan", "the score nan, outside its range 0 to 1"),
    ("verifier", "broken", "verify", "17", "the score 17, outside its range 0 to 1"),
    ("verifier", "broken", "verify", "status", "the status 'right'"),
    ("verifier", "broken", "verify", "detail", "whose detail is not JSON"),
    ("verifier", "broken-worker", "verify", "key", KEY),
    ("verifier", "broken-answer", "quick", "key", KEY),
    ("verifier", "broken-group", "verify_group", "short", "returned 0 verdicts for 1 claims"),
    ("verifier", "broken-asking", "messages", "key", KEY),
    ("verifier", "broken-asking", "parse", "None", "returned NoneType instead of a Verdict"),
    ("benchmark", "broken", "messages", "key", KEY),
    ("benchmark", "broken", "choose", "key", KEY),
    ("benchmark", "broken", "guess", "None", "returned NoneType, not text"),
    ("benchmark", "broken", "aggregate", "key", KEY),
]
NAMES = {
    ("broken-chat", "chat"): "run",
    ("broken", "guess"): "baseline one",
    ("broken-program", "open"): "the function of open",
    ("broken-program", "opening"): "open",
}
WITHOUT_ROW = {"close", "counts", "aggregate"}
WITHOUT_ID = {"examples"}


def said(text: str, kind: str, use: str, method: str, problem: str) -> None:
    """A message names component, plugin, method, problem, file and line."""
    method = NAMES.get((use, method), method)
    named = f"{kind} {use} (file:openvlt_broken) failed in {method}: "
    assert named in text and problem in text and "(openvlt_broken.py:" in text, text


@pytest.mark.parametrize(("kind", "use", "at", "does", "problem"), ROW, ids=lambda value: str(value)[:20])
def test_a_row_that_a_component_fails_on_is_counted_and_the_stage_goes_on(
    kind: str, use: str, at: str, does: str, problem: str, trial: Callable[..., Trial]
) -> None:
    going = trial()
    made = getattr(going, kind)(use, at=at, does=does)
    (note,) = [note for note in going.notes.said if "failed in" in note]
    said(note, kind, use, at, problem)
    if at not in WITHOUT_ROW:
        assert "on row 7" in note or ", on row 8" in note
    kept = kind in ("verifier", "benchmark") or at in WITHOUT_ROW
    assert made.record.out == (ROWS if kept else ROWS - 1)
    if not kept:
        ((reason, count),) = made.record.rejected.items()
        said(reason, kind, use, at, problem)
        assert count == 1 and "on row" not in reason, "the same for the same cause"

    strict = trial(strict=True)
    strict.workspace = replace(strict.workspace, home=replace(strict.workspace.home, root=strict.model.parent / "s"))
    with pytest.raises(Fault) as fault:
        getattr(Trial(_elsewhere(strict.workspace), strict.model), kind)(use, at=at, does=does)
    said(str(fault.value), kind, use, at, problem)


def _elsewhere(workspace: Workspace) -> Workspace:
    """The same with an empty store."""
    from openvlt.store import Home

    home = Home(workspace.home.root)
    for each in (home.images, home.values, home.stages, home.runs):
        each.mkdir(parents=True, exist_ok=True)
    return replace(workspace, home=home)


METHODS = [
    ("source", "broken", "examples"),
    ("captioner", "broken-program", "subject"),
    ("captioner", "broken-program", "open"),
    ("teacher", "broken", "messages"),
    ("teacher", "broken", "parse"),
    ("teacher", "broken-chat", "run"),
    ("filter", "broken", "choose"),
    ("filter", "broken-examples", "decide"),
    ("filter", "broken-asking", "parse"),
    ("backend", "broken", "generate"),
    ("verifier", "broken", "verify"),
    ("verifier", "broken-worker", "verify"),
    ("verifier", "broken-answer", "quick"),
    ("verifier", "broken-asking", "messages"),
    ("verifier", "broken-asking", "parse"),
    ("benchmark", "broken", "messages"),
]


@pytest.mark.parametrize(("kind", "use", "at"), METHODS)
@pytest.mark.parametrize(("does", "problem"), [("cancel", "CancelledError"), ("mute", "Mute: its text cannot be read")])
def test_whatever_is_raised_is_a_fault_even_if_it_is_no_exception_or_says_nothing(
    kind: str, use: str, at: str, does: str, problem: str, trial: Callable[..., Trial]
) -> None:
    going = trial()
    getattr(going, kind)(use, at=at, does=does)
    (note,) = [note for note in going.notes.said if "failed in" in note]
    said(note, kind, use, at, problem)


@pytest.mark.parametrize(("kind", "use", "at"), METHODS)
def test_a_reason_that_is_no_text_is_a_reason(kind: str, use: str, at: str, trial: Callable[..., Trial]) -> None:
    going = trial()
    getattr(going, kind)(use, at=at, does="reject badly")
    assert not [note for note in going.notes.said if "failed" in note], "it is no fault"


def test_a_row_that_needs_too_much_memory_is_named_and_tried_again(trial: Callable[..., Trial]) -> None:
    going = trial()
    with pytest.raises(RemoteError, match="Run the same command again"):
        going.teacher(at="parse", does="memory")
    said(going.notes.said[0], "teacher", "broken", "parse", "MemoryError")


REJECTS = [
    ("backend", "broken", "generate"),
    ("source", "broken", "examples"),
    ("captioner", "broken", "parse"),
    ("captioner", "broken-program", "subject"),
    ("captioner", "broken-program", "open"),
    ("teacher", "broken", "messages"),
    ("teacher", "broken", "parse"),
    ("teacher", "broken-chat", "run"),
    ("filter", "broken", "choose"),
    ("filter", "broken-stream", "choose_all"),
    ("filter", "broken-examples", "decide"),
    ("filter", "broken-asking", "messages"),
    ("verifier", "broken", "verify"),
    ("verifier", "broken-worker", "verify"),
    ("verifier", "broken-answer", "quick"),
    ("verifier", "broken-asking", "messages"),
    ("benchmark", "broken", "messages"),
    ("benchmark", "broken", "choose"),
    ("benchmark", "broken", "guess"),
]


@pytest.mark.parametrize(("kind", "use", "at"), REJECTS)
@pytest.mark.parametrize("strict", [False, True])
def test_any_method_may_reject_a_row(kind: str, use: str, at: str, strict: bool, trial: Callable[..., Trial]) -> None:
    going = trial(strict=strict)
    made = getattr(going, kind)(use, at=at, does="reject")
    assert not [note for note in going.notes.said if "failed" in note], "it is no fault"
    if kind == "verifier":
        statuses = [each.verdicts["it"].status for row in made.rows() for each in row.judged]
        assert (statuses.count("correct"), statuses.count("not_applicable")) == (ROWS - 1, 1)
    elif kind == "benchmark":
        assert made.record.out == ROWS
    else:
        assert made.record.out == ROWS - 1
        assert [reason.rpartition(": ")[2] for reason in made.record.rejected] == ["too dark"]


STAGE = [  # as a whole: the stage ends
    ("source", "broken-unsized", "examples", "key", KEY),
    ("source", "broken", "size", "key", KEY),
    ("source", "broken", "revision", "number", "returned int, not text"),
    ("captioner", "broken-program", "opening", "key", KEY),
    ("captioner", "broken-program", "opening", "number", "yielded int, which cannot be called"),
    ("captioner", "broken-program", "revision", "key", KEY),
    ("teacher", "broken", "parse", "package", "No module named 'no_such_package'"),
    ("backend", "broken", "open", "key", KEY),
    ("filter", "broken-whole", "choose_all", "key", KEY),
    ("benchmark", "broken", "baselines", "key", KEY),
    ("trainer", "broken", "train", "key", KEY),
    ("trainer", "broken", "train", "None", "returned NoneType, not a Checkpoint"),
]


@pytest.mark.parametrize(("kind", "use", "at", "does", "problem"), STAGE, ids=lambda value: str(value)[:20])
def test_a_component_that_fails_as_a_whole_ends_its_stage(
    kind: str, use: str, at: str, does: str, problem: str, trial: Callable[..., Trial]
) -> None:
    with pytest.raises(OpenvltError) as error:
        getattr(trial(), kind)(use, at=at, does=does)
    said(str(error.value), kind, use, at, problem)


def test_a_generator_that_raises_loses_the_rows_that_follow(trial: Callable[..., Trial]) -> None:
    with pytest.raises(OpenvltError, match=r"lost 13 of 20 rows.*12 x not read: the source ended with an exception"):
        trial().source("broken-generator", at="examples")


def test_a_generation_without_any_reward_ends_the_training_with_the_verifiers_own_words(
    trial: Callable[..., Trial],
) -> None:
    with pytest.raises(OpenvltError) as error:
        trial().trainer(at="reward", verifier="key")
    assert str(error.value).startswith("No response of this generation got a reward: the verifier broken")
    said(str(error.value), "verifier", "broken", "verify", KEY)
    assert "on row 7" in str(error.value)


def test_a_generation_with_some_rewards_goes_on(trial: Callable[..., Trial]) -> None:
    assert trial().trainer(verifier="key").record.counts["it/error"] == 1


def test_a_strict_training_ends_with_the_first_failure_of_a_verifier(trial: Callable[..., Trial]) -> None:
    with pytest.raises(Fault, match="on row 7") as fault:
        trial(strict=True).trainer(verifier="key")
    said(str(fault.value), "verifier", "broken", "verify", KEY)


def test_a_method_that_no_stage_guards_is_blamed_by_the_command_line(trial: Callable[..., Trial]) -> None:
    from openvlt.registry.guard import blamed

    with pytest.raises(KeyError) as error:
        trial().trainer(at="batch_rows")
    said(str(blamed(error.value)), "trainer", "broken", "batch_rows", KEY)


def test_a_component_is_named_with_its_release(trial: Callable[..., Trial]) -> None:
    from openvlt.registry.guard import named

    entry = trial().build("verifier", "answer").entry
    assert entry.version and named(entry) == f"verifier answer (openvlt {entry.version})"
    assert named(replace(entry, id="my-plugin/answer", version="1.2")) == "verifier answer (my-plugin 1.2)"


def test_what_a_fault_says_can_be_stored() -> None:
    from openvlt.registry.guard import told

    assert told(ValueError("a\0\n \ud800 b.")) == "ValueError: a\\x00 \\ud800 b"
    assert len(told(ValueError("x" * 10_000))) < 400
    assert Reject("a\0\ud800").reason == "a\\x00\\ud800"
    assert len(Reject("x" * 1_000_000).reason) == 1_000


REUSED = [  # kind, component, method: what is made once and read again
    ("source", "broken", "examples"),
    ("captioner", "broken", "parse"),
    ("captioner", "broken-program", "open"),
    ("teacher", "broken", "parse"),
    ("teacher", "broken-chat", "run"),
    ("backend", "broken", "generate"),
    ("verifier", "broken", "verify"),
    ("filter", "broken", "choose"),
    ("filter", "broken-examples", "decide"),
    ("filter", "broken-asking", "parse"),
]


@pytest.mark.parametrize(("kind", "use", "at"), REUSED)
def test_a_fault_is_counted_and_told_again_where_its_stage_is_reused(
    kind: str, use: str, at: str, trial: Callable[..., Trial]
) -> None:
    made = getattr(trial(), kind)(use, at=at, does="key").record
    assert list(made.faults.values()) == [1]
    going = trial()
    again = getattr(going, kind)(use, at=at, does="key").record
    assert again.cached and again.faults == made.faults
    (told,) = [note for note in going.notes.said if "Warning" in note and "fault" in note]
    assert f"1 fault of components (1 x {next(iter(made.faults))}) in what an earlier run has made" in told
    with pytest.raises(DataError, match=r"the recipe is strict\. Fix the component"):
        getattr(trial(strict=True), kind)(use, at=at, does="key")
    going = trial(strict=True)
    going.workspace.dry_run = True
    with pytest.raises(DataError, match="the recipe is strict"):
        getattr(going, kind)(use, at=at, does="key")


@pytest.mark.parametrize(("kind", "use", "at"), [("captioner", "broken", "parse"), ("verifier", "broken", "verify")])
def test_a_fault_is_told_where_its_values_are_kept_but_not_its_stage(
    kind: str, use: str, at: str, trial: Callable[..., Trial]
) -> None:
    made = getattr(trial(), kind)(use, at=at, does="key")
    for strict in (False, True):
        made.folder.summary_file.unlink(missing_ok=True)
        going = trial(strict=strict)
        if strict:
            with pytest.raises(DataError, match="the recipe is strict"):
                getattr(going, kind)(use, at=at, does="key")
        else:
            assert getattr(going, kind)(use, at=at, does="key").record.faults == made.record.faults
            assert any("1 fault of components" in note for note in going.notes.said)


def test_verifiers_that_failed_too_often_end_the_next_run_too(trial: Callable[..., Trial]) -> None:
    for _ in range(2):
        going = trial()
        going.workspace.reject_above = 0.04
        with pytest.raises(DataError, match="verifiers failed on 1 of 20 traces"):
            going.verifier(at="verify", does="key")


def test_a_training_counts_the_faults_of_its_verifiers(trial: Callable[..., Trial]) -> None:
    assert list(trial().trainer(verifier="key").record.faults.values()) == [1]
    again = trial()
    assert again.trainer(verifier="key").record.cached and any("1 fault of components" in n for n in again.notes.said)
    with pytest.raises(DataError, match="the recipe is strict"):
        trial(strict=True).trainer(verifier="key")


def test_the_source_of_a_benchmark_is_named_and_not_the_benchmark(trial: Callable[..., Trial]) -> None:
    going = trial()
    source = {"use": "broken", "at": "examples", "does": "key"}
    definition = define(
        going.workspace.registry,
        {"use": "qa", "source": source, "split": "train", "scorings": {"exact": "text"}},
        Format(),
    )
    questions(going.workspace, definition)
    (told,) = [note for note in going.notes.said if "Warning" in note]
    said(told, "source", "broken", "examples", KEY)
    assert ", on row 8." in told and "row row" not in told
