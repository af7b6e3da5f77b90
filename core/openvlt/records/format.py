"""How the policy is asked and how it answers."""

from __future__ import annotations

from dataclasses import dataclass

from openvlt.records.chat import Message, conversation
from openvlt.records.claim import Trace
from openvlt.records.example import Example


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How the policy is asked and how it answers; one per recipe.

    Attributes:
        system: system text, empty for none.
        suffix: text after the question.
        think: name of the reasoning tag.
        answer: name of the answer tag.
        answer_in_think: an answer tag or a box within the reasoning counts where nothing after it is an answer.
    """

    system: str = ""
    suffix: str = "\nThink step by step, then answer."
    think: str = "think"
    answer: str = "answer"
    answer_in_think: bool = False

    def prompt(self, example: Example) -> list[Message]:
        """The messages that ask the policy: the turns before the question, then question, choices and suffix, with the
        images in their places or first."""
        text = example.question
        if example.choices:
            text += "\n" + "\n".join(f"({chr(65 + i)}) {choice}" for i, choice in enumerate(example.choices) if choice)
        system = [Message.system(self.system)] if self.system else []
        return [*system, *conversation(example, text + self.suffix, example.images)]

    def target(self, trace: Trace) -> str:
        """The reply that SFT trains on, in the format of OpenVLThinker's traces (arXiv 2503.17352, Fig. 3).

        Raises:
            ValueError: the trace has no answer.
        """
        if trace.answer is None:
            raise ValueError("a trace without an answer is no target")
        parts = [f"<{self.think}>{trace.think}</{self.think}>", trace.explanation]
        return "\n".join([part for part in parts if part] + [f"<{self.answer}>{trace.answer}</{self.answer}>"])
