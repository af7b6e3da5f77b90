"""``openvlt new-plugin``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

import click

from openvlt.errors import UsageError

# path in the new folder, to file of the skeleton
_FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "readme.md.txt",
    "LICENSE": "license.txt",
    ".github/workflows/test.yml": "ci.yml.txt",
    "src/$module/__init__.py": "hooks.py.txt",
    "tests/test_plugin.py": "test_plugin.py.txt",
}

PREFIX = "openvlt-"


@dataclass(frozen=True, slots=True)
class Part:
    """What the skeleton of a component says of it.

    Attributes:
        hook: that registers it.
        suffix: of its name, where one plugin may have two components of a kind.
        summary: for listings.
        use: how a recipe uses it; ``NAME`` stands for its name.
    """

    hook: str
    suffix: str
    summary: str
    use: str


PARTS = {
    "source": Part("sources", "", "sums of two equal numbers", "traces: {data: {source: NAME}}"),
    "captioner": Part("captioners", "", "one sentence an image", "captioner: NAME"),
    "teacher": Part("teachers", "", "asks in the recipe's own format", "traces: {teacher: NAME}"),
    "fact": Part("facts", "", "how dark the darkest image is", "facts: {darkness: NAME}"),
    "filter": Part("filters", "", "chains that are long enough", "traces: {select: [NAME]}"),
    "example-filter": Part("filters", "-examples", "questions that are not easy", "traces: {data: {filters: [NAME]}}"),
    "verifier": Part("verifiers", "-answer", "the letters of the gold answer in any order", "rewards: {NAME: 1.0}"),
    "reward": Part("verifiers", "", "correct answers reached in few words", "rewards: {NAME: 0.2}"),
    "benchmark": Part("benchmarks", "", "ten sums", "bench: [NAME]"),
    "backend": Part("backends", "", "repeats what it is asked", "base: {id: ..., backend: NAME}"),
    "trainer": Part("trainers", "", "copies the model", "train: {sft: {trainer: NAME}}"),
}


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(tuple(PARTS)), help="Component to write; repeatable.",
    default=("reward",), show_default=True,
)  # fmt: skip
@click.option(
    "--into", type=click.Path(path_type=Path), default=".", help="Folder to create it in; by default this one."
)
def new_plugin(name: str, kinds: tuple[str, ...], into: Path) -> None:
    """Write the skeleton of a plugin package, openvlt-NAME: typed components with passing tests.

    A filter chooses among traces, an example-filter among questions; a verifier compares answers, a reward scores
    anything else.
    """
    folder = write_skeleton(name, into, kinds)
    click.echo(f"Wrote {folder}. Next:")
    if name.startswith(PREFIX):
        click.echo(f"  (the plugin is called {name.removeprefix(PREFIX)}, and its package {name})")
    click.echo(f"  openvlt install -e {folder}")
    click.echo(f"  cd {folder} && python -m pytest")


def write_skeleton(name: str, into: Path, kinds: Sequence[str] = ("reward",)) -> Path:
    """Write an installable plugin package.

    Args:
        name: of the plugin; the distribution is ``openvlt-`` and the name.
        into: folder to create the package's folder in.
        kinds: names of `PARTS`.

    Returns:
        The package's folder.

    Raises:
        UsageError: the name is invalid, or the folder exists.
    """
    name = name.removeprefix(PREFIX)
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(f"'{name}' is not a valid plugin name.", "Use lower-case letters, digits and single hyphens.")
    folder = into / f"openvlt-{name}"
    if folder.exists():
        raise UsageError(f"'{folder}' exists already.", "Choose another name, or another folder with --into.")
    kinds = [kind for kind in PARTS if kind in kinds]
    word, class_name = name.replace("-", "_"), name.title().replace("-", "")
    words = {"name": name, "word": word, "module": f"openvlt_{word}", "count": str(len(kinds))}
    words["kinds"] = ", ".join(kind.replace("-", " ") for kind in kinds)
    words["use"] = "\n".join(f"    {PARTS[kind].use.replace('NAME', name + PARTS[kind].suffix)}" for kind in kinds)
    words["hooks"] = _hooks(name, class_name, words["module"], kinds)
    for path, skeleton in _FILES.items():
        _write(folder, path, skeleton, words)
    for kind in kinds:
        own = {**words, "class_name": class_name + kind.title().replace("-", ""), "file": kind.replace("-", "_")}
        _write(folder, "src/$module/$file.py", f"{kind}.py.txt", own)
        _write(folder, "tests/test_$file.py", f"test_{kind}.py.txt", own)
    return folder


def _write(folder: Path, path: str, skeleton: str, words: dict[str, str]) -> None:
    text = files("openvlt.cli").joinpath("skeleton", skeleton).read_text(encoding="utf-8")
    file = folder / Template(path).substitute(words)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(Template(text).safe_substitute(words), encoding="utf-8")


def _hooks(name: str, class_name: str, module: str, kinds: Sequence[str]) -> str:
    """A hook for each kind of component, which registers those that are to be written."""
    lines: list[str] = []
    for hook in dict.fromkeys(PARTS[kind].hook for kind in kinds):
        lines += ["", "", "@hookimpl", f"def register_{hook}(register: Register) -> None:"]
        for kind in kinds:
            if (part := PARTS[kind]).hook == hook:
                target = f"{module}.{kind.replace('-', '_')}:{class_name}{kind.title().replace('-', '')}"
                lines += ["    register(", f'        "{name}{part.suffix}",', f'        "{target}",']
                lines += [f'        summary="{part.summary}",', "    )"]
    return "\n".join(lines)
