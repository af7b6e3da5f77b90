"""The options of ``openvlt bench`` that say how a model is asked, and what they mean."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from openvlt.cli.preparation import value_of
from openvlt.errors import UsageError

if TYPE_CHECKING:
    from openvlt.bench.models import NamedModel
    from openvlt.records import Sampling
    from openvlt.registry import Registry, Spec

SAMPLING = ("temperature", "top_p", "top_k", "presence_penalty", "repetition_penalty", "seed", "max_tokens")
"""Options that are fields of `Sampling`."""

_OPTIONS = (
    click.option("--decoding", metavar="NAME", help="A preset from a model card (docs/benchmarks.md), or a YAML file."),
    click.option("--temperature", type=float, help="0, the default, is greedy."),
    click.option("--top-p", type=float, help="Probability mass that tokens are drawn from."),
    click.option("--top-k", type=int, help="Number of tokens that one is drawn from."),
    click.option("--presence-penalty", type=float, help="Subtracted from the logits of tokens in the reply."),
    click.option("--repetition-penalty", type=float, help="Divides the logits of tokens in the prompt or the reply."),
    click.option("--seed", type=int, help="Seed of the samples; those of another seed are added to what is there."),
    click.option("--samples", type=int, help="Replies to each question, for avg@k, pass@k and a majority vote."),
    click.option("--max-tokens", type=int, help="Longest reply; 16,384 by default, where the context allows."),
    click.option(
        "--budgets", metavar="N,N,...", help="Score at each of these limits of tokens, from replies of the largest."
    ),
    click.option("--pixels", metavar="LOW-HIGH", help="Least and most pixels of an image."),
    click.option("--dtype", type=click.Choice(["auto", "float32", "bfloat16", "float16"]), help="Type of the weights."),
    click.option("--system", metavar="TEXT", help="System text, in place of the benchmark's."),
    click.option("--suffix", metavar="TEXT", help="Text added at the end of each prompt."),
    click.option("--extra-body", metavar="JSON", help="Further fields of each request to an endpoint."),
)
NAMES = ("decoding", *SAMPLING, "samples", "budgets", "pixels", "dtype", "system", "suffix", "extra_body")


def decoding_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def sampling_of_options(options: dict[str, Any], max_tokens: int | None = None) -> Sampling:
    """How to decode.

    Args:
        options: of the command.
        max_tokens: the limit unless an option or a preset has one.

    Raises:
        UsageError: a value is out of range, has no effect, or cannot be read.
    """
    from openvlt.bench import decoding

    given = {name: options[name] for name in SAMPLING if options[name] is not None}
    if options["samples"] is not None:
        given["n"] = options["samples"]
    if options["budgets"]:
        if "max_tokens" in given:
            raise UsageError("Both --max-tokens and --budgets are given.", "Give one: the largest budget is the limit.")
        *cuts, given["max_tokens"] = _budgets(options["budgets"])
        given["cuts"] = cuts
    if options["extra_body"] is not None:
        given["extra_body"] = _extra_body(options["extra_body"])
    return decoding.sampling_of(options["decoding"], given, max_tokens or decoding.MAX_TOKENS)


def backend_of(registry: Registry, text: str | None) -> Spec | None:
    """The backend that the command line names: a name, or YAML as in a recipe.

    Raises:
        PluginError, UsageError: there is no such backend, or its options are wrong.
    """
    from openvlt.interfaces import Backend

    spec: Spec | None = value_of(text)
    if spec is not None:
        registry.build(Backend, spec, where="--backend")
    return spec


def named_model(found: NamedModel, options: dict[str, Any], sampling: Sampling) -> NamedModel:
    """The model with its dtype and pixels.

    Raises:
        UsageError: an option has no effect on this model, or cannot be read.
    """
    from dataclasses import replace

    model = found.model
    if model.url and options["dtype"]:
        raise UsageError("--dtype has no effect on an endpoint.", "Set it where the server is started.")
    if model.url and sampling.cuts:
        raise UsageError(
            "--budgets needs the tokens of the replies, which endpoints do not send.",
            "Run the model here, or once with each --max-tokens.",
        )
    if sampling.extra_body and not model.url:
        raise UsageError("--extra-body has no effect without an endpoint.", "Remove it, or give --url.")
    changes: dict[str, Any] = {}
    if options["dtype"]:
        changes["dtype"] = options["dtype"]
    if options["pixels"]:
        changes["pixels"] = _pixels(options["pixels"])
    return replace(found, model=replace(model, **changes))


def _budgets(text: str) -> list[int]:
    parts = text.split(",")
    if not all(re.fullmatch(r"\s*[1-9]\d*\s*", part) for part in parts) or len(set(map(int, parts))) < 2:
        raise UsageError(f"--budgets is '{text}'.", "Give two or more numbers of tokens, such as 2048,8192,32768.")
    return sorted(set(map(int, parts)))


def _pixels(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d*)-([1-9]\d*)", text)
    if found is None or int(found[1]) > int(found[2]):
        raise UsageError(f"--pixels is '{text}'.", "Give the least and the most, such as 3136-1003520.")
    return int(found[1]), int(found[2])


def _extra_body(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--extra-body is no JSON: {error}.", "Quote it.") from error
    if not isinstance(found, dict):
        raise UsageError(f"--extra-body is '{text}'.", """Give an object, such as '{"min_p": 0.05}'.""")
    return found
