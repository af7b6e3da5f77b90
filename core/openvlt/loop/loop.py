"""The loop itself: which stage follows which, what is kept of each, and what is scored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

from openvlt.bench.asking import ask
from openvlt.bench.definition import Defined
from openvlt.bench.questions import Answered, Questions, questions
from openvlt.bench.recorded import guess
from openvlt.bench.score import score
from openvlt.engines import Resolved, content_digest
from openvlt.interfaces import ExampleFilter, Teacher
from openvlt.loop.parts import Loaded, Parts, Turn
from openvlt.recipe import Recipe
from openvlt.records import Model, Run, RunStatus, Sampling
from openvlt.registry import Built, notify
from openvlt.stages.caption import caption
from openvlt.stages.distill import distill
from openvlt.stages.load import Facts, choose, image_digests, load, load_step
from openvlt.stages.select import select
from openvlt.stages.train import Rewards, train, train_step
from openvlt.stages.verify import verify
from openvlt.stages.workspace import Output, Step, Workspace
from openvlt.store import Home, claimed_run, digest, run_folder, write_atomically, write_run


@dataclass
class Loop:
    """A recipe being carried out.

    Attributes:
        workspace: the run's means.
        recipe: what to do.
        parts: its components, built.
        run: the record, written after every stage.
        until: kind of stage of the first iteration after which to stop, with nothing trained or scored; None to go to
            the end.
    """

    workspace: Workspace
    recipe: Recipe
    parts: Parts
    run: Run
    until: str | None = None

    def __post_init__(self) -> None:
        self._scored: dict[str, dict[str, Output]] = {}
        self._said: set[str] = set()
        self._questions: dict[str, Questions] = {}
        self.workspace.models["base"] = self.workspace.locate(self.recipe.base)
        self.workspace.models["policy"] = self.workspace.models["base"]

    def carry_out(self) -> Run:
        """Go through all iterations; whatever ends the run, its record says how it stands.

        Raises:
            UsageError: another process is carrying out the same run.
        """
        with nullcontext() if self.workspace.dry else claimed_run(self.workspace.home, self.run.name):
            return self._carry_out()

    def _carry_out(self) -> Run:
        self._record(status="running")
        try:
            self._all()
        except KeyboardInterrupt:
            self._record(status="interrupted")
            raise
        except BaseException:
            self._record(status="failed")
            raise
        self._record(status="done")
        return self.run

    def _all(self) -> None:
        for defined in self.parts.benchmarks:
            self._prepare(defined)
        held_out_images = frozenset().union(*(image_digests(asked.output.rows()) for asked in self._questions.values()))
        if self.until is not None:
            traces = self._traces(1, self.parts.turns[0], held_out_images)
            next(made for made in traces if made.record.kind == self.until)
            return
        self._bench("base", 0, base=True)
        for index, turn in enumerate(self.parts.turns, 1):
            self._turn(index, turn, held_out_images)

    def _traces(self, index: int, turn: Turn, held_out_images: frozenset[str]) -> Iterator[Output]:
        """Yield what each stage from load to select makes."""
        yield (data := self._load(turn.loaded, f"load-{index}", index, held_out_images))
        teacher = turn.teacher.component
        assert isinstance(teacher, Teacher)
        if teacher.uses_caption:
            assert self.parts.captioner is not None
            captioner, asked = self.parts.captioner
            model = self._resolve(asked, f"caption-{index}")
            yield (data := self._done(caption(self.workspace, f"caption-{index}", index, data, captioner, model)))
        model = self._resolve(turn.model, f"distill-{index}")
        yield (traces := self._done(distill(self.workspace, f"distill-{index}", index, data, turn.teacher, model)))
        yield (judged := self._done(verify(self.workspace, f"verify-{index}", index, traces, self.parts.verifiers)))
        yield self._done(select(self.workspace, f"select-{index}", index, judged, turn.filters))

    def _turn(self, index: int, turn: Turn, held_out_images: frozenset[str]) -> None:
        *_, chosen = self._traces(index, turn, held_out_images)
        if turn.sft is None:
            return
        start = self.workspace.models["base"]
        self._train("sft", f"sft-{index}", index, chosen, turn.sft, start, Rewards())
        for number, reinforced in enumerate(turn.grpo, 1):
            suffix = f"{index}" if len(turn.grpo) == 1 else f"{index}.{number}"
            rows = self._load(reinforced.loaded, f"load-grpo-{suffix}", index, held_out_images)
            start = self.workspace.models["policy"]
            self._train("grpo", f"grpo-{suffix}", index, rows, reinforced.trainer, start, reinforced.rewards)

    def _load(self, loaded: Loaded, name: str, index: int, held_out_images: frozenset[str]) -> Output:
        data = loaded.data
        limit = None if loaded.filters else data.limit
        step = load_step(name, index, loaded.source, data.split, limit, held_out_images)
        rows = self._done(load(self.workspace, step, loaded.source, data.split, limit, held_out_images))
        if not loaded.filters:
            return rows
        needs = {need for built in loaded.filters for need in _needs(built)}
        facts = dict(self._facts(needs, rows, name, index))
        if "benchmark_images" in needs:
            facts["benchmark_images"] = dict.fromkeys(sorted(held_out_images), 1.0)
        identities = [built.identity for built in loaded.filters]
        step = Step(
            "filter", f"filter-{name.removeprefix('load-')}", index, (identities, data.limit, rows.digest, facts)
        )
        return self._done(choose(self.workspace, step, rows, loaded.filters, data.limit, facts))

    def _facts(self, needs: set[str], rows: Output, name: str, index: int) -> Facts:
        """Let the policy answer the examples, and count how often it is right."""
        if "pass_rate" not in needs:
            return {}
        built = self.workspace.registry.build("teacher", "policy", format=self.recipe.format)
        assert isinstance(built.component, Teacher)
        model = self._resolve(built.component.model, f"rate-{name}")
        traces = self._done(distill(self.workspace, f"rate-{name}", index, rows, built, model))
        judged = self._done(verify(self.workspace, f"rate-verify-{name}", index, traces, self.parts.verifiers))
        rates = {row.example.id: sum(each.is_correct for each in row.judged) / len(row.judged) for row in judged.rows()}
        return {"pass_rate": rates}

    def _train(
        self, kind: str, name: str, index: int, rows: Output, trainer: Built, start: Model, rewards: Rewards
    ) -> None:
        step = train_step(
            self.workspace, kind, name, index, rows, trainer, content_digest(start, self.workspace.home), rewards
        )
        made, folder = train(self.workspace, step, rows, trainer, start, rewards)
        self.workspace.models["policy"] = replace(self.workspace.models["base"], id=str(folder), revision=None)
        self.run = replace(self.run, model=str(folder))
        self._done(made)
        self._bench(name, index, base=False)

    def _prepare(self, defined: Defined) -> None:
        asked = self._questions[defined.name] = questions(self.workspace, defined)
        self._done(asked.output)
        self._scored[defined.name] = {}
        if self.until is not None:
            return
        for baseline, guesser in defined.benchmark.baselines().items():
            name = f"bench-{defined.name}-{baseline}"
            self._score(defined, guess(self.workspace, name, asked, defined, baseline, guesser), baseline, 0)

    def _bench(self, stage: str, index: int, *, base: bool) -> None:
        for defined in self.parts.benchmarks:
            name = f"bench-{defined.name}-{stage}"
            self._resolve(Model(id="base" if base else "policy"), name)
            model = self.workspace.models["base" if base else "policy"]
            answered = ask(
                self.workspace, name, index, self._questions[defined.name], defined, model,
                Sampling(max_tokens=self.recipe.bench_tokens), trained=not base,
            )  # fmt: skip
            self._score(defined, answered, stage, index)

    def _score(self, defined: Defined, answered: Answered, stage: str, index: int) -> None:
        self._done(answered.output)
        scored = self._scored[defined.name]
        earlier = {other: made for other, made in scored.items() if other in ("blind", "base")}
        name = f"score-{defined.name}-{stage}"
        judged, result = score(self.workspace, name, index, stage, defined, answered, earlier)
        scored[stage] = judged
        self._done(judged)
        self.run = replace(self.run, scores=(*self.run.scores, result))
        self._record()

    def _resolve(self, model: Model, stage: str) -> Resolved:
        resolved = self.workspace.resolve(model)
        said = f"The model {model.id} runs on {resolved.backend.entry.name}: {resolved.reason}."
        if not isinstance(model.backend, str | Mapping) and said not in self._said:
            self._said.add(said)
            self.workspace.progress.note(said)
        self.run = replace(
            self.run, notes=(*self.run.notes, f"{stage}: {resolved.backend.entry.name}, because {resolved.reason}")
        )
        return resolved

    def _done(self, made: Output) -> Output:
        self.run = replace(self.run, stages=(*self.run.stages, made.record))
        self._record()
        if not self.workspace.dry:
            self.workspace.progress.end(made.record)
            notify(self.workspace.registry, "on_stage_end", run=self.run, stage=made.record)
        return made

    def _record(self, status: RunStatus | None = None) -> None:
        if status:
            self.run = replace(self.run, status=status)
        if self.workspace.dry:
            return
        write_run(self.workspace.home, self.run)
        if status in ("done", "failed", "interrupted"):
            notify(self.workspace.registry, "on_run_end", run=self.run)


def claim_name(home: Home, recipe: Recipe, given: str | None = None) -> str:
    """Name a run after its recipe and keep the recipe beside its record.

    The same recipe goes on under the same name; one that was changed (``--set``) gets a name of its own, so that no
    record is lost. A name the user has given is taken as it is.

    Raises:
        UsageError: it can be no run's name.
    """
    resolved = json.dumps(recipe.model_dump(mode="json"), indent=1)
    for name in (given,) if given else (recipe.name, f"{recipe.name}-{digest(resolved)[:6]}"):
        path = run_folder(home, name) / "recipe.json"
        if given or not path.exists():
            write_atomically(path, resolved.encode())
        if path.read_text(encoding="utf-8") == resolved:
            break
    return name


def _needs(built: Built) -> tuple[str, ...]:
    return built.component.needs if isinstance(built.component, ExampleFilter) else ()
