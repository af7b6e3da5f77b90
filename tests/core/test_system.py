"""What openvlt does where the operating system lacks a call: the calls are taken away."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_verification import THIRD_PARTY

from openvlt import Format, UsageError, forks, system
from openvlt.verification.messages import Setup
from openvlt.verification.pool import Pool

BARE = Path(__file__).with_name("bare_system.py")
VERIFY = """
import json, signal, sys
from pathlib import Path
from openvlt import Claim, Example, Format, Trace
from openvlt.registry import Registry
from openvlt.verification import VerifierRunner, limits

def claim(answer, gold):
    trace = Trace(think="", answer=answer, raw=f"<answer>{answer}</answer>")
    return Claim(trace=trace, example=Example(id="1", question="", answer=gold))

registry = Registry.discover([Path(sys.argv[1])])
found = [hasattr(signal, "setitimer")]
for use, *claims in (
    ("answer", claim("1", r"\\sin^2 x+\\cos^2 x"), claim("2", r"\\sin^2 x+\\cos^2 x")),
    ("odd", claim("loop", "7"), claim("sleep", "8"), claim("9", "9")),
):
    limits.LOOK_SECONDS = 600.0 if use == "answer" else 2.4  # SymPy takes longer than that on a busy machine
    with VerifierRunner({use: registry.build("verifier", use)}, format=Format(), workers=1) as runner:
        for verdicts in runner.verdicts(claims):
            found.append([verdicts[use].status, verdicts[use].score, verdicts[use].cause])
