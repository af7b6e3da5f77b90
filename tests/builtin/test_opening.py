"""Fields and classes of TRL that a recipe names: what is accepted, what is refused, and that they are the identity."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from openvlt.errors import UsageError
from openvlt.registry import Registry
from openvlt_plugins.trl import opening, sharing
from openvlt_plugins.trl.dpo import Dpo
from openvlt_plugins.trl.grpo import Grpo
from openvlt_plugins.trl.sft import Sft
from openvlt_plugins.trl.trainer import TrlTrainer

pytestmark = pytest.mark.slow  # imports TRL
GRPO: dict[str, Any] = {"prompts": 2, "generations": 4, "batch": 8, "devices": 1}
MODULE = """
from dataclasses import dataclass
from typing import ClassVar
from trl import GRPOConfig, GRPOTrainer
from made_trainers.weight import WEIGHT

@dataclass
class Config(GRPOConfig):
    my_weight: float = WEIGHT

class Mine(GRPOTrainer):
    config_class: ClassVar[type] = Config

class Other: ...

class Odd(GRPOTrainer):
    config_class: ClassVar[type] = Other
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of trainers, of modules that change."""
    folder = tmp_path / "made_trainers"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "weight.py").write_text("WEIGHT = 0.5\n")
    (folder / "mine.py").write_text(MODULE)
    (folder / "unused.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "made_trainers"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("made", "extra"),
    [
        (lambda extra: Grpo(**GRPO, extra=extra), {"importance_sampling_level": "sequence", "top_k": 5, "min_p": None}),
        (lambda extra: Sft(devices=1, extra=extra), {"loss_type": "dft", "neftune_noise_alpha": 5}),
        (lambda extra: Dpo(devices=1, extra=extra), {"label_smoothing": 0.1, "lr_scheduler_kwargs": {"num_cycles": 2}}),
    ],
)
def test_any_field_of_trl_is_passed(made: Any, extra: dict[str, Any]) -> None:
    trainer = made(extra)
    trainer.check_machine()
    assert trainer.classes()[2] == extra


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            {"importance_sampling_levl": "sequence"},
            r"no field of GRPOConfig\. Did you mean 'importance_sampling_level'\?",
        ),
        ({"zzz": 1}, r"no field of GRPOConfig\. TRL's documentation of GRPOConfig lists its fields"),
        ({"beta": 0.1}, r"sets beta, as the option beta does\. Set beta instead"),
        ({"num_generations": 4}, r"sets num_generations, as the option generations does\. Set generations instead"),
        ({"use_vllm": True}, r"sets use_vllm, as the option vllm does\. Set vllm instead"),
        ({"trust_remote_code": True}, r"sets trust_remote_code, which openvlt decides\. Remove it"),
        ({"push_to_hub": True}, r"sets push_to_hub, which openvlt decides\. Remove it"),
        ({"eval_strategy": "steps"}, r"sets eval_strategy, which openvlt decides\. Remove it"),
        ({"reward_weights": [1.0, 2.0]}, r"sets reward_weights, which openvlt decides\. Remove it"),
        ({"accelerator_config": {}}, r"sets accelerator_config, which openvlt decides\. Remove it"),
        ({"top_k": "many"}, r"The field top_k of the option extra is 'many', but it must be of the type"),
    ],
)
def test_a_field_that_is_unknown_or_taken_is_refused(extra: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Grpo(**GRPO, extra=extra).check_machine()


@pytest.mark.parametrize(
    "trainer",
    [Sft(devices=1), Dpo(devices=1), Grpo(**GRPO), *(Grpo(**GRPO, vllm=mode) for mode in ("server", "colocate"))],
)
@pytest.mark.parametrize("shared", ["ddp", "fsdp2", "zero3"])
def test_every_field_that_openvlt_sets_is_refused(trainer: TrlTrainer, shared: Any) -> None:
    job: Any = SimpleNamespace(folder=Path(), seed=0, examples=list)
    processor = SimpleNamespace(get_vocab=lambda: {"<|image_pad|>": 3})
    ours = {**trainer.arguments(job), **sharing.arguments(trainer, shared, True), **trainer.fields(job, processor, 9)}
    config = opening.classes(trainer.method, None)[1]
    for name, value in ours.items():
        with pytest.raises(UsageError, match=f"extra sets {name}, "):
            opening.checked({name: value}, config, {option.name for option in fields(trainer)})


def test_what_trl_itself_refuses_is_an_error_of_the_recipe(tmp_path: Path) -> None:
    config = opening.classes("GRPO", None)[1]
    with pytest.raises(UsageError, match="TRL refuses the option extra: log_completions_hub_repo"):
        opening.configuration(
            config, {"output_dir": str(tmp_path), "use_cpu": True}, {"log_completions_hub_repo": "a/b"}
        )


def test_a_subclass_trains_with_fields_of_its_own(package: Path) -> None:
    found = Grpo(**GRPO, trainer_class="made_trainers.mine:Mine", extra={"my_weight": 2})
    trainer, config, extra = found.classes()
    assert (trainer.__name__, config.__name__, extra) == ("Mine", "Config", {"my_weight": 2.0})
    assert trainer.__mro__[1].__name__ == "GRPOTrainer"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("made_trainers.mine", "names no class"),
        ("made_trainers.mine:", "names no class"),
        ("./mine.py:Mine", "names no class"),
        ("nowhere.mine:Mine", "names the package nowhere, which is not installed"),
        ("made_trainers.mine:Missing", "cannot be imported: AttributeError"),
        ("made_trainers.missing:Mine", "cannot be imported: ModuleNotFoundError"),
        ("made_trainers.mine:Other", r"It is no subclass of TRL's GRPOTrainer\. Derive it from that class"),
        ("made_trainers.mine:Odd", "Its config_class is no subclass of TRL's GRPOConfig"),
        ("trl:SFTTrainer", "It is no subclass of TRL's GRPOTrainer"),
    ],
)
def test_a_class_that_cannot_train_is_refused(package: Path, target: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Grpo(**GRPO, trainer_class=target).check_machine()


@pytest.mark.parametrize(("file", "changes"), [("mine.py", True), ("weight.py", True), ("unused.py", False)])
def test_the_code_of_a_class_is_part_of_the_identity_and_nothing_is_imported(
    package: Path, file: str, changes: bool
) -> None:
    registry = Registry.discover()

    def identity(**options: Any) -> str:
        return registry.build("trainer", {"use": "grpo", **GRPO, **options}).identity

    named = {"trainer_class": "made_trainers.mine:Mine"}
    before = identity(**named)
    assert before not in (identity(), identity(**named, extra={"top_k": 5}))
    (package / file).write_text((package / file).read_text() + "\nADDED = 1\n")
    assert (identity(**named) != before) == changes
    assert "made_trainers.mine" not in sys.modules
