"""The card of a data set counts what was decided."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from markdown_it import MarkdownIt

from openvlt.records import Example, Judged, Row, Trace, Verdict
from openvlt.report.card import Card
from openvlt.terminal import escape

RIGHT, WRONG, FAILED = Verdict.correct(), Verdict.incorrect(), Verdict.error("the worker died")


def row(*verdicts: Verdict) -> Row:
    judged = (Judged(trace=Trace(think="so", answer="1", raw="so 1"), verdicts={"exact": each}) for each in verdicts)
    return Row(example=Example(id="1", question="What?", answer="1", source="sums"), judged=tuple(judged))


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([row(RIGHT, WRONG), row(WRONG, WRONG)], "| sums | 2 | 25.0% | 50.0% | 0 |"),
        ([row(RIGHT, FAILED), row(WRONG, WRONG)], "| sums | 2 | 33.3% | 50.0% | 1 |"),
        ([row(RIGHT, WRONG), row(WRONG, FAILED)], "| sums | 2 | 33.3% | 100.0% | 1 |"),
        ([row(RIGHT, WRONG), row(WRONG)], "| sums | 2 | 25.0% | 50.0% | 0 |"),
        ([row(FAILED, FAILED)], "| sums | 1 | undecided | undecided | 2 |"),
    ],
)
def test_a_failed_verifier_makes_a_sample_neither_right_nor_wrong(rows: list[Row], line: str) -> None:
    card = Card(name="sums", sources={}, components=[], models={}, prompts={}, stages=[], k=2)
    card.count(rows, [])
    assert line in card.text()


MARKUP = ["|", "`", "``", "[a](http://b)", "![a](b)", "<script>", "&amp;", "&#124;", "\\", "\n---\n", "# ", "**", "_", "~~", "\r",
          "https://a.b", "www.a.b", "a@b.c", "\n\n", "---\nlicense: mit\n---", "$x$", "[^1]", "<!--", "\x1b[2J", "\u202e"]  # fmt: skip
TEXTS = st.lists(st.sampled_from(MARKUP) | st.text(max_size=5), min_size=1, max_size=6).map("".join)


@given(TEXTS, TEXTS)
def test_foreign_text_in_a_card_is_shown_and_never_obeyed(name: str, reason: str) -> None:
    models = {"teacher": name, "captioner": reason}
    card = Card(name=name, sources={}, components=[], models=models, prompts={"teacher": reason}, stages=[], k=2)
    head, text = card.text().split("\n# ", 1)
    assert head == "---\ntags:\n- openvlt\n---\n"
    tokens = MarkdownIt("commonmark").enable("table").enable("strikethrough").parse("# " + text)
    inline = [token for token in tokens if token.type == "inline"]
    assert {child.type for token in inline for child in token.children or ()} <= {"text", "text_special"}
    shown = ["".join(child.content for child in token.children or ()) for token in inline]
    expected = [escape(" ".join(each.split())) for each in (name, reason)]
    assert shown[0] == expected[0]
    assert shown[shown.index("teacher") + 1] == expected[0] and shown[shown.index("captioner") + 1] == expected[1]
    assert not any(token.type in ("html_block", "hr") for token in tokens)
    assert [token.content for token in tokens if token.type == "fence"] == [f"{escape(reason)}\n"]


@pytest.mark.parametrize("text", ["https://a.b", "www.a.b", "WWW.a.b", "a@b.c"])
def test_no_address_becomes_a_link(text: str) -> None:
    # GitHub and the hub link what looks like an address, which an escape within it prevents
    shown = Card(name=text, sources={}, components=[], models={}, prompts={}, stages=[], k=2).text()
    assert text not in shown