print(json.dumps(found))
"""


def test_verifiers_are_limited_by_wall_time_alone(tmp_path: Path) -> None:
    shutil.copy(BARE, tmp_path / "sitecustomize.py")
    (tmp_path / "odd.py").write_text(THIRD_PARTY)
    # the workers get the parent's sys.path, so the calls are missing in them too
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", VERIFY, str(tmp_path / "odd.py")],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    timers, right, wrong, loop, sleep, after = json.loads(done.stdout)
    assert not timers
    assert (right[0], wrong[0], after[0]) == ("correct", "incorrect", "correct")
    assert loop == sleep == ["timeout", 0.0, "response"]


def test_all_cpus_count_where_a_process_cannot_be_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert system.cpus() == 12
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert system.cpus() == 1


def test_memory_is_unknown_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    known = system.memory()
    assert known is not None and known > 1 << 28

    def unknown(name: str) -> int:
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(os, "sysconf", unknown)
    assert system.memory() is None
    monkeypatch.delattr(os, "sysconf")
    assert system.memory() is None


def test_what_a_process_uses_is_known_to_linux_only(monkeypatch: pytest.MonkeyPatch) -> None:
    used, available = system.usage(os.getpid()), system.available_memory()
    assert used is not None and used.cpu > 0 and not used.sleeps
    assert available is not None and available > 0
    monkeypatch.setattr(Path, "read_text", _no_such_file)
    assert system.usage(os.getpid()) is None and system.available_memory() is None


@pytest.mark.parametrize("missing", ["resource", "/proc"])
def test_memory_has_no_limit_without_its_calls(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    if missing == "resource":
        monkeypatch.setitem(sys.modules, "resource", None)
    else:
        monkeypatch.setattr(Path, "read_text", _no_such_file)
    system.limit_memory(1 << 30)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_the_exit_code_shows_whether_the_limit_ended_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = (-signal.SIGPROF, -signal.SIGALRM, 1)
    assert [system.cpu_limit_hit(code) for code in codes] == [True, False, False]
    monkeypatch.delattr(signal, "setitimer")
    assert [system.cpu_limit_hit(code) for code in codes] == [False] * 3


@pytest.mark.parametrize("killpg", [True, False])
@pytest.mark.parametrize("by_force", [True, False])
def test_a_child_ends_with_and_without_sessions(killpg: bool, by_force: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    if not killpg:
        monkeypatch.delattr(os, "killpg")
    system.end(child, by_force=by_force)
    assert child.wait(600) == (-signal.SIGKILL if by_force else -signal.SIGTERM)
    system.end(child, by_force=by_force)  # it is gone: nothing to do
    assert child.stdin is not None
    child.stdin.close()


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "HF_TOKEN", "WANDB_API_KEY",
        "HUGGING_FACE_HUB_TOKEN", "GITHUB_PAT", "PGPASSWORD", "MYSQL_PWD", "DB_PASS", "SSH_AUTH_SOCK", "OPENVLT_KEYS",
        "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_STORAGE_CONNECTION_STRING", "SENTRY_DSN", "DOCKER_AUTH_CONFIG",
        "SLURM_JWT", "apikey", "Api_Key_2", "MY_OAUTH", "SECRETS_FILE", "SLACK_WEBHOOK_URL", "SSH_KEY_PASSPHRASE",
    ],
)  # fmt: skip
def test_a_child_does_not_see_a_secret(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "hush")
    show = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
    seen = json.loads(subprocess.run(show, env=system.child_environment(), stdout=subprocess.PIPE, check=True).stdout)
    assert name not in seen
    assert "hush" not in seen.values()
    assert system.child_environment(name)[name] == "hush"
    assert system.child_environment(**{name: "other"})[name] == "other"


@pytest.mark.parametrize(
    "name",
    [
        "PATH", "HOME", "PWD", "OLDPWD", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "TOKENIZERS_PARALLELISM",
        "CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG", "NCCL_SOCKET_IFNAME", "NCCL_IB_PKEY", "UCX_IB_PKEY",
        "OMP_NUM_THREADS", "MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "LOCAL_RANK", "HTTPS_PROXY", "NO_PROXY",
        "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HF_HOME", "HF_HUB_OFFLINE", "OPENVLT_HOME", "OPENVLT_FAKE",
        "SLURM_JOB_ID", "XDG_CACHE_HOME", "LD_LIBRARY_PATH", "GIT_AUTHOR_NAME", "XAUTHORITY", "KEYBOARD_LAYOUT",
    ],
)  # fmt: skip
def test_a_child_keeps_what_is_no_secret(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://proxy:3128")
    assert system.child_environment()[name] == "http://proxy:3128"


def test_an_address_with_a_password_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://me:hush@host/db")
    monkeypatch.setenv("SERVICE", "https://host:8000/a@b")
    assert "DATABASE_URL" not in system.child_environment()
    assert "SERVICE" in system.child_environment()


FAMILY = """
import os, subprocess, sys, threading, time
from openvlt import system

def start():
    command = [sys.executable, __file__, "child"]
    started.append(subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=how == "session"))

how = sys.argv[1]
started = []
if how == "child":
    system.die_with_parent()
    leads = os.getpgrp() == os.getpid()
    own = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid] if leads else []
    print(os.getpid(), *own, flush=True)
    time.sleep(600)
thread = threading.Thread(target=start)
thread.start()
thread.join()  # the child outlives the thread that started it
if how == "fork" and os.fork() == 0:
    time.sleep(600)  # it keeps the pipe open
time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds child processes in /proc")
@pytest.mark.parametrize("how", ["session", "group", "fork"])
def test_a_child_and_its_own_children_die_with_a_killed_parent(how: str, tmp_path: Path) -> None:
    script = tmp_path / "family.py"
    script.write_text(FAMILY)
    parent = subprocess.Popen([sys.executable, str(script), how], stdout=subprocess.PIPE, start_new_session=True)
    assert parent.stdout is not None
    family = [int(pid) for pid in parent.stdout.readline().split()]
    time.sleep(1.5)  # longer than the child looks away
    assert len(family) == (2 if how == "session" else 1)
    assert all(map(_alive, family))
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 600
    while any(map(_alive, family)):
        assert time.monotonic() < deadline, "it outlives its parent"
        time.sleep(0.05)
    system.end(parent, by_force=True)
    parent.stdout.close()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_systems_without_fork_have_nothing_to_call_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "register_at_fork")
    called: list[int] = []
    forks.after_fork(lambda: called.append(1))
    child = os.fork()
    if child == 0:
        os._exit(len(called))
    assert os.waitpid(child, 0)[1] == 0


