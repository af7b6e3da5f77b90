"""``openvlt report``: one page, whole in itself, that no model can write into."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from openvlt.records import Example, Judged, Row, Run, StageRecord, Trace, Verdict
from openvlt.report.page import page
from openvlt.store import Home, StageFolder, StageWriter
from openvlt.terminal import escape

pytestmark = pytest.mark.xdist_group("distill")
HOSTILE = "</pre><script>alert('x')</script><img src=x onerror=alert(1)>"


class Tags(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_shows_stages_traces_and_images_without_any_other_file(
    sums_in: Callable[[Path], Callable[..., str]], tmp_path: Path
) -> None:
    openvlt = sums_in(tmp_path)
    openvlt("distill", "RECIPE")
    openvlt("report", "sums-distill", "--out", tmp_path / "page.html")
    tags = Tags((tmp_path / "page.html").read_text())
    sources = [attributes["src"] or "" for tag, attributes in tags.seen if tag == "img"]
    assert sources and all(source.startswith("data:image/png;base64,") for source in sources)
    assert not {"script", "link"} & {tag for tag, _ in tags.seen}
    stages = json.loads(openvlt("runs", "--json"))[0]["stages"]
    assert {stage["name"] for stage in stages} <= set(tags.texts)
    assert "What is 0 + 0?" in tags.texts
    first, *_ = (path for path in (tmp_path / "home" / "images").glob("*/*"))
    first.write_bytes(b"")
    openvlt("report", "sums-distill", "--out", tmp_path / "page.html")
    assert "image deleted or damaged" in Tags((tmp_path / "page.html").read_text()).texts


@pytest.mark.parametrize("field", ["question", "answer", "caption", "raw", "reason"])
def test_text_of_models_and_data_is_shown_and_never_obeyed(tmp_path: Path, field: str) -> None:
    text = dict.fromkeys(("question", "answer", "caption", "raw", "reason"), "plain") | {field: HOSTILE}
    judged = Judged(
        trace=Trace(think="", answer=text["answer"], raw=text["raw"]),
        verdicts={"answer": Verdict.incorrect(text["reason"])},
    )
    row = Row(example=Example(id="1", question=text["question"], answer="2"), caption=text["caption"], judged=(judged,))
    home = Home(tmp_path)
    writer = StageWriter(StageFolder(home.stages / "a"))
    writer.row(row)
    writer.finish({"in": 1})
    stage = StageRecord(stage_kind="select", name="select-1", iteration=1, fingerprint="a", folder="stages/a")
    tags = Tags(page(home, Run(name="n", recipe="r", status="done", stages=(stage,))))
    assert not {"script", "img"} & {tag for tag, _ in tags.seen}
    assert HOSTILE in "".join(tags.texts)


@given(st.lists(st.sampled_from([HOSTILE, "&amp;", '"', "'", "<!--", "]]>", "<"]) | st.text(max_size=5)).map("".join))
def test_any_text_comes_back_from_the_page_as_it_is(text: str) -> None:
    name = text.replace("\r", "")  # HTML has one line break
    shown = "".join(Tags(page(Home(Path("none")), Run(name=name, recipe="r", status="done", notes=(name,)))).texts)
    assert shown.count(escape(name)) >= 3 or not name
