"""The acceptance test of the tiny base: can it learn to reason from 300 of its teacher's traces, and then by GRPO?

    uv run python scripts/accept_tiny_vl.py --model tasks/openvlt_tasks/models/tiny_vl --grpo

SmolLM2 answers training questions from captions (cached under --work), traces with the right answer are kept and
balanced, the base is fine-tuned on them, and samples are drawn on the held-out dev questions. Passes if more than
95 % of the samples are well formed. `--grpo` goes on to reinforcement, `--again` to a second iteration in which the
policy is its own teacher.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import torch
from tiny_vl import easy
from tiny_vl.learn import fine_tune, load, reinforce
from tiny_vl.measure import direct_accuracy
from tiny_vl.traces import choose, from_policy, from_teacher, teacher_questions, thinking_accuracy
from transformers import AutoProcessor

LOG = logging.getLogger("accept_tiny_vl")


def report(name: str, folder: Path, size: int) -> dict[str, float]:
    """Prints how a model does on dev questions when it thinks, sampled and greedy; returns the sampled scores."""
    processor, model = AutoProcessor.from_pretrained(folder, trust_remote_code=False), load(folder).eval()
    questions = easy.balanced("dev", size, seed=0)
    sampled = thinking_accuracy(model, processor, questions, greedy=False)
    LOG.info("%s sampled %s", name, sampled)
    LOG.info("%s greedy  %s", name, thinking_accuracy(model, processor, questions, greedy=True))
    return sampled


def report_base(folder: Path, size: int) -> None:
    """Prints the blind baseline's and the base model's scores on the same dev questions."""
    questions, blind = easy.balanced("dev", size, seed=0), easy.blind_answers()
    guessed = sum(blind.get(question.text) == question.answer for question in questions) / len(questions)
    processor, model = AutoProcessor.from_pretrained(folder, trust_remote_code=False), load(folder).eval()
    LOG.info("blind %.3f, base direct %s", guessed, direct_accuracy(model, processor, questions))


def main() -> None:
    """Reads the options and runs the test; exits 1 if it fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("tasks/openvlt_tasks/models/tiny_vl"))
    parser.add_argument("--work", type=Path, default=Path(".work"), help="folder of caches and trained models")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--questions", type=int, default=400, help="for the teacher, 4 samples each")
    parser.add_argument("--traces", type=int, default=300, help="most traces to learn from")
    parser.add_argument("--epochs", type=float, default=8)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--dev", type=int, default=390, help="dev questions to score on, one to an image")
    parser.add_argument("--grpo", action="store_true", help="go on to reinforcement")
    parser.add_argument("--grpo-steps", type=int, default=70)
    parser.add_argument("--grpo-rate", type=float, default=2e-4)
    parser.add_argument("--again", action="store_true", help="then a second iteration, the policy as its own teacher")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)

    report_base(options.model, options.dev)
    questions = teacher_questions(options.questions, options.seed)
    samples = from_teacher(work / f"traces-{options.questions}.json", questions, 4)
    for iteration in (1, 2) if options.again else (1,):
        sft, grpo = work / f"sft-{iteration}", work / f"grpo-{iteration}"
        traces = choose(questions, samples, options.traces, options.seed)
        fine_tune(options.model, traces, sft, options.epochs, options.rate)
        scores = report(f"sft-{iteration}", sft, options.dev)
        if scores["formed"] <= 0.95:
            raise SystemExit("failed: 95 % of the samples or fewer are well formed")
        if not options.grpo:
            return
        balanced = easy.balanced("train", options.grpo_steps * 16, options.seed + iteration)
        reinforce(sft, balanced, grpo, options.grpo_steps, options.grpo_rate)
        report(f"grpo-{iteration}", grpo, options.dev)
        if iteration == 1 and options.again:
            questions = teacher_questions(options.questions, options.seed + 1)
            samples = from_policy(
                load(grpo).eval(), AutoProcessor.from_pretrained(grpo, trust_remote_code=False), questions, 4
            )


if __name__ == "__main__":
    main()
