"""Parses the YAML of a recipe or a benchmark, with the line of each key, within limits that no such file needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from openvlt.errors import UsageError
from openvlt.recipe.positions import Key

LARGEST = 100_000
"""Characters of a file; PyYAML takes about a second for as many."""
DEEPEST = 50
"""Levels of nesting; every level is a level of recursion here and in all that reads the value."""
MOST = 10_000
"""Values of a file once aliases are written out: nine lists of nine aliases each are a billion."""


def read_yaml(path: Path, what: str) -> tuple[Any, dict[Key, int]]:
    """Parse a file; see `parse`.

    Args:
        path: of the file.
        what: what it should be, such as ``recipe``, for messages.

    Raises:
        UsageError: it cannot be read, is not YAML, or is over a limit.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return parse(file.read(LARGEST + 1), str(path))
    except OSError as error:
        raise UsageError(f"The {what} file '{path}' cannot be read: {error.strerror}.", "Check the path.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: {error.reason}.", "Name a YAML file.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f"{path}:{mark.line + 1}" if mark else str(path)
        raise UsageError(f"{at}: this is not YAML: {problem_of(error)}.", "Fix the line.") from error


def problem_of(error: yaml.YAMLError) -> str:
    """What is wrong, in a line."""
    return str(getattr(error, "problem", None) or error).partition("\n")[0]


def parse(text: str, source: str) -> tuple[Any, dict[Key, int]]:
    """Parse YAML; what an alias repeats is a copy, so that changing one changes no other.

    Args:
        text: the YAML.
        source: where it is from, for messages.

    Returns:
        The value, which consists of text, numbers, dates, lists and mappings, and the line of each key, from 1.

    Raises:
        UsageError: a key is written twice, a value contains itself or is none of these, there is no such date, or the
            text is over a limit.
        yaml.YAMLError: it is not YAML.
    """
    if len(text) > LARGEST:
        raise UsageError(f"{source} has over {LARGEST:,} characters.", "Move what is that long into a file of data.")
    loader = _Loader(text)
    loader.source = source
    try:
        node = loader.get_single_node()
        lines: dict[Key, int] = {}
        _record_lines(node, (), lines, source, ())
        return _copied(loader.construct_document(node)) if node else None, lines
    except (ValueError, OverflowError) as error:  # such as a date that does not exist
        raise UsageError(f"{source}: a value cannot be read: {error}.", "Write text in quotes.") from error
    except (AttributeError, LookupError, TypeError) as error:  # PyYAML reads `!!int x` as if it were an int
        raise UsageError(f"{source}: a value is not what its tag (!!) says.", "Remove the tag.") from error
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """Composes no node below `DEEPEST`, and reads on, off, yes and no as words, as YAML does since its version 1.2."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # as PyYAML has it
        first: [(tag, form) for tag, form in known if first in "tTfF" or tag != "tag:yaml.org,2002:bool"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    source = ""
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.depth > DEEPEST:
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise UsageError(f"{self.source}:{line}: this is nested over {DEEPEST} levels deep.", "Flatten it.")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


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
        if len(lines) >= MOST:
            raise UsageError(f"{source}:{line}: there are over {MOST:,} values.", "Repeat less by aliases (*name).")
        own[step] = lines[(*at, step)] = line
        _record_lines(value, (*at, step), lines, source, (*around, node))


def _name(key: Key) -> str:
    return ".".join(map(str, key))


def _copied(value: Any) -> Any:
    """A copy that shares nothing, unlike that of ``copy.deepcopy``, which keeps aliases.

    Raises:
        ValueError: a value cannot be written as JSON.
    """
    if isinstance(value, dict):
        return {_copied(key): _copied(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_copied(each) for each in value]
    if isinstance(value, bytes | set | tuple):
        raise ValueError(f"a {type(value).__name__} is not a text, number, list or mapping")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError("a number has more than 64 bits")
    if isinstance(value, str) and ("\0" in value or not _is_text(value)):
        raise ValueError("a text contains a NUL character or half of a surrogate pair")
    return value


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
