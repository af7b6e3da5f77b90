"""What sources, captioners, teachers and all programs must keep."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from openvlt import results
from openvlt.errors import Reject, WrongResult
from openvlt.interfaces import Captioner, ImageReader, ProgramCaptioner, ProgramTeacher, Source, Teacher
from openvlt.records import Completion, Example, Image, Message, Rejected, Sampling, Trace
from openvlt.store import ImageStore, digest, encode
from openvlt.testing.findings import FAILED, Probe, of, typed
from openvlt.testing.material import Material, decoded, read

_REASONS = 20
"""Different reasons for which rows are rejected; with more of them nobody can count anything."""
_END = object()


def source(probe: Probe[Source], material: Material) -> None:
    """Rows of each split: examples that can be stored, with ids of their own, in the same order every time."""
    splits = probe.component.splits
    if not (isinstance(splits, tuple) and all(isinstance(split, str) and split for split in splits)):
        probe.wrong("claims", f"Its splits are {splits!r}.", "Let `splits` be a tuple of names.")
        return
    splits = splits or ("train",)  # none: whatever the data is called
    read_rows = {f"examples of the split '{split}'": _rows(split, material.rows) for split in splits}
    others = {
        "revision": of("revision", check=typed(str, "text")),
        "understood": of("understood", splits[0], 5, check=typed(Mapping, "a mapping")),
        "id_of an empty row": of("id_of", {}, check=typed(str, "text")),
    }
    for split in splits:
        others[f"size of '{split}'"] = of("size", split, check=results.check_size)
        others[f"published_size of '{split}'"] = of("published_size", split, check=results.check_size)
        others[f"size_at_most of '{split}'"] = of("size_at_most", split, check=results.check_size)
    others["values"] = of("values", "source", check=results.check_values)
    found = probe.laws({**others, **read_rows})
    for split, what in zip(splits, read_rows, strict=True):
        if isinstance(found[what], Rejected) and found[what] is not FAILED:
            problem = f"{what} raises Reject ({found[what].reason}), which ends them: all that follow are lost."
            probe.wrong("exceptions", problem, "Yield Rejected for a row: a generator cannot go on after an exception.")
        if found[what] is not FAILED and not isinstance(found[what], Rejected):
            _check_rows(probe, split, found[what], found[f"size of '{split}'"], material.rows)


def _rows(split: str, most: int) -> Callable[[Source], list[Any]]:
    def rows(source: Source) -> list[Any]:
        left, items = iter(source.examples(split)), list[Any]()
        while len(items) < most:
            try:
                item = next(left, _END)
            except Reject as reject:
                if inspect.isgenerator(left):
                    raise
                item = Rejected(id="", reason=str(reject.reason), transient=bool(reject.transient))
            if item is _END:
                break
            items.append(item)
        return [item if isinstance(item, Rejected) else _checked(item) for item in items]

    return rows


def _checked(item: Any) -> Any:
    """An example that can be stored, or why it is rejected, which is no fault of the source's."""
    try:
        return results.check_example(item)
    except Reject as reject:
        return Rejected(id=str(item.id), reason=reject.reason)


def _check_rows(probe: Probe[Source], split: str, rows: Sequence[Any], size: Any, most: int) -> None:
    where = f"in the split '{split}'"
    examples = [row for row in rows if isinstance(row, Example)]
    ids = [example.id for example in examples]
    if twice := next((id for id in ids if ids.count(id) > 1), None):
        probe.wrong("ids", f"The id '{twice}' occurs twice {where}.", "Give each example an id of its own.")
    if rows and not examples:
        probe.wrong("results", f"It rejects all rows {where}: {rows[0].reason}.", "Reject bad rows alone.")
    if len(rows) < most and isinstance(size, int) and size != len(examples):
        probe.wrong(
            "claims", f"`size` says {size} {where}, which has {len(examples)}.", "Return None if it is unknown."
        )
    reasons = {row.reason for row in rows if isinstance(row, Rejected)}
    if len(reasons) > _REASONS:
        probe.wrong(
            "results", f"{len(reasons)} different reasons reject rows {where}.", "Use one reason for one cause."
        )
    with TemporaryDirectory() as folder:
        store = ImageStore(Path(folder))
        for example in examples[:20]:
            kept = probe.call(f"an image of '{example.id}'", partial(_stored, store, example))
            if isinstance(kept, Rejected) and kept is not FAILED:
                probe.wrong("results", f"An image of '{example.id}' is refused: {kept.reason}.", "Check its file.")


def _stored(store: ImageStore, example: Example) -> list[Image]:
    return [store.add(image) for image in example.images]


@dataclass(frozen=True)
class MadeChat:
    """Replies by what it is sent: one of the replies, the same one to the same messages. See `openvlt.Chat`."""

    replies: Sequence[str]
    sample: int = 0
    read: ImageReader = read

    def __call__(self, messages: Sequence[Message], **changes: Any) -> Completion:
        prompt = results.check_messages(messages)
        unknown = set(changes) - {"model", *Sampling.__dataclass_fields__}
        if unknown:
            raise TypeError(f"there is no sampling parameter {sorted(unknown)[0]!r}")
        return Completion(text=self.replies[int(digest(prompt)[:8], 16) % len(self.replies)])


