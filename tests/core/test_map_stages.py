"""Caption, distill and verify: every value is computed once, in fixed chunks, whatever stops the work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import PIL.Image
import pytest
from made import Bench, Heard

from openvlt.engines import Local, Resolved
from openvlt.errors import DataError, RemoteError, UsageError
from openvlt.interfaces import Engine
from openvlt.records import Claim, Row, Verdict
from openvlt.stages.load import load
from openvlt.store import ImageStore
from openvlt.verification import VerifierRunner, limits

Fake = Callable[..., None]


def traces(rows: list[Row]) -> list[list[str]]:
    return [[trace.raw for trace in row.traces] for row in rows]


def test_an_image_asked_ten_questions_is_captioned_once(stages: Bench) -> None:
    captioned = stages.caption(stages.load(n=40, per_image=10))
    rows = list(captioned.rows())
    assert len(stages.asked()) == 4
    assert len(rows) == 40
    assert [row.caption for row in rows[:10]] == ["A square of colour [(0, 0, 0)]."] * 10
    assert len({row.caption for row in rows}) == 4


def test_a_row_without_images_has_no_caption(stages: Bench, tmp_path: Path) -> None:
    PIL.Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    rows = [{"question": "What?", "answer": "1", "image": "1.png"}, {"question": "1 + 1?", "answer": "2"}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = stages.build("source", "rows", path=str(tmp_path / "rows.jsonl"))
    captioned = stages.caption(load(stages.workspace, "load-1", 1, source, "train"))
    assert [row.caption is None for row in captioned.rows()] == [False, True]
    assert len(stages.asked()) == 1


def test_captions_never_see_the_question(stages: Bench) -> None:
    stages.caption(stages.load(n=5))
    assert {(asked["text"], asked["images"]) for asked in stages.asked()} == {("Describe the image.", 1)}


def test_progress_counts_every_row(stages: Bench) -> None:
    loaded = stages.load(n=40, per_image=10)
    heard = stages.workspace.progress = Heard()
    stages.caption(loaded)
    assert (heard.done, heard.total) == (40, 40)


def test_k_samples_a_question_each_with_its_own_index(stages: Bench) -> None:
    distilled = stages.distill(stages.caption(stages.load(n=10)), k=3)
    rows = list(distilled.rows())
    assert [[trace.sample for trace in row.traces] for row in rows] == [[0, 1, 2]] * 10
    assert all(len({trace.raw for trace in row.traces}) == 3 for row in rows)
    assert all(trace.prompt_tokens and trace.completion_tokens for row in rows for trace in row.traces)
    assert distilled.record.counts["tokens"] == sum(t.completion_tokens for row in rows for t in row.traces)


def test_raising_k_keeps_the_first_samples(stages: Bench) -> None:
    loaded = stages.load(n=10)
    before = traces(list(stages.distill(loaded, k=2).rows()))
    stages.asked()
    after = traces(list(stages.distill(loaded, k=4).rows()))
    assert [row[:2] for row in after] == before
    assert Counter(asked["sample"] for asked in stages.asked()) == {2: 10, 3: 10}


def test_a_larger_limit_computes_only_the_new_rows(stages: Bench) -> None:
    before = traces(list(stages.distill(stages.load(n=30, limit=11)).rows()))
    stages.asked()
    grown = stages.distill(stages.load(n=30, limit=15))
    assert traces(list(grown.rows()))[:11] == before
    assert len(stages.asked()) == 2 * 4
    assert not grown.record.cached


def test_the_same_again_asks_nothing(stages: Bench) -> None:
    first = stages.distill(stages.load(n=10))
    stages.asked()
    again = stages.distill(stages.load(n=10))
    assert (first.record.cached, again.record.cached) == (False, True)
    assert again.digest == first.digest
    assert stages.asked() == []


def test_a_smaller_limit_is_a_new_view_of_the_same_rows(stages: Bench) -> None:
    stages.distill(stages.load(n=10))
    stages.asked()
    smaller = stages.distill(stages.load(n=10, limit=4))
    assert (smaller.record.cached, smaller.record.out) == (True, 4)
    assert stages.asked() == []


def test_another_option_of_the_teacher_is_another_set_of_rows(stages: Bench) -> None:
    loaded = stages.load(n=4)
    stages.distill(loaded)
    stages.asked()
    stages.distill(loaded, refuse="nothing has this")
    assert len(stages.asked()) == 8


def test_another_model_is_another_set_of_rows(stages: Bench) -> None:
    loaded = stages.load(n=4)
    stages.distill(loaded)
    stages.asked()
    (stages.model / "skill.json").write_text('{"skill": 1.0}')
    stages.distill(loaded)
    assert len(stages.asked()) == 8


def test_requests_that_fail_for_now_are_tried_again_alone(stages: Bench, fake: Fake) -> None:
    loaded = stages.load(n=40)
    fake(down=0.2)
    with pytest.raises(RemoteError, match=r"Stage distill-1: \d+ requests of 40 rows failed transiently"):
        stages.distill(loaded)
    answered = stages.asked()
    assert 30 < len(answered) < 80
    fake()
    done = stages.distill(loaded)
    asked = stages.asked()
    assert len(answered) + len(asked) == 80
    assert {(a["text"], a["sample"]) for a in asked}.isdisjoint((a["text"], a["sample"]) for a in answered)
    assert done.record.out == 40


@pytest.mark.parametrize("k", [1, 2])
def test_what_fails_for_now_never_becomes_a_result(stages: Bench, fake: Fake, k: int) -> None:
    loaded = stages.load(n=10)
    fake(down=1.0)
    for ask in (lambda: stages.distill(loaded, k=k), lambda: stages.caption(loaded)):
        with pytest.raises(RemoteError, match="endpoint down"):
            ask()
    fake()
    assert stages.distill(loaded, k=k).record.out == stages.caption(loaded).record.out == 10


def test_requests_that_can_never_be_answered_are_not_tried_again(stages: Bench, fake: Fake) -> None:
    stages.workspace.reject_above = 0.5
    loaded = stages.load(n=40)
    fake(over_long=0.2)
    first = stages.distill(loaded, k=1)
    lost = 40 - first.record.out
    assert 2 < lost < 20
    assert first.record.rejected == {"prompt over-long": lost}
    assert len(list(first.folder.rejected())) == lost
    fake()
    stages.asked()
    assert stages.distill(loaded, k=2).record.out == 40
    assert {asked["sample"] for asked in stages.asked()} == {1}


def test_samples_the_teacher_refuses_are_counted_one_by_one(stages: Bench) -> None:
    stages.workspace.reject_above = 1.0
    distilled = stages.distill(stages.load(n=40), k=2, refuse="1</answer>")
    rows = list(distilled.rows())
    refused, lost = distilled.record.rejected["refused by the teacher"], 40 - len(rows)
    assert sum(len(row.traces) for row in rows) + refused == 80
    assert distilled.record.rejected.get("no sample is a trace", 0) == lost
    assert not any("1</answer>" in raw for row in traces(rows) for raw in row)


def test_too_many_rejections_stop_the_stage(stages: Bench, fake: Fake) -> None:
    fake(over_long=0.4)
    with pytest.raises(DataError, match=r"Stage caption-1 lost \d+ of 40 rows, over the limit of 10%.*over-long"):
        stages.caption(stages.load(n=40, per_image=1))


def test_conversations_go_out_in_the_same_batches_every_time(stages: Bench) -> None:
    stages.workspace.reject_above = 0.5
    loaded = stages.load(n=30)
    first = stages.distill(loaded, "double-checker", k=2)
    asked = stages.asked()
    rows = list(first.rows())
    assert 0 < first.record.rejected["given up"] < 30
    assert {a["temperature"] for a in asked} == {0.7, 0.1}
    assert all(trace.sample in (0, 1) for row in rows for trace in row.traces)
    for path in stages.workspace.home.values.rglob("*.jsonl"):
        path.unlink()
    (first.folder.summary_file).unlink()
    again = stages.distill(loaded, "double-checker", k=2)
    assert again.digest == first.digest
    assert stages.asked() == asked


def test_a_failing_engine_ends_a_conversation_with_its_own_error(stages: Bench, fake: Fake) -> None:
    loaded = stages.load(n=10)
    fake(down=1.0)
    with pytest.raises(RemoteError, match="endpoint down"):
        stages.distill(loaded, "double-checker")
    fake()
    stages.workspace.reject_above = 0.5
    assert stages.distill(loaded, "double-checker").record.out > 0


@dataclass
class Watched(Local):
    """Says what is open."""

    at_once: int
    open_now: int = 0

    def parallel(self, model: Resolved) -> int:
        return self.at_once

    @contextmanager
    def open(self, model: Resolved, images: ImageStore) -> Iterator[Engine]:
        with super().open(model, images) as engine:
            self.open_now += 1
            yield engine
            self.open_now -= 1


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_stage_closes_its_engine_before_the_next_needs_the_room(stages: Bench, at_once: int) -> None:
    watched = stages.workspace.executor = Watched(at_once)
    stages.distill(stages.load(n=5))
    assert stages.asked() and watched.open_now == 0


def test_every_trace_gets_the_verdict_of_every_verifier(stages: Bench) -> None:
    judged = stages.verify(stages.distill(stages.load(n=20)))
    verdicts = [each.verdicts for row in judged.rows() for each in row.judged]
    assert len(verdicts) == 40
    assert {tuple(each) for each in verdicts} == {("answer", "format")}
    statuses = Counter(each["answer"].status for each in verdicts)
    assert set(statuses) == {"correct", "incorrect"}
    assert judged.record.counts["correct"] == statuses["correct"]
    assert {each["format"].score for each in verdicts} == {1.0}


def test_what_the_machine_fails_is_not_stored_and_verified_alone_by_the_next_run(
    stages: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    compat = {"r1v": {"use": "r1v-compat"}}
    stages.verify(stages.distill(stages.load(n=12, limit=5), k=1), **compat)
    rows, asked = stages.distill(stages.load(n=12), k=1), list[int]()
    verdicts = VerifierRunner.verdicts

    def counted(runner: VerifierRunner, claims: Sequence[Claim], *weights: Any) -> list[dict[str, Verdict]]:
        asked.append(len(claims))
        return verdicts(runner, claims, *weights)

    monkeypatch.setattr(VerifierRunner, "verdicts", counted)
    with monkeypatch.context() as machine, pytest.raises(RemoteError, match="r1v: workers end while they start"):
        machine.setattr(limits, "STARTS", 1)
        machine.setattr(sys, "executable", "/bin/false")
        stages.verify(rows, **compat)
    judged = [each.verdicts["r1v"] for row in stages.verify(rows, **compat).rows() for each in row.judged]
    assert asked == [7, 7]
    assert len(judged) == 12 and all(verdict.score is not None for verdict in judged)


def test_another_weight_or_filter_judges_nothing_anew(stages: Bench) -> None:
    judged = stages.verify(stages.distill(stages.load(n=20)))
    for file in (judged.folder.path).glob("*.json*"):
        file.unlink()
    again = stages.verify(stages.distill(stages.load(n=20)))
    assert again.record.cached
    assert again.digest == judged.digest


def test_a_row_lost_from_the_store_is_computed_anew(stages: Bench) -> None:
    first = stages.distill(stages.load(n=10))
    (shard,) = (path for path in stages.workspace.home.values.rglob("*.jsonl"))
    content = shard.read_bytes()
    shard.write_bytes(content.replace(b"chain", b"\x00\x01hai", 4))
    first.folder.summary_file.unlink()
    stages.asked()
    assert stages.distill(stages.load(n=10)).digest == first.digest
    assert len(stages.asked()) == 2


def test_two_processes_do_not_work_on_one_stage(stages: Bench) -> None:
    from filelock import FileLock

    loaded = stages.load(n=4)
    done = stages.distill(loaded)
    with (
        FileLock(done.folder.path.with_suffix(".lock")),
        pytest.raises(UsageError, match="Another process is working on the same stage distill-1"),
    ):
        stages.distill(loaded)


KILLED = """
import sys
from pathlib import Path
from made import bench
from openvlt.store import open_home
stages = bench(open_home(), [Path(sys.argv[1])], Path(sys.argv[2]), Path(sys.argv[3]))
stages.workspace.reject_above = 0.5
rows = stages.distill(stages.caption(stages.load(n=60, per_image=2)), sys.argv[4], k=2)
print(stages.verify(rows).folder.path)
"""


@pytest.mark.parametrize("teacher", ["tutor", "double-checker"])
def test_killed_anywhere_the_output_is_the_same_to_the_byte(
    stages: Bench, tmp_path: Path, fake_plugin: Path, teacher: str
) -> None:
    """The process kills itself with SIGKILL after a few chunks, again and again, now and then in mid-write."""

    def run(home: str, **told: int) -> subprocess.CompletedProcess[str]:
        environment = {"OPENVLT_HOME": str(tmp_path / home), "OPENVLT_FAKE": json.dumps(told)}
        files = [str(fake_plugin), str(stages.model), str(tmp_path / "log")]
        return subprocess.run(
            [sys.executable, "-c", KILLED, *files, teacher],
            env=os.environ | environment | {"PYTHONPATH": str(Path(__file__).parent)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    whole = run("undisturbed")
    assert whole.returncode == 0, whole.stderr
    random, deaths = Random(teacher), 0
    while (killed := run("killed", die_after=random.randint(1, 3))).returncode:
        assert killed.returncode == -9, killed.stderr
        deaths += 1
        assert deaths < 12
        shards = sorted((tmp_path / "killed" / "values").rglob("*.jsonl"))
        torn = random.choice(shards)
        if random.random() < 0.3 and torn.stat().st_size > 50:
            os.truncate(torn, torn.stat().st_size - 40)
    assert deaths >= 2
    outputs = [Path(done.stdout.strip()) for done in (whole, killed)]
    assert outputs[0].name == outputs[1].name
    files = {path.relative_to(tmp_path / "killed") for path in (tmp_path / "killed" / "stages").rglob("*.jsonl")}
    assert len(files) == 9
    for name in files:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()
