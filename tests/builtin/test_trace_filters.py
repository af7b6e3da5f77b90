"""The trace filters: what they keep, what they drop and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, strategies as st

from openvlt import Drop, Example, Judged, Trace, TraceFilter, Verdict
from openvlt_plugins.trace_filters.balance import Balance
from openvlt_plugins.trace_filters.length import MaxWords, MinWords
from openvlt_plugins.trace_filters.reflection import TruncateReflection
from openvlt_plugins.trace_filters.selection import Correct, PerQuestion, Shortest, Unique

EXAMPLE = Example(id="1", question="what shape is present?", answer="circle", metadata={"category": "shape"})


def judged(think: str, *, correct: bool = True, answer: str = "circle") -> Judged:
    verdict = Verdict.correct() if correct else Verdict.incorrect()
    return Judged(trace=Trace(think=think, answer=answer, raw=think), verdicts={"answer": verdict})


def thoughts(chosen: Sequence[Judged] | Drop) -> list[str] | str:
    return chosen.reason if isinstance(chosen, Drop) else [one.trace.think for one in chosen]


def choose(filter: TraceFilter, *traces: Judged) -> list[str] | str:
    return thoughts(filter.choose(EXAMPLE, traces))


@given(
    counts=st.lists(st.integers(0, 4), min_size=1, max_size=8),
    filter=st.one_of(
        st.just(Correct()),
        st.builds(Shortest, rank=st.sampled_from([1, -2])),
        st.builds(PerQuestion, count=st.integers(1, 5)),
        st.builds(Balance, by=st.just(("answer",)), total=st.none() | st.integers(1, 12)),
    ),
)
def test_no_filter_keeps_more_than_it_says(counts: Sequence[int], filter: TraceFilter) -> None:
    rows = [(replace(EXAMPLE, id=str(row)), [judged(f"{n}") for n in range(count)]) for row, count in enumerate(counts)]
    kept = [0 if isinstance(chosen, Drop) else len(chosen) for _, chosen in filter.choose_all(rows)]
    most = filter.keeps_at_most(len(rows), max(counts))
    assert most is None or sum(kept) <= most
    if isinstance(filter, Shortest):
        assert most == len(rows)


def test_correct_keeps_what_was_found_correct() -> None:
    assert choose(Correct(), judged("a"), judged("b", correct=False), judged("c")) == ["a", "c"]
    assert choose(Correct(), judged("b", correct=False)) == "no correct trace"


def test_correct_can_ask_for_one_verifier() -> None:
    two = replace(judged("a"), verdicts={"loose": Verdict.correct(), "strict": Verdict.incorrect()})
    assert choose(Correct(verifier="loose"), two) == ["a"]
    assert choose(Correct(verifier="strict"), two) == "no correct trace"
    assert choose(Correct(verifier="absent"), two) == "no correct trace"


def test_shortest_ranks_the_correct_traces_alone() -> None:
    traces = (judged("one", correct=False), judged("a b c"), judged("a b"), judged("a b c d"))
    assert choose(Shortest(), *traces) == ["a b"]
    assert choose(Shortest(rank=2), *traces) == ["a b c"]
    assert choose(Shortest(rank=-1), *traces) == ["a b c d"]
    assert choose(Shortest(rank=-2), *traces) == ["a b c"]
    assert choose(Shortest(), traces[0]) == "no correct trace"


def test_shortest_takes_the_nearest_rank_there_is() -> None:
    assert choose(Shortest(rank=3), judged("a b"), judged("a")) == ["a b"]
    assert choose(Shortest(rank=-2), judged("a")) == ["a"]


def test_per_question_keeps_the_first() -> None:
    assert choose(PerQuestion(count=2), judged("a"), judged("b"), judged("c")) == ["a", "b"]


def test_unique_ignores_spacing_and_case_but_not_the_answer() -> None:
    traces = (judged("It is round."), judged("it is  round.\n"), judged("It is round.", answer="disc"))
    assert choose(Unique(), *traces) == ["It is round.", "It is round."]


def test_length_filters_count_words_and_say_their_limit() -> None:
    assert choose(MaxWords(limit=2), judged("a b"), judged("a b c")) == ["a b"]
    assert choose(MinWords(limit=3), judged("a b"), judged("a b c")) == ["a b c"]
    assert choose(MaxWords(limit=1), judged("a b")) == "every trace has more than 1 words"
    assert choose(MinWords(limit=3), judged("a b")) == "every trace has fewer than 3 words"


def test_reflection_is_cut_at_the_first_phrase_and_the_rest_stays() -> None:
    one = judged("The shape is round. But wait, is it? Wait, yes.")
    (kept,) = TruncateReflection(min_words=2).choose(EXAMPLE, [one])  # type: ignore[misc]
    assert kept.trace == replace(one.trace, think="The shape is round.")
    assert kept.verdicts == one.verdicts


def test_reflection_decisions() -> None:
    assert choose(TruncateReflection(), judged("They wait, then go.")) == ["They wait, then go."]
    assert choose(TruncateReflection(min_words=3), judged("Round. Wait, no.")) == (
        "fewer than 3 words before the first reflection"
    )
    assert choose(TruncateReflection(phrases=("Hmm",), min_words=1), judged("Round. Hmm. Wait, no.")) == ["Round."]


@given(st.lists(st.sampled_from(["round", "so", "Wait,", "But wait,", "But the question", "wait"]), max_size=30))
def test_truncation_leaves_a_phrase_free_beginning(words: list[str]) -> None:
    think = " ".join(words)
    filter = TruncateReflection(min_words=1)
    left = choose(filter, judged(think))
    if isinstance(left, list):
        assert think.startswith(left[0])
        assert not any(phrase in left[0] for phrase in filter.phrases)
        assert choose(filter, judged(left[0])) == left


def rows(**counts: int) -> list[tuple[Example, list[Judged]]]:
    """`kind_answer=n` gives n examples of that kind and answer, one trace each."""
    return [
        (
            replace(EXAMPLE, id=f"{name}{index}", answer=name.split("_")[1], metadata={"category": name.split("_")[0]}),
            [judged(name)],
        )
        for name, count in counts.items()
        for index in range(count)
    ]


def kept(filter: Balance, given_rows: list[tuple[Example, list[Judged]]]) -> Counter[str]:
    decided = list(filter.choose_all(given_rows))
    assert [example for example, _ in decided] == [example for example, _ in given_rows]
    return Counter(one.trace.think for _, chosen in decided if not isinstance(chosen, Drop) for one in chosen)


def test_balance_caps_cells_to_the_smallest_times_the_ratio() -> None:
    given_rows = rows(yn_yes=10, yn_no=4)
    assert kept(Balance(by=("answer",)), given_rows) == {"yn_yes": 4, "yn_no": 4}
    assert kept(Balance(by=("answer",), ratio=1.5), given_rows) == {"yn_yes": 6, "yn_no": 4}


def test_balance_is_even_over_kinds_first_and_over_answers_within() -> None:
    given_rows = rows(yn_yes=30, yn_no=50, shape_circle=20, shape_square=20, shape_line=20)
    assert kept(Balance(ratio=None, total=60), given_rows) == {
        "yn_yes": 15, "yn_no": 15, "shape_circle": 10, "shape_square": 10, "shape_line": 10,
    }  # fmt: skip


def test_what_a_small_cell_lacks_goes_to_the_others() -> None:
    given_rows = rows(yn_yes=5, yn_no=50, shape_circle=10)
    assert kept(Balance(ratio=None, total=40), given_rows) == {"yn_yes": 5, "yn_no": 25, "shape_circle": 10}


def test_balance_takes_first_traces_before_second_ones_and_is_deterministic() -> None:
    two_each = [(example, [judged("first"), judged("second")]) for example, _ in rows(yn_yes=3, yn_no=6)]
    filter = Balance(by=("category",), total=12)
    assert kept(filter, two_each) == {"first": 9, "second": 3}
    assert list(filter.choose_all(two_each)) == list(filter.choose_all(two_each))
    other = Balance(by=("category",), total=12, seed=1)
    assert list(filter.choose_all(two_each)) != list(other.choose_all(two_each))


@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=6),
    st.integers(0, 60),
    st.none() | st.floats(1, 4),
)
def test_balance_never_exceeds_its_total_or_ratio(sizes: list[int], total: int, ratio: float | None) -> None:
    given_rows = rows(**{f"kind_{index}": size for index, size in enumerate(sizes)})
    counts = kept(Balance(by=("answer",), total=total, ratio=ratio), given_rows)
    assert sum(counts.values()) <= total
    if ratio is None:
        assert sum(counts.values()) == min(total, sum(sizes))
    else:
        assert all(count <= ratio * min(sizes) for count in counts.values())
