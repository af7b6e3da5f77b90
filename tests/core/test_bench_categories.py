"""Which questions a limit leaves."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, strategies as st

from openvlt.bench.categories import chosen_evenly
from openvlt.records import Example, Rejected

KINDS = st.sampled_from(["a", "b", "c", None])


@given(st.lists(KINDS, max_size=40), st.integers(0, 5), st.integers(1, 50), st.randoms(use_true_random=False))
def test_a_limit_is_even_full_and_the_same_in_any_order(kinds, lost, limit, random) -> None:  # type: ignore[no-untyped-def]
    examples = [Example(id=str(n), question="?", answer="", metadata={"kind": kind}) for n, kind in enumerate(kinds)]
    broken = [Rejected(id=f"lost {n}", reason="broken") for n in range(lost)]
    chosen = chosen_evenly(examples, broken, limit, ["kind"])
    assert len(chosen) == min(limit, len(examples) + lost)
    random.shuffle(examples)
    assert chosen_evenly(examples, broken, limit, ["kind"]) == chosen
    sizes, taken = Counter(kinds), Counter(each.metadata["kind"] for each in examples if each.id in chosen)
    most = max(taken.values(), default=0)
    assert all(taken[kind] >= min(size, most - 1) for kind, size in sizes.items())
    assert chosen <= chosen_evenly(examples, broken, limit + 1, ["kind"])
