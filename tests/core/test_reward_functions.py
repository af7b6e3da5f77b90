"""The verifiers as functions of other trainers, and one training step of TRL."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import openvlt
from openvlt import UsageError
from openvlt.errors import OpenvltError


def tagged(answer: str) -> str:
    return f"<think>so</think><answer>{answer}</answer>"


class Letters:
    """A tokenizer of code points."""

    def decode(self, ids: list[int], **_: Any) -> str:
        return "".join(map(chr, ids))


@pytest.mark.parametrize(
    "completion",
    [
        tagged("0.5"),
        [{"role": "assistant", "content": tagged("0.5")}],
        [{"role": "assistant", "content": [{"type": "text", "text": tagged("0.5")}]}],
        [ord(letter) for letter in tagged("0.5")],
    ],
)
def test_reads_text_chat_and_token_ids(completion: Any) -> None:
    reward = openvlt.reward("answer", tokenizer=Letters())
    assert reward(prompts=["?"], completions=[completion], answer=["1/2"]) == [1.0]


def test_columns_of_the_dataset_say_what_is_known() -> None:
    reward = openvlt.reward({"answer": 1.0, "format": 0.5})
    rewards = reward(
        prompts=["a", "b", "c", "d"],
        completions=[tagged("B"), tagged("1.24"), tagged("1.24"), "1.24"],
        solution=["blue", "1.2", "1.2", "1.2"],
        choices=[["red", "blue"], None, None, None],
        precision=[None, 1.0, None, 1],
        answer_type=["choice", "float", "float", "float"],
    )
    assert rewards == [1.5, 1.5, 0.5, 0.0]


def test_a_gold_may_be_a_list_or_an_object() -> None:
    rewards = openvlt.reward("answer")(
        completions=[tagged("[1, 2, 3, 4]"), tagged("[1, 2, 3, 4]"), tagged("it's")],
        answer=[{"bbox_2d": [1, 2, 3, 4]}, np.array([1, 2, 3, 9]), ["it's", "that"]],
        answer_type=["box", "box", "ocr"],
    )
    assert rewards == [1.0, 0.0, 1.0]


def test_logs_components_and_skips_what_cannot_be_scored() -> None:
    metrics: dict[str, float] = {}
    reward = openvlt.reward({"answer": 1.0, "format": 0.1})
    rewards = reward(
        prompts=["a", "b"],
        completions=[tagged("7"), tagged("7")],
        answer=["7", "\\frac{1}{"],
        log_metric=metrics.__setitem__,
        log_extra=lambda name, values: None,
    )
    assert rewards == [pytest.approx(1.1), None]
    assert metrics["answer/mean"] == 1.0
    assert (metrics["answer/correct"], metrics["answer/bad_gold"]) == (0.5, 0.5)


def test_only_completions_of_one_prompt_are_a_group() -> None:
    reward = openvlt.reward({"answer": 0.0, "length": 1.0})
    completions, gold = [tagged("7"), tagged("the number 7")], ["7", "7"]
    assert reward(prompts=["?", "?"], completions=completions, answer=gold) == [0.5, -0.5]
    assert reward(prompts=["a", "b"], completions=completions, answer=gold) == [0.0, 0.0]
    assert reward(completions=completions, answer=gold) == [0.0, 0.0]


def test_a_missing_gold_column_is_told() -> None:
    with pytest.raises(UsageError, match="gold answer"):
        openvlt.reward("answer")(prompts=["?"], completions=["7"], label=["7"])


def test_can_be_pickled_and_has_a_name() -> None:
    reward = openvlt.reward({"answer": 1.0, "yes-no": 0.0})
    assert reward.__name__ == "openvlt_answer_yes_no"
    copy = pickle.loads(pickle.dumps(reward))  # noqa: S301 (what spawned trainers do)
    assert copy(completions=[tagged("yes")], answer=["Yes"]) == [1.0]


def test_signatures_of_verl_and_easyr1() -> None:
    assert openvlt.compute_score("geo3k", tagged("0.5"), "1/2", {"answer_type": "float"}) == {
        "score": 1.0,
        "accuracy": 1.0,
        "format": 1.0,
        "unscored": 0.0,
    }
    rows = [{"response": tagged("4"), "response_length": 9, "ground_truth": "5"}]
    [batch] = openvlt.compute_score(rows, format_weight=0.1)
    assert batch["overall"] == pytest.approx(0.1)
    assert openvlt.compute_score(rows[0])["accuracy"] == 0.0
    assert openvlt.compute_score(None, tagged("4"), "\\frac{1}{")["unscored"] == 1.0


@pytest.mark.slow
def test_trl_leaves_out_a_row_whose_gold_cannot_be_read(tmp_path: Path) -> None:
    """One step of GRPO: where one gold cannot be read, its rows have advantage 0 although `format` is on."""
    from datasets import Dataset
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    words = ["<pad>", "<eos>", "<unk>", *"abcdefgh"]
    model_of_words = models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>")
    text = Tokenizer(model_of_words)
    text.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=text, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", padding_side="left"
    )
    config = Qwen2Config(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        pad_token_id=0,
        eos_token_id=1,
    )
    composite = openvlt.reward({"answer": 1.0, "format": 0.1})
    answers = iter(["7", "8", "7", "9"] * 8)

    def scripted(prompts: list[Any], completions: list[Any], **columns: Any) -> list[float | None]:
        """What an untrained model cannot write, in its place."""
        return composite(prompts=prompts, completions=[tagged(next(answers)) for _ in completions], **columns)

    seen: list[Any] = []

    class Watched(GRPOTrainer):  # type: ignore[misc]
        def _generate_and_score_completions(self, inputs: Any) -> Any:
            output = super()._generate_and_score_completions(inputs)
            seen.append(output["advantages"].tolist())
            return output

    trainer = Watched(
        model=Qwen2ForCausalLM(config),
        processing_class=tokenizer,
        reward_funcs=scripted,
        train_dataset=Dataset.from_list([{"prompt": "a b", "answer": "7"}, {"prompt": "c d", "answer": "\\frac{1}{"}]),
        args=GRPOConfig(
            output_dir=str(tmp_path),
            per_device_train_batch_size=8,
            num_generations=4,
            max_completion_length=4,
            max_steps=1,
            bf16=False,
            gradient_checkpointing=False,
            use_cpu=True,
            report_to=[],
            shuffle_dataset=False,
            save_strategy="no",
            disable_tqdm=True,
        ),
    )
    trainer.train()
    [advantages] = seen
    assert advantages[4:] == [0.0] * 4
    assert advantages[0] > 0 > advantages[1]
    assert advantages[0] == pytest.approx(advantages[2])


def test_scoring_imports_nothing_heavy() -> None:
    """Somebody else's trainer brings its own torch, and the base installation has none."""
    script = (
        "import sys, openvlt\n"
        "assert openvlt.reward('answer')(completions=['<answer>7</answer>'], answer=['7']) == [1.0]\n"
        "assert openvlt.compute_score('geo3k', '<answer>7</answer>', '7')['accuracy'] == 1.0\n"
        "print(*{'torch', 'transformers', 'datasets', 'pyarrow', 'trl'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("gold", [["7"], "7"])
def test_a_gold_column_of_another_length_is_named(gold: object) -> None:
    with pytest.raises(UsageError, match="'answer' has no gold answer for each of the 2 completions"):
        openvlt.reward("answer")(completions=["7", "8"], answer=gold)


@pytest.mark.parametrize(
    ("verifiers", "options", "message"),
    [
        ({"anwser": 1}, {}, "openvlt.reward: There is no verifier 'anwser'. Did you mean 'answer'?"),
        ("anwser", {}, "There is no verifier 'anwser'. Did you mean 'answer'?"),
        ({"mine": 1}, {"specs": {"mine": "anwser"}}, "There is no verifier 'anwser'. Did you mean 'answer'?"),
        ({"answer": 1}, {"routes": {"charts": {"fromat": 1}}}, "There is no verifier 'fromat'. Did you mean 'format'?"),
        ({"answer": 1}, {"specs": {"answer": {"use": "answer", "unit": "require"}}}, "has no option 'unit'. Did you mean"),
        ({"answer": "much"}, {}, "The weight of 'answer' is 'much'. Give a number"),
        ({"answer": 1, "format": {"weight": 1, "when": "answr.unparsed"}}, {}, "Did you mean 'answer'?"),
        ({"answer": 1, "format": {"weight": 1, "when": "answer.unpased"}}, {}, "Did you mean 'unparsed'?"),
        ({"answer": 1}, {"plugins": ["nothing.py"]}, "nothing.py"),
    ],
)  # fmt: skip
def test_a_mistake_is_an_error_when_the_function_is_made(verifiers: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OpenvltError) as error:
        openvlt.reward(verifiers, **options)
    assert message in str(error.value)


def test_no_verifier_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="no verifier"):
        openvlt.reward({})