def captioner(probe: Probe[Captioner | ProgramCaptioner], material: Material) -> None:
    """Captions depend on the images alone, and are texts."""
    pictured = [example for example in material.examples if example.images]
    component = probe.component
    if isinstance(component, ProgramCaptioner):
        _program_captioner(probe, pictured)
        return
    calls: dict[str, Callable[[Any], Any]] = {"sampling": _sampling}
    caption, chat = typed(str, "a caption"), MadeChat(material.replies)
    for example in pictured:
        what = f"messages for the images of '{example.id}'"
        calls[what] = of("messages", example.images, check=results.check_messages)
        calls[f"run on the images of '{example.id}'"] = of("run", example.images, chat, check=caption)
    for what, reply in _replies(material):
        calls[what] = of("parse", reply, check=caption)
    with untouched(probe, pictured):
        found = probe.laws(calls)
    for example in pictured:
        asked = found[f"messages for the images of '{example.id}'"]
        if isinstance(asked, list) and not set(example.images) <= set(_images(asked)):
            probe.wrong("results", f"Its prompt for '{example.id}' lacks images.", "Put all images into the messages.")


def _sampling(each: Any) -> Sampling:
    return results.check_type(each.sampling, Sampling, "a Sampling")


def _replies(material: Material) -> list[tuple[str, Completion]]:
    named = [f"parse of reply {number}, {reply[:30]!r}" for number, reply in enumerate(material.replies)]
    return list(zip(named, (Completion(text=reply) for reply in material.replies), strict=True))


def _images(messages: Sequence[Message]) -> Iterator[Image]:
    return (part for message in messages for part in message.content if isinstance(part, Image))


@contextmanager
def untouched(probe: Probe[Any], examples: Sequence[Example]) -> Iterator[None]:
    """Check that the pictures of examples, which are shared, stay as they are; they are as before for what follows."""
    before = {image: read(image).tobytes() for example in examples for image in example.images}
    yield
    if any(read(image).tobytes() != content for image, content in before.items()):
        decoded.cache_clear()
        probe.wrong(
            "purity", "It changes the pictures it reads, which are shared.", "Copy a picture before changing it."
        )


def program(
    probe: Probe[Any],
    what: str,
    examples: Sequence[Example],
    rows: Sequence[Sequence[Any]],
    check: Callable[[Any], Any],
) -> None:
    """What a program makes of each row depends on that row alone.

    Args:
        probe: of the program.
        what: it makes, for messages.
        examples: whose images it may read.
        rows: the arguments of each call.
        check: of what a call returns.
    """

    def made(make: Callable[..., Any], row: Sequence[Any]) -> Any:
        try:
            return check(make(*row))
        except Reject as reject:
            return Rejected(id="", reason=str(reject.reason), transient=reject.transient)

    def values(order: int) -> list[Any]:
        with probe.component.open(read) as make:  # which may take long, so it is opened twice and not ten times
            results.check_callable(make)
            return [made(make, row) for row in rows[::order]][::order]

    probe.laws({"revision": of("revision", check=typed(str, "text"))})
    with untouched(probe, examples):
        forwards, backwards = (probe.call(what, partial(values, order)) for order in (1, -1))
    if FAILED not in (forwards, backwards) and forwards != backwards:
        probe.wrong("order", f"Its {what} depend on those before them.", "Keep nothing between rows.")


def _program_captioner(probe: Probe[Any], pictured: Sequence[Example]) -> None:
    calls = {f"subject of '{example.id}'": of("subject", example, check=_storable) for example in pictured}
    subjects = [found for found in probe.laws(calls).values() if not isinstance(found, Rejected)]
    caption = lambda text: text if text is None else results.check_type(text, str, "a caption")  # noqa: E731
    program(probe, "captions", pictured, [(subject,) for subject in subjects], caption)


def _storable(subject: Any) -> Any:
    """What a caption is made of, as it is a part of its key."""
    encode(subject)
    return subject


def teacher(probe: Probe[Teacher | ProgramTeacher], material: Material) -> None:
    """Prompts are messages, and a reply is a trace or is rejected; so is what a program writes."""
    component = probe.component
    captions = [
        (example, "A square." if component.uses_caption and example.images else None) for example in material.examples
    ]
    samples = probe.laws({"samples": _samples})["samples"]
    if isinstance(component, ProgramTeacher):
        chain = lambda found: None if found is None else trace(found)  # noqa: E731
        count = 1 if samples is FAILED else min(samples, 2)
        rows = [(example, caption, sample) for example, caption in captions for sample in range(count)]
        program(probe, "chains", material.examples, rows, chain)
        return
    calls: dict[str, Callable[[Any], Any]] = {"sampling": _sampling}
    for example, caption in captions:
        calls[f"messages for '{example.id}'"] = of("messages", example, caption, check=results.check_messages)
        calls[f"run on '{example.id}'"] = of("run", example, caption, MadeChat(material.replies), check=trace)
    for what, reply in _replies(material):
        calls[what] = of("parse", reply, check=trace)
    with untouched(probe, material.examples):
        found = probe.laws(calls)
    parsed = [found[what] for what in calls if what.startswith("parse") and found[what] is not FAILED]
    if parsed and all(isinstance(each, Rejected) for each in parsed):
        probe.wrong(
            "results", f"It rejects all {len(parsed)} replies: {parsed[0].reason}.",
            "Give check_teacher Material(replies=...) with a reply that it can read.",
        )  # fmt: skip


def _samples(each: Any) -> int:
    if not (type(each.samples) is int and each.samples >= 1):
        raise WrongResult(f"it asks for {each.samples!r} samples, not for 1 or more")
    return each.samples


def trace(found: Any) -> Trace:
    """A trace that can be stored."""
    made: Trace = results.check_made(found, Trace)
    return made
