"""What backends must keep: the contract that the built-in engines are tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from openvlt import results
from openvlt.interfaces import Backend, CountingEngine, Engine, Request
from openvlt.records import Completion, Image, Message, Rejected, Sampling
from openvlt.store import digest
from openvlt.testing.findings import FAILED, Probe
from openvlt.testing.material import COLOURS, Material, image, read

GREEDY = Sampling(max_tokens=12)
WARM = Sampling(max_tokens=12, temperature=1.0, top_p=0.95)
_KEPT = 0.9
"""Share of equal replies that is enough where a backend does not claim equal bytes."""
_CAPABILITIES = {"images", "samples", "seeds"}


def request(*content: str | Image, samples: tuple[int, ...] = (0,), system: str = "") -> Request:
    """A request of one user turn, keyed by what it asks, as the core does."""
    messages = (*([Message.system(system)] if system else []), Message.user(*content))
    return Request(messages, digest(messages), samples)


def requests(samples: tuple[int, ...] = (0,), *, images: bool = True) -> list[Request]:
    """Four requests: with one image, with two, with none, short and long."""
    red, blue = ((image(colour),) if images else (colour,) for colour in ("red", "blue"))
    return [
        request(*red, "Is it red?", samples=samples),
        request(*red, "or", *blue, "What differs?", samples=samples),
        request("What shape?", system="Answer.", samples=samples),
        request("Think " + "really " * 9 + "hard.", samples=samples),
    ]


def backend(probe: Probe[Backend], material: Material) -> None:
    """Replies in the order of the requests, one for each sample, that depend on nothing else."""
    component = probe.component
    if not set(component.capabilities) <= _CAPABILITIES:
        probe.wrong("claims", f"Its capabilities are {sorted(component.capabilities)}.", "Use images, samples, seeds.")
    if not (component.chunk >= 1 and component.parallel >= 1):
        probe.wrong("claims", "Its chunk or parallel is below 1.", "Let both be 1 or more.")
    probe.call("knows", lambda: results.check_type(component.knows(material.the_model()), bool, "True or False"))
    opened: Any = None

    def run() -> None:
        nonlocal opened
        with component.open(material.the_model(), read) as opened:
            Contract(probe, opened).check()

    probe.call("open", run)


class Contract:
    """What holds for an open engine.

    Args:
        probe: of the backend.
        engine: it opened.
    """

    def __init__(self, probe: Probe[Backend], engine: Engine) -> None:
        self.probe, self.engine, self.backend = probe, engine, probe.component
        self.sees = "images" in self.backend.capabilities

    def check(self) -> None:
        """Check all of it."""
        self._check_order()
        self._check_samples()
        self._check_limits()
        if isinstance(self.engine, CountingEngine):
            counts = self.engine.counts
            self.probe.call("counts", lambda: results.check_figures(counts()))

    def texts(self, what: str, asked: Sequence[Request], sampling: Sampling) -> list[list[str]] | None:
        """The texts of all replies; None where that is a finding already."""
        replies = self._replies(what, asked, sampling)
        if replies is None:
            return None
        if refused := [each for each in replies if isinstance(each, Rejected)]:
            self.probe.wrong("results", f"{what}: it rejects a plain request: {refused[0].reason}.", "Answer it.")
            return None
        return [[completion.text for completion in reply] for reply in replies if not isinstance(reply, Rejected)]

    def _replies(
        self, what: str, asked: Sequence[Request], sampling: Sampling
    ) -> list[Sequence[Completion] | Rejected] | None:
        samples = [len(each.samples) for each in asked]
        found = self.probe.call(what, lambda: results.check_replies(self.engine.generate(asked, sampling), samples))
        return None if found is FAILED or isinstance(found, Rejected) else found

    def _check_order(self) -> None:
        asked = requests(images=self.sees)
        together = self.texts("generate", asked, GREEDY)
        alone = [self.texts("generate", [one], GREEDY) for one in asked]
        least = 1.0 if self.backend.deterministic else 0.75
        if together and _share(together, [one[0] if one else [""] for one in alone]) < least:
            self.probe.wrong("order", "A request gets another reply among others than alone.", "Reply in their order.")
        self.texts("generate of nothing", [], GREEDY)
        if self.sees:
            seen = self.texts("generate", [request(image(each), "What colour is it?") for each in COLOURS], GREEDY)
            if seen and len({text for (text,) in seen}) == 1:
                self.probe.wrong(
                    "claims", "It says the same of four different images.", "Remove 'images', or read them."
                )

    def _check_samples(self) -> None:
        first, more, rest = (0, 1), (0, 1, 2, 3), (2, 3)
        few = self.texts("generate of 2 samples", requests(first, images=self.sees), WARM)
        if self.backend.deterministic:
            again = self.texts("generate of 2 samples", requests(first, images=self.sees), WARM)
            if few != again:
                self.probe.wrong("determinism", "The same chunk gives other bytes, but deterministic is True.",
                                 "Seed each sample by its key and index, or remove `deterministic`.")  # fmt: skip
        if "seeds" not in self.backend.capabilities:
            return
        many = self.texts("generate of 4 samples", requests(more, images=self.sees), WARM)
        others = self.texts("generate of samples 2 and 3", requests(rest, images=self.sees), WARM)
        if few and many and others:
            parts = [a + b for a, b in zip(few, others, strict=True)]
            if _share(parts, many) < (1.0 if self.backend.deterministic else _KEPT):
                self.probe.wrong("claims", "Other samples of a prompt change those that it had, but it claims seeds.",
                                 "Seed each sample by its request's key and index.")  # fmt: skip
        seeded = self.texts("generate with another seed", requests(first, images=self.sees), replace(WARM, seed=1))
        if few and seeded == few:
            self.probe.wrong(
                "claims", "Another seed gives the same replies, but it claims seeds.", "Use sampling.seed."
            )

    def _check_limits(self) -> None:
        asked = requests((0, 1), images=self.sees)
        replies = self._replies("generate of at most 8 tokens", asked, replace(WARM, max_tokens=8)) or []
        for each in (one for reply in replies if not isinstance(reply, Rejected) for one in reply):
            if each.completion_tokens > 8:
                self.probe.wrong(
                    "results", f"A reply has {each.completion_tokens} tokens of at most 8.", "End it there."
                )
            if each.finish_reason == "length" and each.completion_tokens < 8:
                self.probe.wrong("results", "A reply of fewer tokens than allowed says it was cut off.", "Say 'stop'.")
        for one in requests(images=self.sees):
            whole = self.texts("generate", [one], GREEDY)
            cut = whole[0][0][1:3] if whole else ""
            if not (len(cut) == 2 and cut.isascii() and cut.isprintable()):
                continue
            stopped = self.texts("generate with a stop string", [one], replace(GREEDY, stop=("never said", cut)))
            if whole and stopped and stopped[0][0] != whole[0][0][: whole[0][0].find(cut)]:
                self.probe.wrong("results", "A stop string does not end a reply.", "End the text before it.")


def _share(ones: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> float:
    pairs = [(a, b) for x, y in zip(ones, others, strict=True) for a, b in zip(x, y, strict=True)]
    return sum(a == b for a, b in pairs) / len(pairs) if pairs else 1.0
