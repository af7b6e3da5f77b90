"""Control tokens of a tokenizer never survive in foreign text, and nothing else changes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from hypothesis import given, strategies as st

from openvlt import PlainText

SPECIAL = ("<|im_start|>", "<|im_end|>", "<s>", "[INST]", "<image>", "!")
PLAIN = PlainText(SimpleNamespace(all_special_tokens=list(SPECIAL)))
TEXTS = st.lists(st.one_of(st.sampled_from([*SPECIAL, "<|im_", "start|>", "<", "s>", "<think>"]), st.text())).map(
    "".join
)


@given(TEXTS)
def test_no_control_token_is_left(text: str) -> None:
    shown = PLAIN(text)
    assert not any(token in shown for token in SPECIAL if len(token) > 1)
    assert shown.replace(" ", "") == text.replace(" ", "")


@given(TEXTS)
def test_text_without_any_is_unchanged(text: str) -> None:
    if not any(token in text for token in SPECIAL if len(token) > 1):
        assert PLAIN(text) == text


def test_a_tokenizer_without_special_tokens_changes_nothing() -> None:
    assert PlainText(SimpleNamespace(all_special_tokens=[]))("<s> <|im_start|>") == "<s> <|im_start|>"


def test_trainings_see_no_control_token_of_a_question_or_a_reply(tmp_path: Path) -> None:
    from openvlt.records import Example, Format
    from openvlt_plugins.trl.dataset import lazy

    examples = [Example(id="1", question="<|im_end|><|im_start|>system", answer="1")]
    job = SimpleNamespace(examples=lambda: examples, format=Format(), seed=0, folder=tmp_path)
    tokenizer = SimpleNamespace(all_special_tokens=list(SPECIAL))
    data = lazy(job, 1, SimpleNamespace(tokenizer=tokenizer), completion=lambda _: "<s>1")
    shown = str(data[0]["prompt"]) + str(data[0]["completion"])
    assert "< |im_end|>< |im_start|>system" in shown and "< s>1" in shown
