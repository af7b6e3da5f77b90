"""Resolves the target of a component; the only module that imports the modules of components."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from openvlt.errors import PASSING, PluginError
from openvlt.registry.guard import told

if TYPE_CHECKING:
    from openvlt.interfaces import Component
    from openvlt.registry.entries import Entry


def is_data(target: str) -> bool:
    """True if the target is a YAML file, ``package:file.yaml``, and not a class."""
    return target.endswith((".yaml", ".yml"))


def target_of(component: type) -> str:
    """The target string of a class: ``package.module:Class``, or ``file.py:Class`` for a one-file plugin."""
    module = sys.modules.get(component.__module__)
    file = getattr(module, "__openvlt_file__", None)
    return f"{file or component.__module__}:{component.__qualname__}"


def load_file(file: Path) -> ModuleType:
    """Import a one-file plugin, once per process, under a unique module name."""
    import hashlib
    from importlib.util import module_from_spec, spec_from_file_location

    name = f"openvlt_file_{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be imported")
    module = module_from_spec(spec)
    module.__openvlt_file__ = str(file)  # type: ignore[attr-defined]
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def is_installed(package: str) -> bool:
    """True if a top-level package is installed; does not import it."""
    from importlib.util import find_spec

    return package in sys.modules or find_spec(package) is not None


def require(*packages: str) -> None:
    """Require optional packages.

    Raises:
        PluginError: one is not installed; the remedy is the command that installs it.
    """
    if absent := [package for package in packages if not is_installed(package)]:
        problem = f"This needs packages that are not installed: {', '.join(absent)}."
        raise PluginError(problem, f"Run: {install_command(absent)}")


def missing(entry: Entry) -> tuple[str, str] | None:
    """The packages a component needs that are not installed, and the command that installs them; None if it has all."""
    absent = [package for package in entry.requires if not is_installed(package)]
    return (", ".join(absent), install_command(absent, entry.id.partition("/")[0])) if absent else None


def install_command(packages: Sequence[str], distribution: str = "openvlt") -> str:
    """The command that installs packages: the smallest extra of a distribution that has them all, else their names."""
    from openvlt.registry.distributions import extras, normalized

    wanted = {normalized(package) for package in packages}
    fitting = {extra: brought for extra, brought in extras(distribution).items() if wanted <= brought}
    if not fitting:
        return f"pip install {' '.join(sorted(wanted))}"
    return f"pip install '{distribution}[{min(fitting, key=lambda extra: len(fitting[extra]))}]'"


def resolve(target: str) -> type[Component]:
    """Import the class a target names.

    Args:
        target: ``package.module:Class`` or ``path/to/file.py:Class``.

    Raises:
        PluginError: the module cannot be imported, or it has no such component class.
    """
    from openvlt.interfaces import Component

    home, _, name = target.rpartition(":")
    try:
        module = load_file(Path(home)) if home.endswith(".py") else import_module(home)
    except PASSING:
        raise
    except BaseException as error:  # a plugin's code may raise anything
        raise PluginError(f"'{target}' cannot be imported: {told(error)}.", "Fix or uninstall its plugin.") from error
    component = getattr(module, name, None)
    if not (isinstance(component, type) and issubclass(component, Component)):
        what = "has no such class" if component is None else "is not an openvlt component class"
        raise PluginError(f"'{target}' {what}.", "Correct the target in its plugin's register() call.")
    return component


def component_class(entry: Entry) -> type[Component]:
    """Import the class of a component that is code, and check that it implements the kind it was registered as.

    Raises:
        PluginError: it cannot be imported, is of another kind or lacks methods.
    """
    from openvlt.interfaces import INTERFACES

    component = resolve(entry.target)
    if not issubclass(component, INTERFACES[entry.kind]):
        names = " or ".join(interface.__name__ for interface in INTERFACES[entry.kind])
        raise PluginError(f"'{entry.target}' is registered as a {entry.kind} but is no {names}.", "Fix its plugin.")
    missing = sorted(getattr(component, "__abstractmethods__", ()))
    if missing:
        raise PluginError(f"'{entry.target}' does not define {', '.join(missing)}.", "Fix its plugin.")
    return component


def read_data(target: str) -> dict[str, Any]:
    """Read the options of a component that is data.

    Args:
        target: ``package:folder/file.yaml``.

    Returns:
        The mapping in the file, with its key ``use``.

    Raises:
        PluginError: there is no such file, or it is not a mapping with the key ``use``.
    """
    from importlib.resources import files

    import yaml

    package, _, name = target.partition(":")
    try:
        options = yaml.safe_load(files(package).joinpath(name).read_text(encoding="utf-8"))
    except (ImportError, OSError, yaml.YAMLError) as error:
        raise PluginError(f"'{target}' cannot be read: {error}.", "Fix or uninstall its plugin.") from error
    if not (isinstance(options, dict) and isinstance(options.get("use"), str)):
        raise PluginError(f"'{target}' is not a mapping with the key 'use'.", "Add the component it configures.")
    return options
