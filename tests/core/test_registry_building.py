"""Components are built from a recipe's words, and a wrong word is answered with what was expected."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from openvlt import ExampleFilter, Format, Model, OpenvltError, PluginError, TraceFilter, UsageError
from openvlt.interfaces import Kind
from openvlt.registry import Registry
from openvlt.registry.identity import code_digest

PLUGIN = '''
from __future__ import annotations
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from openvlt import Claim, Example, Format, Model, Option, Rejected, Source, Verdict, Verifier, hookimpl

@dataclass(frozen=True)
class Rows(Source):
    path: Path = Path("rows")
    def examples(self, split: str) -> Iterator[Example | Rejected]:
        yield from ()

@dataclass(frozen=True)
class Full(Verifier):
    """Has an option of every shape."""
    version = "3"
    limit: Annotated[int, Option("at most", unit="words")]
    share: float = 0.5
    style: Literal["plain", "fancy"] = "plain"
    tags: tuple[str, ...] = ()
    model: Model | None = None
    format: Format | None = None
    source: Source | None = None
    inner: Mapping[str, Verifier] = field(default_factory=dict)
    url: Annotated[str, Option("where", affects_output=False)] | None = ""
    def __post_init__(self) -> None:
        if self.limit < 0:
            raise ValueError("limit is below 0")
    def verify(self, claim: Claim) -> Verdict:
        return Verdict.correct()

class Bare(Verifier):
    def verify(self, claim: Claim) -> Verdict:
        return Verdict.correct()

@dataclass(frozen=True)
class Unfinished(Verifier):
    pass

@hookimpl
def register_sources(register):
    register("rows", Rows, summary="rows")

@hookimpl
def register_verifiers(register):
    register("full", Full, summary="an option of every shape")
    register("bare", Bare, summary="not a dataclass")
    register("unfinished", Unfinished, summary="without verify")
    register("source", Rows, summary="of another kind")
    register("gone", "no_such_package.module:Gone", summary="cannot be imported")
    register("absent", "openvlt.records:Absent", summary="no such class")
    register("locked", "no_such_package:Locked", summary="needs a package", requires=("no_such_package",))
    register("strict", "openvlt_test_data:strict.yaml", summary="full with a limit of 5")
    register("broken-data", "openvlt_test_data:broken.yaml", summary="names nothing")
    register("twice", "openvlt_test_data:twice.yaml", summary="data of data")
'''


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder = tmp_path_factory.mktemp("building")
    (folder / "things.py").write_text(PLUGIN)
    data = folder / "openvlt_test_data"
    data.mkdir()
    (data / "__init__.py").touch()
    (data / "strict.yaml").write_text("use: full\nlimit: 5\nshare: 0.25\n")
    (data / "broken.yaml").write_text("limit: 5\n")
    (data / "twice.yaml").write_text("use: strict\n")
    sys.path.append(str(folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENVLT_PLUGINS", "")
        return Registry.discover([folder / "things.py"])


def full(registry: Registry, **options: Any) -> Any:
    return registry.build("verifier", {"use": "full", "limit": 10, **options})


def test_every_shape_of_option(registry: Registry) -> None:
    built = full(registry, share=1, style="fancy", tags=["a", "b"], model="org/model", source="rows")
    made = built.component
    assert (made.limit, made.share, made.style, made.tags) == (10, 1.0, "fancy", ("a", "b"))
    assert made.model == Model(id="org/model")
    assert made.source.path == Path("rows")
    assert json.loads(json.dumps(built.options))["source"] == {"use": "file:things/rows", "path": "rows"}


def test_nested_components_in_a_mapping(registry: Registry) -> None:
    built = full(registry, inner={"first": {"use": "full", "limit": 3}, "second": "strict"})
    assert [one.limit for one in built.component.inner.values()] == [3, 5]


def test_a_format_option_is_filled_unless_it_is_given(registry: Registry) -> None:
    format = Format(think="reason")
    filled = registry.build("verifier", {"use": "full", "limit": 1, "inner": {"a": "strict"}}, format=format)
    assert filled.component.format == format
    assert filled.component.inner["a"].format == format
    given = registry.build("verifier", {"use": "full", "limit": 1, "format": {"think": "why"}}, format=format)
    assert given.component.format == Format(think="why")


def test_data_gives_options_that_a_recipe_may_override(registry: Registry) -> None:
    strict = registry.build("verifier", "strict")
    assert (strict.entry.id, strict.component.limit, strict.component.share) == ("file:things/strict", 5, 0.25)
    assert registry.build("verifier", {"use": "strict", "limit": 7}).component.limit == 7


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**9), st.floats(0, 1), st.lists(st.text(), max_size=3), st.none() | st.text(min_size=1))
def test_options_build_the_same_again(
    registry: Registry, limit: int, share: float, tags: list[str], model: str | None
) -> None:
    built = full(registry, limit=limit, share=share, tags=tags, model=model)
    again = registry.build("verifier", {"use": built.entry.id, **json.loads(json.dumps(built.options))})
    assert again == built


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ({"use": "full", "limt": 1}, UsageError, "has no option 'limt'. Did you mean 'limit'?"),
        ({"use": "full"}, UsageError, "Option 'limit' of the verifier 'full' is not given and has no default."),
        (
            {"use": "full", "limit": "ten"},
            UsageError,
            "Option 'limit' of the verifier 'full' is 'ten', but it must be a whole number",
        ),
        ({"use": "full", "limit": -1}, UsageError, "cannot be built: limit is below 0."),
        ({"use": "full", "limit": 1, "style": "odd"}, UsageError, "it must be 'plain' or 'fancy'"),
        ({"use": "full", "limit": 1, "tags": {"a": 1}}, UsageError, "it must be a valid tuple"),
        ({"use": "full", "limit": 1, "model": {"id": "m", "pixel": 1}}, UsageError, "Did you mean 'pixels'?"),
        ({"use": "full", "limit": 1, "model": {"pixels": 9}}, UsageError, "it must be given with 'id'"),
        ({"use": "full", "limit": 1, "source": "row"}, PluginError, "There is no source 'row'. Did you mean 'rows'?"),
        ({"use": "full", "limit": 1, "source": {"use": "rows", "pat": 1}}, UsageError, "Did you mean 'path'?"),
        ({"limit": 1}, UsageError, "not by {'limit': 1}"),
        (None, UsageError, "not by None"),
        ("fulll", PluginError, "Did you mean 'full'?"),
        ("bare", PluginError, "is not a dataclass"),
        ("unfinished", PluginError, "does not define verify"),
        ("source", PluginError, "is registered as a verifier but is no Verifier"),
        ("gone", PluginError, "cannot be imported: ModuleNotFoundError"),
        ("absent", PluginError, "has no such class"),
        ("locked", PluginError, "not installed: no_such_package. Run: pip install no-such-package"),
        ("broken-data", PluginError, "is not a mapping with the key 'use'"),
        ("twice", PluginError, "which is data too"),
    ],
)
def test_errors_name_what_is_wrong(registry: Registry, spec: Any, error: type[OpenvltError], message: str) -> None:
    with pytest.raises(error) as raised:
        registry.build("verifier", spec, where="recipe.yaml:12 reward")
    assert str(raised.value).startswith("recipe.yaml:12 reward: ")
    assert message in str(raised.value)


def test_options_as_a_person_reads_them(registry: Registry) -> None:
    options = {option.name: option for option in registry.describe("verifier", "full").options}
    assert (options["limit"].type, options["limit"].required, options["limit"].unit) == ("int", True, "words")
    assert options["style"].type == "'plain' | 'fancy'"
    assert options["tags"].type == "tuple[str, ...]"
    assert options["inner"].type == "Mapping[str, Verifier]"
    assert (options["source"].type, options["source"].default) == ("Source | None", None)
    assert (options["url"].affects_output, options["url"].text) == (False, "where")
    of_data = {option.name: option for option in registry.describe("verifier", "strict").options}
    assert (of_data["limit"].required, of_data["limit"].default) == (False, 5)


def test_what_changes_the_identity(registry: Registry) -> None:
    here = full(registry).identity
    assert full(registry).identity == here
    assert full(registry, share=0.5).identity == here, "a default that is written out changes nothing"
    assert full(registry, url="elsewhere").identity == here, "an option that does not affect the output does not count"
    others = [
        full(registry, limit=11).identity,
        full(registry, source="rows").identity,
        full(registry, source={"use": "rows", "path": "b"}).identity,
        registry.build("verifier", {"use": "strict", "limit": 10, "share": 0.5}).identity,
    ]
    assert len({here, *others}) == 5


def test_the_code_of_a_one_file_plugin_is_part_of_its_identity(tmp_path: Path) -> None:
    identities = set()
    for folder, comment in (("a", ""), ("b", ""), ("c", "# another\n")):
        file = tmp_path / folder / "things.py"
        file.parent.mkdir()
        file.write_text(PLUGIN + comment)
        identities.add(full(Registry.discover([file])).identity)
    assert len(identities) == 2


@pytest.mark.parametrize(
    ("edited", "changes"),
    [
        ("__init__.py", True),
        ("rewards/__init__.py", True),
        ("rewards/length.py", True),
        ("rewards/base.py", True),
        ("words.py", True),
        ("late.py", True),
        ("unused.py", False),
        ("rewards/other.py", False),
    ],
)
def test_the_code_of_a_component_is_what_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited: str, changes: bool
) -> None:
    package = tmp_path / "manyfiles"
    (package / "rewards").mkdir(parents=True)
    sources = {
        "__init__.py": "",
        "rewards/__init__.py": "",
        "rewards/base.py": "from openvlt import Verifier\nclass Base(Verifier): ...\n",
        "rewards/length.py": "from .base import Base\nfrom manyfiles import words\nclass Length(Base):\n"
        "    def verify(self, claim):\n        from ..late import score\n        return score(words, claim)\n",
        "rewards/other.py": "import manyfiles.rewards.length\n",
        "words.py": "",
        "late.py": "def score(words, claim): ...\n",
        "unused.py": "",
    }
    for name, source in sources.items():
        (package / name).write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "manyfiles"]:
        monkeypatch.delitem(sys.modules, name)
    component = importlib.import_module("manyfiles.rewards.length").Length
    before = code_digest(component)
    (package / edited).write_text(sources[edited] + "# a comment\n")
    assert (code_digest(component) != before) == changes


def test_a_raised_class_version_changes_the_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "things.py"
    file.write_text(PLUGIN)
    registry = Registry.discover([file])
    before = full(registry)
    monkeypatch.setattr(type(before.component), "version", "4")
    assert full(registry).identity != before.identity


@pytest.mark.parametrize(
    ("kind", "spec", "identity"),
    [
        ("verifier", "answer", "dd5b5a00c27d1a5463cf392238a347465eb94b67e892b247dbebd0e541077a31"),
        ("captioner", "qwen-vl", "749a1089cc44cd8e344edda86f5ea5b8bd573666e766484f92522e22a61172c8"),
        ("backend", "hf", "e02b73d53621471a38fa177a9bca55d9d1354f154e5addaa30aab65645ecf5c8"),
        (
            "filter",
            {"use": "per-question", "count": 2},
            "e14dbdd15b608c7877fc0ecda873289a9afc7ad9478d5cdb7b1a026ccb77065f",
        ),
    ],
)
def test_the_identities_of_built_ins_stay(kind: Kind, spec: Any, identity: str) -> None:
    """Every cached row hangs on them: raise a class's `version` where its output changes, and only then edit these."""
    assert Registry.discover().build(kind, spec, format=Format()).identity == identity


def test_a_filter_in_the_wrong_place_is_named_with_what_it_is() -> None:
    registry = Registry.discover()
    assert registry.build(TraceFilter, "per-question").entry.name == "per-question"
    with pytest.raises(UsageError, match=r"recipe\.yaml:7 select: The filter 'contamination' is no TraceFilter"):
        registry.build(TraceFilter, "contamination", where="recipe.yaml:7 select")
    with pytest.raises(UsageError, match="is no ExampleFilter, which is needed here"):
        registry.build(ExampleFilter, "per-question")
