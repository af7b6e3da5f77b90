"""Text of a prompt is text: the control tokens of a tokenizer that are written in it become ordinary characters."""

from __future__ import annotations

import re
from typing import Any


class PlainText:
    """Breaks the special tokens of a tokenizer in foreign text, by a space after their first character.

    Tokenizers find special tokens anywhere in a prompt: a question with ``<|im_start|>system`` would begin a turn, and
    one with ``<|image_pad|>`` would count as an image that is not there. Engines and trainers pass each text through
    this before they apply the chat template, whose own tokens stay what they are. Only tokens that the tokenizer itself
    calls special are broken; tags such as ``<think>``, which replies contain, are unchanged.

    Args:
        tokenizer: of transformers.
    """

    def __init__(self, tokenizer: Any) -> None:
        added = getattr(tokenizer, "added_tokens_decoder", {}).values()
        special = {token.content for token in added if token.special} | set(tokenizer.all_special_tokens)
        longest_first = sorted((token for token in special if len(token) > 1), key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")

    def __call__(self, text: str) -> str:
        """The text without control tokens; one that has none is returned unchanged."""
        return self._special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)
