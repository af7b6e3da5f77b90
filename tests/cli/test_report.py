"""``openvlt report``: one page, whole in itself, with every question, that no model can write into."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from PIL import Image

from openvlt.__main__ import run
from openvlt.errors import DataError
from openvlt.records import Example, Judged, Row, Run, StageRecord, Trace, Verdict
from openvlt.report import pictures, questions
from openvlt.report.page import embedded, page_of_run
from openvlt.stages.near_duplicates import PAIRS
from openvlt.store import Home, StageFolder, StageWriter
from openvlt.terminal import escape

pytestmark = pytest.mark.xdist_group("distill")
HOSTILE = "</pre></script><!--<script>alert('x')</script><img src=x onerror=alert(1)>{{data}}\u2028"


class Tags(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: dict[str, str] = {}
        self.script: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag == "script":
            self.script = dict(attrs).get("id") or ""
            self.scripts[self.script] = ""

    def handle_endtag(self, tag: str) -> None:
        self.script = None

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self.script is not None:
            self.scripts[self.script] += data

    @property
    def groups(self) -> Any:
        """The embedded questions."""
        return json.loads(self.scripts["data"])

    @property
    def images(self) -> list[Image.Image]:
        return [
            Image.open(BytesIO(base64.b64decode(content)))
            for name, content in self.scripts.items()
            if name.startswith("image-")
        ]


def test_the_page_shows_every_trace_and_image_of_a_run_without_any_other_file(
    sums_in: Callable[[Path], Callable[..., str]], tmp_path: Path
) -> None:
    openvlt = sums_in(tmp_path)
    openvlt("distill", "RECIPE")
    said = openvlt("report", "sums-distill", "--out", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    tags = Tags(text)
    assert not any({"src", "href", "style"} & attributes.keys() for _, attributes in tags.seen)
    stages = json.loads(openvlt("runs", "--json"))[0]["stages"]
    assert {stage["name"] for stage in stages} <= set(tags.texts)
    verified, selected = tags.groups
    assert [verified["title"], selected["title"]] == ["verify-1", "select-1"]
    first = next(each for each in verified["questions"] if each["question"] == "What is 0 + 0?")
    assert first["gold"] == "0" and [type(each) for each in first["images"]] == [int] and first["caption"]
    assert len(first["answers"][0]["samples"]) == 3 and first["answers"][0]["samples"][0]["verdicts"][0]["name"]
    assert f"{len(verified['questions']) + len(selected['questions'])} questions" in said
    shown = {each for group in tags.groups for question in group["questions"] for each in question["images"]}
    assert shown == set(range(len(tags.images))) and tags.images[0].format == "WEBP"


def test_images_that_are_gone_are_counted(sums_in: Callable[[Path], Callable[..., str]], tmp_path: Path) -> None:
    openvlt = sums_in(tmp_path)
    openvlt("distill", "RECIPE")
    first, second, *_ = sorted((tmp_path / "home" / "images").glob("*/*"))
    first.write_bytes(b"")
    second.unlink()
    openvlt("report", "sums-distill", "--out", tmp_path / "page.html")
    tags = Tags((tmp_path / "page.html").read_text())
    assert "2 images are not shown: deleted or damaged" in tags.texts
    assert "deleted or damaged" in [each for row in tags.groups[0]["questions"] for each in row["images"]]


def shown(tmp_path: Path, *rows: Row, name: str = "n", whole: bool = False) -> Tags:
    """The page of a run that selected these rows."""
    home = Home(tmp_path)
    shutil.rmtree(home.stages, ignore_errors=True)
    writer = StageWriter(StageFolder(home.stages / "a"))
    for row in rows:
        writer.row(row)
    writer.finish({"in": 1})
    stage = StageRecord(stage_kind="select", name="select-1", iteration=1, fingerprint="a", folder="stages/a")
    run = Run(name=name, recipe="r", status="done", stages=(stage,), notes=(name,))
    return Tags(page_of_run(home, run, whole=whole).text)


def a_row(id: str = "1", **texts: str) -> Row:
    text = dict.fromkeys(("question", "answer", "gold", "caption", "raw", "reason", "source"), "plain") | texts
    judged = Judged(
        trace=Trace(think="", answer=text["answer"], raw=text["raw"]),
        verdicts={"answer": Verdict.incorrect(text["reason"])},
    )
    example = Example(id=id, question=text["question"], answer=text["gold"], source=text["source"])
    return Row(example=example, caption=text["caption"], judged=(judged,))


@pytest.mark.parametrize("field", ["question", "answer", "gold", "caption", "raw", "reason", "source", "id", "name"])
def test_text_of_models_and_data_is_shown_and_never_obeyed(tmp_path: Path, field: str) -> None:
    usual = shown(tmp_path, a_row())
    name = HOSTILE if field == "name" else "n"
    tags = shown(tmp_path, a_row(**({} if field == "name" else {field: HOSTILE})), name=name)
    assert [tag for tag, _ in tags.seen] == [tag for tag, _ in usual.seen]
    assert tags.scripts[""] == usual.scripts[""] and tags.scripts.keys() == usual.scripts.keys()
    assert any(escape(HOSTILE) in text for text in (tags.texts if field == "name" else strings(tags.groups)))


def strings(data: Any) -> list[str]:
    """All texts in JSON."""
    if isinstance(data, str):
        return [data]
    inside = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return [text for each in inside for text in strings(each)]


@given(st.recursive(st.text() | st.sampled_from([HOSTILE, "</SCRIPT", "<!--", "]]>", "\u2028"]), st.lists))
def test_any_text_comes_back_from_the_data_as_it_is(data: Any) -> None:
    found = Tags(f'<script id="data">{embedded(data)}</script>')
    assert found.groups == data and [tag for tag, _ in found.seen] == ["script"]


@given(st.lists(st.sampled_from([HOSTILE, "&amp;", '"', "'", "<!--", "]]>", "<"]) | st.text(max_size=5)).map("".join))
def test_any_name_comes_back_from_the_page_as_it_is(text: str) -> None:
    name = text.replace("\r", "")  # HTML has one line break
    run = Run(name=name, recipe="r", status="done", notes=(name,))
    shown = "".join(Tags(page_of_run(Home(Path("none")), run).text).texts)
    assert shown.count(escape(name)) >= 3 or not name


def test_a_browser_is_told_to_run_this_script_alone_and_to_load_nothing(tmp_path: Path) -> None:
    tags = shown(tmp_path, a_row())
    policy = next(a["content"] or "" for _, a in tags.seen if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(tags.scripts[""].encode()).digest()).decode()
    assert "default-src 'none'; img-src data:;" in policy and f"script-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    # what would make markup of text
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|DOMParser|eval\(", tags.scripts[""])


@given(st.lists(st.integers(0, 50), min_size=1), st.integers(0, 500))
def test_texts_are_cut_as_little_as_fits(lengths: list[int], most: int) -> None:
    longest = questions.level(lengths, most)
    assert sum(min(each, longest) for each in lengths) <= most or longest == 0
    assert longest >= max(lengths) or sum(min(each, longest + 1) for each in lengths) > most


def test_long_texts_are_shortened_in_the_middle_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "CHARACTERS", 1_000)
    rows = [a_row(raw=f"begins{'x' * 10_000}ends"), a_row("2")]
    tags = shown(tmp_path, *rows)
    raw = [question["answers"][0]["samples"][0]["raw"] for question in tags.groups[0]["questions"]]
    assert raw[0].startswith("begins") and raw[0].endswith("ends") and len(raw[0]) < 1_100 and raw[1] == "plain"
    assert any(text.startswith("1 text is shortened to ") for text in tags.texts)
    whole = shown(tmp_path, *rows, whole=True)
    assert whole.groups[0]["questions"][0]["answers"][0]["samples"][0]["raw"] == rows[0].judged[0].trace.raw


def test_images_are_shrunk_and_left_out_beyond_a_size(
    sums_in: Callable[[Path], Callable[..., str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openvlt = sums_in(tmp_path)
    openvlt("distill", "RECIPE")
    monkeypatch.setattr(pictures, "SIDE", 4)
    openvlt("report", "sums-distill", "--out", tmp_path / "page.html")
    tags = Tags((tmp_path / "page.html").read_text())
    assert all(max(image.size) == 4 for image in tags.images)
    assert (
        f"{len(tags.images)} of {len(tags.images)} images are shrunk to 4 pixels or less (--full-size keeps them)"
        in tags.texts
    )
    monkeypatch.setattr(pictures, "BYTES", 200)
    openvlt("report", "sums-distill", "--out", tmp_path / "page.html")
    assert {max(image.size) for image in Tags((tmp_path / "page.html").read_text()).images} == {4, 2}
    monkeypatch.setattr(pictures, "BYTES", 0)
    openvlt("report", "sums-distill", "--out", tmp_path / "page.html")
    without = Tags((tmp_path / "page.html").read_text())
    assert not without.images and f"{len(tags.images)} images are not shown: " in "".join(without.texts)
    openvlt("report", "sums-distill", "--out", tmp_path / "page.html", "--full-size")
    assert min(max(image.size) for image in Tags((tmp_path / "page.html").read_text()).images) > 4


def test_training_rows_that_repeat_a_benchmark_stand_beside_what_they_repeat(
    sums_in: Callable[[Path], Callable[..., str]], tmp_path: Path
) -> None:
    openvlt = sums_in(tmp_path)
    openvlt("distill", "RECIPE")
    load = next(each for each in json.loads(openvlt("runs", "--json"))[0]["stages"] if each["stage_kind"] == "load")
    image = next((tmp_path / "home" / "images").glob("*/*")).name
    pairs = [
        {"id": HOSTILE, "benchmark": "mathvision", "question": "7", "by": "image", "likeness": 0.98, "images": images}
        for images in ([image, image], [image, "0" * 64], [])
    ]
    (tmp_path / "home" / load["folder"] / PAIRS).write_text("\n".join(map(json.dumps, pairs)))
    openvlt("report", "sums-distill", "--out", tmp_path / "page.html")
    tags = Tags((tmp_path / "page.html").read_text())
    shown = [attributes["data-image"] for _, attributes in tags.seen if "data-image" in attributes]
    assert len(shown) == 3 and len(set(shown)) == 1 and escape(HOSTILE) in tags.texts
    assert "deleted or damaged" in tags.texts and "1 image is not shown: deleted or damaged" in tags.texts
    (tmp_path / "home" / load["folder"] / PAIRS).write_text('{"id": 1}')
    with pytest.raises(DataError, match="is damaged"):
        openvlt("report", "sums-distill", "--out", tmp_path / "page.html")


QUESTIONS = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]
FIRST = {"a": ["\\boxed{1}"], "b": ["\\boxed{7}"], "c": ["I do not know"], "d": ["\\boxed{4}"]}
SECOND = {"a": ["\\boxed{1}", "\\boxed{2}"], "b": ["\\boxed{2}", "\\boxed{2}"], "c": ["it is hard to say", "nor this"]}


@pytest.fixture
def openvlt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs a command in a folder with two results, ``sums-first-*`` and ``sums-second-*``."""
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    rows = [
        {"id": id, "question": f"Which is {id}?", "answer": answer, "kind": "even" if int(answer) % 2 == 0 else "odd"}
        for id, answer in QUESTIONS
    ]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    Path("sums.yaml").write_text(
        "use: qa\nsplit: test\nbreakdown: [kind]\nscorings: {strict: answer}\n"
        "source: {use: table, path: rows.jsonl, sizes: {test: 4}, columns: {id: id, question: question, answer: answer}"
        ", metadata: {kind: kind}}\nprompts: {default: '{question}'}\n"
    )
    for name, replies in (("first", FIRST), ("second", SECOND)):
        lines = [json.dumps({"id": id, "response": text}) for id, texts in replies.items() for text in texts]
        Path(f"{name}.jsonl").write_text("\n".join(lines))
        assert run(["bench", "sums.yaml", "--responses", f"{name}.jsonl", "--reading", "phrase"]) == 0
    return lambda *arguments: run([str(each) for each in arguments])


