"""Engines as actors of a real Ray cluster of this machine: the outputs of a local run, whatever dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from made import Bench

from openvlt import Model
from openvlt.engines import Local, make_executor
from openvlt.errors import OpenvltError, UsageError
from openvlt.recipe import ExecutorSpec
from openvlt.stages.ask import MODEL
from openvlt.stages.caption import caption
from openvlt.stages.workspace import Output
from openvlt.store import Home

Fake = Callable[..., None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("ray"),
    pytest.mark.skipif(find_spec("ray") is None, reason="needs the package ray"),
]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Ray starts once; it ends with the module."""
    yield
    import ray

    ray.shutdown()


def spread(stages: Bench, engines: int = 2, home: str = "cluster") -> Bench:
    """The same workspace with a store of its own, whose models work in so many actors."""
    root = stages.workspace.home.root.parent / home
    for folder in ("images", "values", "stages", "runs"):
        (root / folder).mkdir(parents=True)
    spec = ExecutorSpec(use="ray", engines=engines, address="local")
    workspace = type(stages.workspace)(
        Home(root), stages.workspace.registry, executor=make_executor(spec, stages.workspace.registry.files)
    )
    return Bench(workspace, stages.model, stages.log)


def written(output: Output) -> tuple[bytes, bytes]:
    return output.folder.rows_file.read_bytes(), (output.folder.path / "rejected.jsonl").read_bytes()


def test_two_engines_that_die_now_and_then_give_the_outputs_of_one(stages: Bench, fake: Fake) -> None:
    def work(bench: Bench) -> list[Output]:
        bench.workspace.reject_above = 0.5
        captioned = bench.caption(bench.load(n=90, per_image=2))
        distilled = bench.distill(captioned, "double-checker", k=2)
        return [captioned, distilled, bench.verify(distilled)]

    here = work(stages)
    fake(die_after=9)
    stages.asked()
    there = work(spread(stages))
    assert len({asked["process"] for asked in stages.asked()}) > 4, "each of two stages has two engines; none has died"
    assert [written(output) for output in there] == [written(output) for output in here]
    assert [output.record.fingerprint for output in there] == [output.record.fingerprint for output in here]


def test_a_chunk_that_ends_every_engine_is_an_error_that_says_so(stages: Bench, fake: Fake) -> None:
    bench = spread(stages)
    rows = bench.load(n=4)
    fake(die_after=0)
    with pytest.raises(OpenvltError, match="4 engines in a row died of it"):
        bench.distill(rows)
    fake()
    assert bench.distill(rows).record.out == 4


def test_images_reach_an_engine_wherever_it_is(stages: Bench, vision_model: Path) -> None:
    def work(bench: Bench) -> Output:
        model = Model(id=str(vision_model), backend="hf", pixels=(32 * 32, 64 * 64))
        spec = {"id": str(vision_model), "backend": "hf", "pixels": (32 * 32, 64 * 64)}
        captioner = bench.build("captioner", "qwen-vl", model=spec, prompt="Describe.")
        rows = bench.load(n=6)
        return caption(bench.workspace, "caption-1", 1, rows, captioner, {MODEL: bench.workspace.resolve(model)})

    here, there = work(stages), work(spread(stages))
    assert len({row.caption for row in here.rows()}) > 1
    assert written(there) == written(here)


def test_more_engines_than_the_cluster_has_room_for(stages: Bench) -> None:
    bench = spread(stages, engines=500)
    with pytest.raises(UsageError, match=r"too few for 500 engines with 1 CPUs and 0 GPUs each"):
        bench.distill(bench.load(n=4))


def test_an_engine_that_cannot_open_its_model_says_why(stages: Bench) -> None:
    bench = spread(stages, engines=1)
    rows = bench.load(n=4)
    teacher = bench.build("teacher", "tutor", model={"id": str(stages.model), "backend": "fake"})
    gone = bench.workspace.resolve(Model(id=str(stages.model), backend="fake"))
    stages.model.rename(stages.model.with_name("moved"))
    from openvlt.stages.distill import distill

    with pytest.raises(UsageError, match=r"The model .*base is not on the node .* of the Ray cluster"):
        distill(bench.workspace, "distill-1", 1, rows, teacher, {MODEL: gone})


def test_a_served_model_is_asked_from_here(stages: Bench) -> None:
    served = stages.workspace.resolve(Model(id="served", url=("http://127.0.0.1:9/v1",)))
    assert spread(stages, engines=500).workspace.executor.parallel(served) == Local().parallel(served)


def test_without_ray_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openvlt.engines.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"ray is not installed.*pip install 'openvlt\[ray\]'"):
        make_executor(ExecutorSpec(use="ray"))


def test_a_reward_function_scores_in_actors() -> None:
    """In threads of two of them, as trainers on Ray call it; the function arrives pickled."""
    import ray

    import openvlt

    @ray.remote(num_cpus=0.5)
    class Scorer:
        def score(self, function: Any, index: int) -> list[float | None]:
            return list(function(completions=[rf"<answer>\cos(\pi/2-x)+{index}</answer>"], answer=[rf"\sin x+{index}"]))

    if not ray.is_initialized():
        ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level="error")
    function = openvlt.reward("answer", workers=1)
    actors = [Scorer.options(max_concurrency=3).remote() for _ in range(2)]
    asked = [actor.score.remote(function, index) for index in range(3) for actor in actors]
    assert ray.get(asked, timeout=600) == [[1.0]] * 6
    for actor in actors:
        ray.kill(actor)
