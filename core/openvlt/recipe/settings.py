"""Sets single keys of a recipe, as ``--set`` asks."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import yaml

from openvlt.errors import UsageError, closest
from openvlt.recipe.mistakes import did_you_mean, paths_of
from openvlt.recipe.overlaying import ITERATION_KEYS
from openvlt.recipe.parsing import parse
from openvlt.recipe.positions import Key, split
from openvlt.recipe.schema import Phase
from openvlt.recipe.short_forms import written_out

_COMPONENTS = ("verifiers", "facts")
"""Keys of a recipe that describe components by name; one that is called as its component may be left out."""


class Setting:
    """One ``a.b=c`` of the command line; the value is YAML.

    ``train.sft.epochs`` sets an option of the phase's trainer, as a phase has no such key itself. A verifier or a fact
    that the recipe does not describe is the component of its name.

    Raises:
        UsageError: there is no value, or it is not YAML.
    """

    def __init__(self, text: str) -> None:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {text} has no value.", "Write --set a.b=c, such as --set seed=1.")
        try:
            self.value, _ = parse(value, f"--set {text}")
        except yaml.YAMLError as error:
            raise UsageError(
                f"--set {text}: the value is not YAML.", "Quote it, such as --set a.b='[1, 2]'."
            ) from error
        self.text = text
        self.key = _with_trainer(split(key))

    @property
    def is_count(self) -> bool:
        """Whether it is a number of iterations, as the option ``--iterations`` is."""
        return self.key == ("iterations",) and type(self.value) is int and self.value >= 1

    def apply(self, tree: dict[str, Any]) -> None:
        """Set the key; one of `traces` or `train` in every iteration that has the block or the phase.

        Raises:
            UsageError: the key does not exist, or no iteration has the block or the phase.
        """
        for home in self._homes(tree):
            self._name_component(home)
            at = home
            for step in self.key[:-1]:
                at = _descend(at, step, self.text)
            last = self.key[-1]
            at[_index(at, last, self.text) if isinstance(at, list) else str(last)] = copy.deepcopy(self.value)

    def _name_component(self, tree: dict[str, Any]) -> None:
        if self.key[0] not in _COMPONENTS or len(self.key) < 3:
            return
        block, name = map(str, self.key[:2])
        if isinstance(described := tree.setdefault(block, {}), dict):
            described.setdefault(name, {"use": name})

    def _homes(self, tree: dict[str, Any]) -> Sequence[Any]:
        block, phase = self.key[0], self.key[1:2]
        if block not in ITERATION_KEYS:
            return [tree]
        homes = [each for each in tree["iterations"] if isinstance(each, dict) and isinstance(each.get(block), dict)]
        if not homes:
            raise UsageError(f"--set {self.text}: no iteration has '{block}'.", f"Add '{block}' to the recipe.")
        if block != "train" or not phase:
            return homes
        phases = {name for each in homes for name, keys in each["train"].items() if keys is not None}
        if phase[0] not in phases:
            raise UsageError(
                f"--set {self.text}: no iteration has a phase '{phase[0]}'.",
                did_you_mean([path for path in paths_of(str(phase[0]), tree) if path.startswith("train.")])
                or closest(str(phase[0]), sorted(map(str, phases))),
            )
        return [each for each in homes if each["train"].get(phase[0]) is not None]


def _with_trainer(steps: Key) -> Key:
    at = 2 if steps[:1] == ("iterations",) else 0
    phase, option = at + 2, steps[at + 2 : at + 3]
    if steps[at : at + 1] == ("train",) and option and option[0] not in Phase.model_fields:
        return (*steps[:phase], "trainer", *steps[phase:])
    return steps


def _descend(at: Any, step: str | int, setting: str) -> Any:
    if isinstance(at, list):
        step = _index(at, step, setting)
        below = at[step] = written_out(step, at[step])
    else:
        below = at[step] = written_out(step, at.get(step, {}))
    if not isinstance(below, dict | list):
        raise UsageError(f"--set {setting}: '{step}' is a value and has no keys.", "Set it as a whole.")
    return below


def _index(at: list[Any], step: str | int, setting: str) -> int:
    if not at:
        raise UsageError(f"--set {setting}: there is no '{step}', the list is empty.", "Set the list as a whole.")
    if not isinstance(step, int) or step >= len(at):
        raise UsageError(
            f"--set {setting}: '{step}' must be a number below {len(at)}.", "Lists count from 0, such as iterations.0."
        )
    return step
