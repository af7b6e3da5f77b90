"""``openvlt new-plugin``."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template

import click

from openvlt.errors import UsageError

# path in the new folder, to file of the skeleton
_FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "readme.md.txt",
    "src/$module/__init__.py": "hooks.py.txt",
    "src/$module/verifier.py": "verifier.py.txt",
    "tests/test_$word.py": "test.py.txt",
}


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--into", type=click.Path(path_type=Path), default=".", help="Folder to create it in; by default this one."
)
def new_plugin(name: str, into: Path) -> None:
    """Write the skeleton of a plugin package, openvlt-NAME: a verifier with a passing test."""
    folder = write_skeleton(name, into)
    click.echo(f"Wrote {folder}. Next:")
    click.echo(f"  openvlt install -e {folder}")
    click.echo(f"  cd {folder} && python -m pytest")


def write_skeleton(name: str, into: Path) -> Path:
    """Write an installable plugin package.

    Args:
        name: of the plugin; the distribution is ``openvlt-`` and the name.
        into: folder to create the package's folder in.

    Returns:
        The package's folder.

    Raises:
        UsageError: the name is invalid, or the folder exists.
    """
    name = name.removeprefix("openvlt-")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(f"'{name}' is not a valid plugin name.", "Use lower-case letters, digits and single hyphens.")
    folder = into / f"openvlt-{name}"
    if folder.exists():
        raise UsageError(f"'{folder}' exists already.", "Choose another name, or another folder with --into.")
    word = name.replace("-", "_")
    words = {"name": name, "word": word, "module": f"openvlt_{word}", "class_name": name.title().replace("-", "")}
    for path, skeleton in _FILES.items():
        text = files("openvlt.cli").joinpath("skeleton", skeleton).read_text(encoding="utf-8")
        file = folder / Template(path).substitute(words)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(Template(text).substitute(words), encoding="utf-8")
    return folder
