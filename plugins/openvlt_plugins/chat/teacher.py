"""Teachers whose model and prompt are set in the recipe."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar

from openvlt import (
    Completion,
    Example,
    Format,
    MaxTokens,
    Message,
    Model,
    Option,
    Reject,
    Samples,
    Sampling,
    Seed,
    Teacher,
    Temperature,
    TopP,
    Trace,
    UsageError,
    conversation,
    parse as parse_reply,
)

_PLACEHOLDER = re.compile(r"\{(caption|question|choices|metadata\.[\w. -]+)\}")

ANSWER = "Think step by step between <think> and </think>, then give the final answer between <answer> and </answer>."


@dataclass(frozen=True)
class Chat(Teacher):
    """Prompts any text model with one user turn, rendered from a template.

    `{caption}`, `{question}`, `{choices}` (one lettered line each) and `{metadata.NAME}` (a column of the data that is
    used for nothing else, such as a table or a transcript) are replaced; other braces, such as those of \\boxed{}, are
    kept. For an example without images, the paragraph with `{caption}` is omitted, or only its line if
    the question is in the same paragraph. The reply is parsed like the policy's: last answer tag, else last box.
    """

    model: Annotated[Model, Option("the model: a hub id, a folder, or an id that an endpoint serves")]
    prompt: Annotated[str, Option("the user turn, with {caption}, {question}, {choices}, {metadata.NAME}")] = (
        "Image description:\n{caption}\n\n{question}\n{choices}\n\n" + ANSWER
    )
    system: Annotated[str, Option("the system turn; empty for none")] = ""
    think_tag: Annotated[str, Option("name of the reasoning tag in the reply")] = "think"
    answer_tag: Annotated[str, Option("name of the answer tag in the reply")] = "answer"
    k: Samples = 4
    temperature: Temperature = 0.7
    top_p: TopP = 0.95
    max_tokens: MaxTokens = 2048
    seed: Seed = 0

    def __post_init__(self) -> None:
        needed = ["question", "caption"] if self.uses_caption else ["question"]
        for name in needed:
            if f"{{{name}}}" not in self.prompt:
                raise UsageError(
                    f"The prompt of a chat teacher has no {{{name}}}: {self.prompt[:60]!r}.",
                    f"Add {{{name}}} to it.",
                )

    @property
    def sampling(self) -> Sampling:
        return Sampling(
            n=self.k, temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens, seed=self.seed
        )

    def messages(self, example: Example, caption: str | None) -> list[Message]:
        system = [Message.system(self.system)] if self.system else []
        images = () if self.uses_caption else example.images
        return [*system, *conversation(example, self._render(example, caption), images)]

    def parse(self, completion: Completion) -> Trace:
        if completion.finish_reason == "length":
            raise Reject("cut by the token limit")
        return parse_reply(completion, Format(think=self.think_tag, answer=self.answer_tag))

    def _render(self, example: Example, caption: str | None) -> str:
        """Replace all placeholders in one pass, so that braces in a question or caption are kept."""
        prompt = self.prompt if caption is not None else _without_caption(self.prompt)
        values = {
            "caption": caption or "",
            "question": example.question,
            "choices": "\n".join(f"({chr(65 + index)}) {choice}" for index, choice in enumerate(example.choices)),
        }

        def value(found: re.Match[str]) -> str:
            kind, _, name = found[1].partition(".")
            if not name:
                return values[kind]
            if name not in example.metadata:
                raise Reject(f"there is no metadata '{name}'")
            return str(example.metadata[name])

        return _PLACEHOLDER.sub(value, prompt)


def _without_caption(prompt: str) -> str:
    paragraphs = [
        "\n".join(line for line in paragraph.split("\n") if "{caption}" not in line or "{question}" in line)
        for paragraph in prompt.split("\n\n")
        if "{caption}" not in paragraph or "{question}" in paragraph
    ]
    return "\n\n".join(paragraphs)


@dataclass(frozen=True)
class ChatVl(Chat):
    """Prompts any vision-language model with the images, then the text."""

    prompt: Annotated[str, Option("the user turn after the images, with {question} and {choices}")] = (
        "{question}\n{choices}\n\n" + ANSWER
    )

    uses_caption: ClassVar[bool] = False
