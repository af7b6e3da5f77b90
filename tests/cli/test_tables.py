"""Tables are never wider than the terminal and lose nothing; foreign text is escaped."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import pytest
from rich.cells import cell_len

from openvlt.cli.results import show_results
from openvlt.records import BenchResult, Paired, Protocol, Rate, Score
from openvlt.records.bench import UsedData, UsedModel, UsedPrompt
from openvlt.report.table import Table, print_table

MODELS = ("blind", "base", "sft-1", "grpo-1", "sft-2", "grpo-2", "grpo-hard-with-a-long-name-2")
CATEGORIES = [f"category {number} of many, whose name is long" for number in range(38)] + [
    "\x1b[31mred\x1b[0m",
    "形" * 30,
]


def rate(correct: int, n: int = 100, undecided: int = 0) -> Rate:
    low, high = correct / n, (correct + undecided) / n
    return Rate(
        accuracy=None if undecided else low, correct=correct, n=n, ci95=(low / 2, low), bounds=(low, high),
        undecided=undecided,
    )  # fmt: skip


def result(stage: str, place: int, *scorings: str) -> BenchResult:
    total = rate(30 + place, undecided=place * 5)
    score = Score(
        accuracy=total.accuracy, correct=total.correct, n=100, ci95=total.ci95, bounds=total.bounds,
        undecided=total.undecided,
        breakdown={"subject": {name: rate(10 + number, undecided=place) for number, name in enumerate(CATEGORIES)}},
    )  # fmt: skip
    return BenchResult(
        benchmark="made", stage=stage, headline=scorings[0], scores=dict.fromkeys(scorings, score), seconds=12.5,
        versus={"base": Paired(0.1, 0.05, 0.15)} if place else {}, protocol_hash="0",
        protocol=Protocol(
            benchmark="made", data=UsedData(revision="", split="test", limit=None, content=""),
            model=UsedModel(id=stage), prompt=UsedPrompt(), decoding=None, extraction="tag", scoring={},
        ),
    )  # fmt: skip


RESULTS = {
    "a run": [result(stage, place, "exact") for place, stage in enumerate(MODELS)],
    "one model": [result("some/model", 1, "strict", "official")],
}


@pytest.fixture(params=["pipe", "terminal"])
def shown(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str | Table, int], list[str]]:
    """The lines a table is shown in, without the terminal's own colours."""

    def lines(which: str | Table, width: int) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys.stdout, "isatty", lambda: request.param == "terminal", raising=False)
        print_table(which) if isinstance(which, Table) else show_results(RESULTS[which])
        out = capsys.readouterr().out
        assert request.param == "terminal" or "\x1b" not in out
        return [line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", out).splitlines()]

    return lines


@pytest.mark.parametrize("width", [60, 80, 160])
@pytest.mark.parametrize("which", RESULTS)
def test_results_fit_into_any_width(shown: Callable[[str | Table, int], list[str]], which: str, width: int) -> None:
    lines = [line for line in shown(which, width) if " against " not in line]
    assert max(map(cell_len, lines)) <= width
    head = next(line for line in lines if line.startswith("model"))
    assert head.index("model") < head.index("accuracy") < head.index("95 %")
    for each in RESULTS[which]:
        low, high = (f"{100 * share:.1f}" for share in each.score.bounds)
        line = next(line for line in lines if line.startswith(each.stage[:12]) and "%" not in line)
        assert (f"[{low}, {high}]" if each.score.undecided else f" {low} ") in line
        assert " - ".join(f"{100 * share:.1f}" for share in each.ci95) in line
    # Each model has its figure of a category, in however many lines.
    of_category = " ".join(line for line in lines if line.startswith("category 7 "))
    columns = [(each, name) for each in RESULTS[which] for name in each.scores]
    assert len(re.findall(r"\[17\.0, \d+\.0\]|\b17\.0(?=\s|$)", of_category)) == len(columns)


@pytest.mark.parametrize("shown", ["terminal"], indirect=True)
@pytest.mark.parametrize("width", [40, 80, 120])
def test_wide_texts_leave_the_names_of_rows_whole_and_break_at_hyphens(
    shown: Callable[[str | Table, int], list[str]], width: int
) -> None:
    rows = [
        (f"stage-name-{row}", "a-component of-many words " * 6, f"{row},000", "owner/model-of-a-name " * 4)
        for row in range(3)
    ]
    lines = shown(Table(("stage", "component", "rows at most", "model"), rows, right=("rows at most",)), width)
    assert max(map(cell_len, lines)) <= width
    for row in range(3):
        assert any(line.startswith(f"stage-name-{row} ") for line in lines)
        assert any(f" {row},000" in line for line in lines)
    told = " ".join(lines)
    assert width == 40 or told.count("owner/model-") == 12


@pytest.mark.parametrize("shown", ["terminal"], indirect=True)
@pytest.mark.parametrize("width", [40, 80])
def test_text_is_wrapped_and_nothing_is_cut(shown: Callable[[str | Table, int], list[str]], width: int) -> None:
    path = "/a/folder/" + "x" * 100 + "/model"
    lines = shown(Table(("run", "seconds", "model"), [("[red]", "7", path)], right=("seconds",)), width)
    assert max(map(cell_len, lines)) <= width
    assert lines[2].split()[:2] == ["[red]", "7"]
    assert "".join(line.split()[-1] for line in lines[2:]) == path


def test_foreign_text_is_escaped(shown: Callable[[str | Table, int], list[str]]) -> None:
    assert any(line.startswith("\\u001b[31mred\\u001b[0m") for line in shown("a run", 160))
