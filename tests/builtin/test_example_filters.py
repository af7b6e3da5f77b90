"""The example filters: what they keep, what they drop and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from openvlt import Example, ExampleFilter, Image, Keep, UsageError
from openvlt_plugins.example_filters.facts import Contamination, PassRate
from openvlt_plugins.example_filters.sampling import BalanceExamples, Dedup, Sample, SourceQuota

EXAMPLE = Example(id="0", question="what shape is present?", answer="circle", images=(Image("ab", 8, 8),))
Facts = Mapping[str, Mapping[str, float]]


def many(count: int, **fields: object) -> list[Example]:
    label = "/".join(str(value) for value in fields.values())
    return [replace(EXAMPLE, id=f"{label}{index}", **fields) for index in range(count)]  # type: ignore[arg-type]


def kept(filter: ExampleFilter, examples: Sequence[Example], facts: Facts | None = None) -> list[Example]:
    decisions = list(filter.decide(iter(examples), facts or {}))
    told = [decision.example if isinstance(decision, Keep) else decision[0] for decision in decisions]
    assert told == list(examples), "one decision an example, in order"
    return [decision.example for decision in decisions if isinstance(decision, Keep)]


def dropped(filter: ExampleFilter, examples: Sequence[Example], facts: Facts | None = None) -> dict[str, str]:
    decisions = filter.decide(iter(examples), facts or {})
    return {decision[0].id: decision[1].reason for decision in decisions if not isinstance(decision, Keep)}


def test_pass_rate_keeps_what_is_neither_too_hard_nor_too_easy() -> None:
    rows = [replace(EXAMPLE, id=name) for name in ("never", "half", "always", "unknown")]
    facts = {"pass_rate": {"never": 0.0, "half": 0.5, "always": 1.0}}
    assert [example.id for example in kept(PassRate(), rows, facts)] == ["half"]
    assert dropped(PassRate(), rows, facts) == {
        "never": "too hard", "always": "too easy", "unknown": "its pass rate is unknown",
    }  # fmt: skip
    assert [example.id for example in kept(PassRate(low=0, high=0.5), rows, facts)] == ["never", "half"]


@given(
    sizes=st.dictionaries(st.sampled_from("abc"), st.integers(1, 9), min_size=1),
    filter=st.one_of(
        st.builds(Sample, count=st.integers(1, 12)),
        st.builds(
            SourceQuota, count=st.integers(0, 5), by=st.just("kind"),
            quotas=st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9)),
        ),
        st.builds(BalanceExamples, by=st.just(("kind",)), total=st.none() | st.integers(1, 12)),
        st.just(Dedup()),
    ),
)  # fmt: skip
def test_no_filter_keeps_more_than_it_says(sizes: Mapping[str, int], filter: ExampleFilter) -> None:
    rows = [each for kind, size in sizes.items() for each in many(size, metadata={"kind": kind})]
    most = filter.keeps_at_most({"kind": sizes.keys()}.get)
    assert most is None or len(kept(filter, rows)) <= most
    assert (most is None) == (isinstance(filter, Dedup) or getattr(filter, "total", 1) is None)
    assert isinstance(filter, Sample | BalanceExamples) or filter.keeps_at_most(lambda key: None) is None


def test_contamination_drops_images_of_a_benchmark() -> None:
    rows = [EXAMPLE, replace(EXAMPLE, id="1", images=(Image("cd", 8, 8), Image("ef", 8, 8)))]
    assert dropped(Contamination(), rows, {"benchmark_images": {"ef": 1.0}}) == {"1": "image is in a benchmark"}


@pytest.mark.parametrize("filter", [PassRate(), Contamination()])
def test_a_missing_fact_is_an_error_and_not_a_filter_that_does_nothing(filter: ExampleFilter) -> None:
    with pytest.raises(UsageError, match="needs the fact"):
        kept(filter, [EXAMPLE])


def test_dedup_goes_by_question_choices_and_images() -> None:
    rows = [
        EXAMPLE,
        replace(EXAMPLE, id="spaced", question="What  shape is present?\n"),
        replace(EXAMPLE, id="image", images=(Image("cd", 8, 8),)),
        replace(EXAMPLE, id="choices", choices=("a", "b")),
    ]
    assert dropped(Dedup(), rows) == {"spaced": "duplicate"}


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 3))
def test_a_larger_sample_holds_the_smaller_one(small: int, more: int, seed: int) -> None:
    rows = many(25)
    fewer = kept(Sample(count=small, seed=seed), rows)
    assert len(fewer) == min(small, 25)
    larger = kept(Sample(count=small + more, seed=seed), rows)
    assert {example.id for example in fewer} <= {example.id for example in larger}


def test_the_seed_decides_the_sample() -> None:
    rows = many(50)
    assert kept(Sample(count=10), rows) == kept(Sample(count=10), rows)
    assert kept(Sample(count=10), rows) != kept(Sample(count=10, seed=1), rows)


def test_source_quota_counts_by_source_or_by_metadata() -> None:
    rows = many(5, source="a") + many(2, source="b") + many(5, source="c")
    found = Counter(example.source for example in kept(SourceQuota(count=3, quotas={"c": 0}), rows))
    assert found == {"a": 3, "b": 2}
    rows = many(4, metadata={"data_source": "GEOS"}) + many(4, metadata={"data_source": "MapQA"})
    found = Counter(str(e.metadata["data_source"]) for e in kept(SourceQuota(count=1, by="data_source"), rows))
    assert found == {"GEOS": 1, "MapQA": 1}


def test_balance_is_even_over_the_first_key_and_then_the_next() -> None:
    def cell(kind: str, answer: str, count: int) -> list[Example]:
        return many(count, answer=answer, metadata={"category": kind})

    rows = cell("yn", "Yes", 20) + cell("yn", "no", 20) + cell("shape", "circle", 8) + cell("shape", "line", 9)
    found = Counter(example.answer for example in kept(BalanceExamples(), rows))
    assert found == {"Yes": 8, "no": 8, "circle": 8, "line": 8}
    found = Counter(example.answer for example in kept(BalanceExamples(by=("answer",), ratio=None, total=40), rows))
    assert sorted(found.values()) == [8, 9, 11, 12]
    assert set(dropped(BalanceExamples(total=4), rows).values()) == {"enough of its category and answer"}
