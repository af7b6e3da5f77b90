"""What components return and raise: whatever it is, a row is rejected or a sentence names the component."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from entrance import command, fuzzed
from hypothesis import strategies as st
from odd import SAID, VALUES

from openvlt import Completion, Drop, Judged, Keep, Message, Rejected, Trace, Verdict

PLUGIN = str(Path(__file__).with_name("odd_plugin.py"))
NUMBER = itertools.count()
RECIPE = """
name: odd-{number}
base: {{id: {model}, backend: {{use: odd, number: {number}}}}}
captioner: {captioner}
traces:
  data: {{source: odd, filters: [{{use: odd-examples, number: {number}}}]}}
  teacher: {{use: {teacher}, number: {number}, model: {{id: base}}}}
  select: [{{use: odd, number: {number}}}]
verifiers: {{odd: {{use: odd, number: {number}}}}}
bench: [{{use: odd, number: {number}}}]
reject_above: 0.9
"""
METHODS = [
    "captioner.messages", "captioner.parse", "program.subject", "program.open", "program.caption", "program.revision",
    "teacher.messages", "teacher.parse", "teacher.run", "filter.choose",
    "filter.choose_all", "filter.decide", "verifier.verify", "backend.open", "engine.completion", "engine.reply",
    "engine.generate", "engine.counts", "benchmark.messages", "benchmark.baselines", "benchmark.baseline",
    "benchmark.choose", "benchmark.aggregate",
]  # fmt: skip
ERRORS = st.sampled_from(
    [ValueError("\x1b[2J\ud800"), KeyError("x"), RecursionError(), AssertionError(), OSError(5, "I/O"), StopIteration()]
)
ANY = VALUES | st.sampled_from([object(), {1}, 1j, b"\xff", ("a",), range(3), iter(())])
FIELDS: dict[type, tuple[str, ...]] = {
    Completion: ("text", "finish_reason", "prompt_tokens", "completion_tokens"),
    Trace: ("think", "answer", "raw", "explanation", "sample", "prompt_tokens"),
    Verdict: ("status", "score", "reason", "cause", "tier", "detail"),
    Message: ("role", "content"),
    Rejected: ("id", "reason", "transient"),
    Judged: ("trace", "verdicts"),
    Drop: ("reason",),
    Keep: ("example",),
}
RECORDS = st.one_of(
    st.fixed_dictionaries(dict.fromkeys(names, ANY | st.just("x"))).map(lambda some, record=record: record(**some))
    for record, names in FIELDS.items()
)
RESULTS = st.one_of(
    ERRORS, ANY, RECORDS, st.lists(RECORDS | ANY, max_size=3), st.tuples(ANY, RECORDS),
    st.dictionaries(st.sampled_from(["a", "\ud800", ""]), ANY, max_size=2),
    st.text(st.characters(), max_size=8).map(lambda text: Completion(text=text)),
    st.text(st.characters(), max_size=8).map(lambda text: Trace(think=text, answer=text, raw=text)),
)  # fmt: skip


@fuzzed(60, method=st.sampled_from(METHODS), result=RESULTS)
def test_a_component(method: str, result: Any, home: Path, finished: Path) -> None:
    number = next(NUMBER)
    teacher = "odd-chat" if method == "teacher.run" or number % 3 == 0 else "odd"
    use = "use: odd-program" if method.startswith("program.") else "use: odd, model: {id: base}"
    captioner = f"{{{use}, number: {number}}}"
    text = RECIPE.format(number=number, model=finished / "base", teacher=teacher, captioner=captioner)
    Path("odd.yaml").write_text(text)
    SAID.update({method: result})
    try:
        for _ in range(2):  # the second time it reads what the first has stored
            command("plugin", "--plugin", PLUGIN, "train", "odd.yaml")
    finally:
        SAID.clear()
