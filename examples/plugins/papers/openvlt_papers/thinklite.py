"""ThinkLite-VL (arXiv 2504.07934): GRPO on the questions that take the policy many attempts. RL alone.

The paper searches with MCTS and keeps what takes more than 5 iterations, or is not solved in 50. Here the
share of right samples of the policy is that fact: an example is kept if it takes over `attempts` samples on average, or
if none was right. Raise the option k of the teacher `policy` to tell hard from unsolved.
Left out: the tree search; the filter of questions that are solved without the image.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge

from openvlt import Drop, Example, ExampleFilter, Keep, Option


@dataclass(frozen=True)
class ThinkLite(ExampleFilter):
    """Keeps examples that the policy solves seldom or never."""

    needs: ClassVar[tuple[str, ...]] = ("pass_rate",)

    attempts: Annotated[
        float, Ge(1), Option("samples until a right one, on average, above which an example is kept")
    ] = 5.0
    unsolved: Annotated[bool, Option("whether examples without a right sample are kept")] = True

    def decide(
        self, examples: Iterable[Example], facts: Mapping[str, Mapping[str, float]]
    ) -> Iterator[Keep | tuple[Example, Drop]]:
        for example in examples:
            rate = facts["pass_rate"].get(example.id)
            if rate is None:
                yield example, Drop("its pass rate is unknown")
            elif rate == 0 and not self.unsolved:
                yield example, Drop("never solved")
            elif rate * self.attempts >= 1:
                yield example, Drop("too easy")
            else:
                yield Keep(example)
