"""Parses the YAML of a recipe, with the line of each key."""

from __future__ import annotations

from typing import Any

import yaml

from openvlt.errors import UsageError
from openvlt.recipe.positions import Key


def parse(text: str, source: str) -> tuple[Any, dict[Key, int]]:
    """Parse YAML; what an alias repeats is a copy, so that changing one changes no other.

    Args:
        text: the YAML.
        source: where it is from, for messages.

    Returns:
        The value, and the line of each key, from 1.

    Raises:
        UsageError: a key is written twice, a value contains itself, or there is no such date.
        yaml.YAMLError: it is not YAML.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        lines: dict[Key, int] = {}
        _record_lines(node, (), lines, source, ())
        return _copied(loader.construct_document(node)) if node else None, lines
    except ValueError as error:  # such as a date that does not exist
        raise UsageError(f"{source}: a value cannot be read: {error}.", "Write text in quotes.") from error
    finally:
        loader.dispose()


def _record_lines(node: Any, at: Key, lines: dict[Key, int], source: str, around: tuple[Any, ...]) -> None:
    """Record the lines of a node's keys; `around` are the nodes that contain it."""
    if node in around:
        raise UsageError(f"{source}:{lines[at]}: '{_name(at)}' contains itself.", "Write its value out.")
    if isinstance(node, yaml.MappingNode):
        items = [
            (key.value, key.start_mark.line + 1, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)
        ]
    elif isinstance(node, yaml.SequenceNode):
        items = [(index, value.start_mark.line + 1, value) for index, value in enumerate(node.value)]
    else:
        return
    own: dict[str | int, int] = {}
    for step, line, value in items:
        if step in own:
            raise UsageError(
                f"{source}:{line}: the key '{_name((*at, step))}' is also on line {own[step]}.",
                "Remove one of the two, or rename it.",
            )
        own[step] = lines[(*at, step)] = line
        _record_lines(value, (*at, step), lines, source, (*around, node))


def _name(key: Key) -> str:
    return ".".join(map(str, key))


def _copied(value: Any) -> Any:
    """A copy that shares nothing, unlike that of ``copy.deepcopy``, which keeps aliases."""
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value