def results() -> list[str]:
    return sorted(path.name for path in Path("home/runs").glob("sums-*"))


def test_a_result_has_every_sample_with_answer_verdict_and_reason(openvlt: Callable[..., int]) -> None:
    _, second = results()
    assert openvlt("report", second) == 0
    (group,) = Tags(Path(f"{second}.html").read_text()).groups
    assert group["title"] == "sums" and group["filter"] == "all"
    found = {each["id"]: each for each in group["questions"]}
    a, b, c, d = (found[id]["answers"][0] for id in "abcd")
    assert [a["score"], b["score"], c["score"]] == [0.5, 1.0, 0.0]
    assert [sample["state"] for sample in a["samples"] + c["samples"]] == ["right", "wrong", "unparsed", "unparsed"]
    assert [sample["answer"] for sample in a["samples"]] == ["1", "2"] and a["samples"][1]["verdicts"][0]["reason"]
    assert d["problem"] == "no response in the file"
    assert found["a"]["tags"] == {"kind": ["odd"]} and found["b"]["gold"] == "2"


def test_two_results_stand_side_by_side_with_what_they_disagree_on(openvlt: Callable[..., int]) -> None:
    first, second = results()
    assert openvlt("report", first, second, "--out", "both.html") == 0
    tags = Tags(Path("both.html").read_text())
    (group,) = tags.groups
    assert group["models"] == [f"A: {first}", f"B: {second}"] and group["filter"] == "differ"
    scores = {each["id"]: [answer["score"] for answer in each["answers"]] for each in group["questions"]}
    assert {id: pair for id, pair in scores.items() if pair[0] != pair[1]} == {"a": [1, 0.5], "b": [0, 1], "d": [1, 0]}
    assert any("B won 1 and lost 2 questions" in text for text in tags.texts)
    assert openvlt("report", first, "--benchmark", "sums") == 2


