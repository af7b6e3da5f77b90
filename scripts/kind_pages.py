"""Makes the pages on the kinds of components and on the register in docs/plugins: ``python scripts/kind_pages.py``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from inspect import cleandoc, signature
from pathlib import Path
from string import Template
from typing import Any

import yaml

import openvlt
from openvlt import hookspecs
from openvlt.interfaces import INTERFACES, Asking, Kind, Program
from openvlt.registry.registration import KIND_OF_HOOK

DOCS = Path(__file__).parents[1] / "docs" / "plugins"
SKELETON = Path(openvlt.__file__).parent / "cli" / "skeleton"
FURTHER: Mapping[Kind, tuple[type, ...]] = {
    "verifier": (openvlt.AnswerVerifier, openvlt.LookingVerifier, openvlt.AskingVerifier),
    "filter": (
        openvlt.Drop,
        openvlt.Keep,
        openvlt.LookingTraceFilter,
        openvlt.LookingExampleFilter,
        openvlt.AskingTraceFilter,
        openvlt.AskingExampleFilter,
    ),
}
EXAMPLES: Mapping[Kind, tuple[str, ...]] = {"filter": ("filter", "example-filter"), "verifier": ("verifier", "reward")}
HEAD = "<!-- Made by scripts/kind_pages.py; edit the docstrings, calls.yaml or the skeletons instead. -->\n"
LEGEND = """`openvlt check` looks at all of it. The last column says what ends by an exception; the message names plugin,
component, method, row and line.

- row: the row is rejected and counted, the stage goes on; so it does for `Reject("reason")`
- claim: the claim has no score, which is never a score of 0
- stage: the stage ends with an error
- plan: the command is refused before any work
"""


def methods(component: type) -> dict[str, Any]:
    """The public methods and properties that a class defines itself."""
    found = {name: value for name, value in vars(component).items() if not name.startswith("_")}
    return {name: value for name, value in found.items() if inspect.isfunction(value) or isinstance(value, property)}


def classes(kind: Kind) -> tuple[type, ...]:
    """The classes that a component of a kind may extend."""
    further = FURTHER.get(kind, ())
    shared = [
        base for base in (Program, Asking) if any(issubclass(each, base) for each in (*INTERFACES[kind], *further))
    ]
    return (*INTERFACES[kind], *shared, *further)


def page(kind: Kind, calls: Mapping[str, list[str]]) -> str:
    """The page of a kind."""
    hook = next(name for name, registered in KIND_OF_HOOK.items() if registered == kind)
    parts: list[str] = [
        HEAD,
        f"# {kind.capitalize()}\n",
        f"Hook: `{hook}(register)`. {cleandoc(getattr(hookspecs, hook).__doc__)}\n",
        LEGEND,
    ]
    for component in classes(kind):
        parts += [f"## `{component.__name__}`\n", f"```text\n{cleandoc(component.__doc__ or '')}\n```\n"]
        parts += _methods(component, calls)
    parts.append("## An example\n")
    for name in EXAMPLES.get(kind, (kind,)):
        parts.append(f"`openvlt new-plugin mine --kind {name}` writes it, with tests:\n")
        text = (SKELETON / f"{name}.py.txt").read_text(encoding="utf-8")
        module = Template(text).safe_substitute(class_name="Mine", module="openvlt_mine")
        parts.append(f"```python\n{module}```\n")
    return "\n".join(parts)


def _methods(component: type, calls: Mapping[str, list[str]]) -> Iterator[str]:
    for name, method in methods(component).items():
        when, where, often, exception = calls[f"{component.__name__}.{name}"]
        function = method.fget if isinstance(method, property) else method
        yield f"### `{name}`\n"
        shown = "property" if isinstance(method, property) else str(signature(method))
        yield f"```python\n{name}: {shown}\n```\n".replace(": (", "(", 1).replace("'", "")
        if function.__doc__:
            yield f"```text\n{cleandoc(function.__doc__)}\n```\n"
        yield "| when | where | how often | an exception |\n| --- | --- | --- | --- |"
        yield f"| {when} | {where} | {often} | {exception} |\n"


def register_page(plugins: list[Mapping[str, Any]]) -> str:
    """The page of the register."""
    lines = [HEAD, "# Plugins by others\n"]
    lines.append(cleandoc(_REGISTER) + "\n")
    lines += ["| plugin | kinds | repository | API | last check |", "| --- | --- | --- | --- | --- |"]
    for each in plugins:
        kinds, checked = ", ".join(each["kinds"]), f"{each['check']['outcome']} on {each['check']['date']}"
        lines.append(f"| `{each['name']}` | {kinds} | {each['repository']} | {each['api']} | {checked} |")
    return "\n".join([*lines, ""])


_REGISTER = """
`openvlt list-plugins --available` shows this list, which is `register.yaml`. To add a plugin, add an entry with the
outcome of `openvlt check NAME --json` to it and run `python scripts/kind_pages.py`. An entry says that its author's
checks passed, and nothing of what the plugin does: it is code, read it before you install it.
"""


def pages() -> dict[str, str]:
    """All pages by file name."""
    calls = yaml.safe_load((DOCS / "calls.yaml").read_text(encoding="utf-8"))
    plugins = yaml.safe_load((DOCS / "register.yaml").read_text(encoding="utf-8"))["plugins"]
    made = {f"{kind}.md": page(kind, calls) for kind in INTERFACES}
    return {**made, "register.md": register_page(plugins)}


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