def test_windows_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UsageError, match="WSL"):
        Pool(Setup(verifiers={}, memory=1 << 30, files=(), format=Format()), 1)


def _no_such_file(path: Path, **_: Any) -> str:
    raise FileNotFoundError(path)


SMI = """#!{python}
import sys
LISTED, ASKED = {listed!r}, {asked!r}
print(LISTED if sys.argv[1] == "-L" else "\\n".join(ASKED), end="\\n")
"""
SLICED = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-c08d91cb-e324-655c-71ba-7570956445bc)
  MIG 1c.3g.40gb  Device  0: (UUID: MIG-c788539f-c1ea-5a36-8b4d-9b07d024b1bb)
  MIG 1g.10gb+me  Device  1: (UUID: MIG-b4b2228d-6933-5839-bc0e-41ab9edb61c6)
"""
WHOLE = "GPU {}: NVIDIA H100 80GB HBM3 (UUID: GPU-{}-b324-655c-71ba-7570956445bc)\n"
LARGE, SMALL = "MIG-c788539f-c1ea-5a36-8b4d-9b07d024b1bb", "MIG-b4b2228d-6933-5839-bc0e-41ab9edb61c6"
OF_40, OF_10, OF_GPU = int(0.88 * 2**30) * 40, int(0.88 * 2**30) * 10, 81559 << 20


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts an ``nvidia-smi`` on the path that prints what NVIDIA's does."""

    def forget() -> None:
        system._gpus.cache_clear()
        system._slices.cache_clear()

    def put(listed: str, *modes: str, named: str | None = None) -> None:
        rows = [f"{index}, {size}, {mode}" for index, (size, mode) in enumerate(mode.split(" ") for mode in modes)]
        forget()
        script = tmp_path / "nvidia-smi"
        script.write_text(SMI.format(python=sys.executable, listed=listed, asked=rows))
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if named is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)

    yield put
    forget()


@pytest.mark.parametrize(
    ("listed", "modes", "named", "visible", "size"),
    [
        (WHOLE.format(0, "a") + WHOLE.format(1, "b"), ["81559 Disabled"] * 2, None, ["0", "1"], OF_GPU),
        (WHOLE.format(0, "a"), ["81559 [N/A]"], None, ["0"], OF_GPU),  # a GPU that cannot be divided
        (SLICED, ["81559 Enabled"], None, [LARGE], OF_40),
        (SLICED, ["[N/A] Enabled"], None, [LARGE], OF_40),
        ("", [], "0", [], 0),
        (SLICED, ["81559 Enabled"], "0", ["0"], OF_40),
        (SLICED, ["81559 Enabled"], SMALL, [SMALL], OF_10),
        (SLICED, ["81559 Enabled"], f"{LARGE},{SMALL}", [LARGE], OF_40),
        (SLICED, ["81559 Enabled"], "MIG-no-such", [], 0),
        (SLICED + WHOLE.format(1, "b"), ["81559 Enabled", "81559 Disabled"], None, ["1"], OF_GPU),
        (SLICED + WHOLE.format(1, "b"), ["81559 Enabled", "81559 Disabled"], SMALL, [SMALL], OF_10),
        (WHOLE.format(0, "a"), ["81559 Enabled"], None, [], 0),  # no slice was made, and CUDA has no device
    ],
)
def test_a_slice_of_a_gpu_is_planned_with_its_own_memory(
    asked: Callable[..., None], listed: str, modes: list[str], named: str | None, visible: list[str], size: int
) -> None:
    asked(listed, *modes, named=named)
    assert (system.visible_gpus(), system.gpu_bytes()) == (visible, size)