def test_images_come_from_the_data_where_responses_were_made_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENVLT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    Path("data/images").mkdir(parents=True)
    Image.new("RGB", (640, 320), "red").save("data/images/1.png")
    row = {"id": "1", "question": "How red is it?\n<image1>", "options": [], "answer": "1", "solution": None, "level": 1,
           "subject": "algebra", "image": "images/1.png"}  # fmt: skip
    Path("data/testmini.jsonl").write_text(json.dumps(row))
    Path("replies.jsonl").write_text(json.dumps({"id": "1", "response": "\\boxed{1}"}))
    data = ["--data", "data"]
    assert run(["bench", "mathvision", "--split", "testmini", *data, "--responses", "replies.jsonl"]) == 0
    (name,) = (path.name for path in Path("home/runs").glob("mathvision-*"))
    for more, count in (([], 0), (data, 1)):
        capsys.readouterr()
        assert run(["report", name, "--out", "page.html", *more]) == 0
        tags = Tags(Path("page.html").read_text())
        assert [image.size for image in tags.images] == [(480, 240)] * count
        assert ("--data shows" in capsys.readouterr().err) == (count == 0)


def test_what_was_deleted_is_said(openvlt: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    name, _ = results()
    Path("home/runs", name, "rows.jsonl").unlink()
    assert openvlt("report", name, "--out", "page.html") == 0
    assert "Note: the answers of first to sums were deleted." in capsys.readouterr().err
    assert Tags(Path("page.html").read_text()).groups == []


def test_the_template_has_no_other_parts_than_are_filled(tmp_path: Path) -> None:
    assert "{{" not in "".join(shown(tmp_path, a_row()).texts)


BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = """
const said = [], key = key => document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const note = name => said.push([name, document.querySelector("#detail small")?.textContent.split(" ")[0], $("shown").textContent]);
note("start"); key("j"); note("j"); key("k"); note("k"); key("G"); note("G");
$("filter").value = "all"; narrow(); note("all");
$("search").value = "DO NOT know"; narrow(); note("search");
$("search").value = ""; $("tag").value = '["kind","even"]'; narrow(); note("tag");
key("/"); said.push(["/", document.activeElement.id]); document.activeElement.blur();
key("?"); said.push(["?", $("help").open]);
said.push(["markup", document.querySelectorAll("#detail script, #detail [onerror]").length]);
document.body.textContent = JSON.stringify(said);
"""


@pytest.mark.slow
@pytest.mark.skipif(not BROWSER, reason="needs Chromium")
def test_a_browser_shows_filters_and_searches_the_questions(openvlt: Callable[..., int]) -> None:
    first, second = results()
    assert openvlt("report", first, second, "--out", "both.html") == 0
    text = Path("both.html").read_text()

    def dom(name: str) -> str:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=profile", "--enable-logging=stderr"]
        found = subprocess.run(
            [BROWSER or "", *options, "--dump-dom", Path(name).absolute().as_uri()],
            capture_output=True, text=True, timeout=600, check=True,
        )  # fmt: skip
        assert "CONSOLE" not in found.stderr  # neither an error nor a violation of the policy
        return found.stdout

    assert 'id="row-0"' in dom("both.html")
    without_policy = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    Path("driven.html").write_text(without_policy.replace("</body>", f"<script>{DRIVER}</script></body>"))
    said = json.loads(re.findall(r"\[\[.*\]\]", dom("driven.html"))[0])
    assert said == [
        ["start", "a", "3 of 4"], ["j", "b", "3 of 4"], ["k", "a", "3 of 4"], ["G", "d", "3 of 4"], ["all", "d", "4 of 4"],
        ["search", "c", "1 of 4"], ["tag", "b", "2 of 4"], ["/", "search"], ["?", True], ["markup", 0],
    ]  # fmt: skip
