"""Keys go only to the hosts that the user has bound them to, and are never shown."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings, strategies as st

from openvlt import UsageError, endpoint_key, keys, mask_keys
from openvlt.registry import Registry

KEY = "sk-proj-Secret/Key+1234"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in (keys.KEYS, keys.ALLOW):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OTHER_KEY", "another-secret")
    (tmp_path / "openvlt").mkdir()
    return tmp_path / "openvlt" / "keys.yaml"


@pytest.mark.parametrize(
    ("bound", "url", "name"),
    [
        ([], "https://api.openai.com/v1", "OPENAI_API_KEY"),
        ([], "https://API.OpenAI.com:443/v1", "OPENAI_API_KEY"),
        ([], "https://api.openai.com.evil.example/v1", ""),
        ([], "https://evil-api.openai.com/v1", ""),
        ([], "https://openai.com/v1", ""),
        ([], "http://localhost:8000/v1", ""),
        ([], "http://127.0.0.1:8000/v1", ""),
        ([], "http://teacher.example:8000/v1", ""),
        (["OTHER_KEY@teacher.example"], "https://Teacher.Example/v1", "OTHER_KEY"),
        (["OTHER_KEY@teacher.example"], "https://teacher.example:8443/v1", "OTHER_KEY"),
        (["OTHER_KEY@teacher.example:8443"], "https://teacher.example:8443/v1", "OTHER_KEY"),
        (["OTHER_KEY@teacher.example:8443"], "https://teacher.example:8444/v1", ""),
        (["OTHER_KEY@teacher.example:8443"], "https://teacher.example/v1", ""),
        (["OTHER_KEY@teacher.example"], "https://api.teacher.example/v1", ""),
        (["OTHER_KEY@api.openai.com"], "https://api.openai.com/v1", "OTHER_KEY"),
        (["OTHER_KEY@localhost:8000"], "http://localhost:8000/v1", "OTHER_KEY"),
        (["OTHER_KEY@[::1]"], "http://[::1]:8000/v1", "OTHER_KEY"),
    ],
)
def test_a_key_goes_to_its_host_alone(bound: list[str], url: str, name: str) -> None:
    keys.bind(bound)
    assert endpoint_key(url).name == name
    assert (f"with ${name}" in keys.key_names([url])) == bool(name)


@pytest.mark.parametrize(
    "url",
    [
        "https://me:secret@api.openai.com/v1", "https://api.openai.com@evil.example/v1", "https://evil.example/v1?key=1",
        "https://evil.example\\@api.openai.com/v1", "https://evil.example#@api.openai.com/v1", "ftp://api.openai.com/v1",
        "https://api.openai.c\u043em/v1", "https://\uff41pi.openai.com/v1", "https://api.openai.com:x/v1", "https:///v1",
        "https://api.openai.com /v1", "https://api.openai.com\n.evil.example/v1", "//api.openai.com/v1", "",
        "https://api.openai.com:443:1/v1", "https://api.openai.com/v1\x00", "https://api.openai.com/v1\ud800",
        "https://teacher.\u212ard.example/v1", "https://api.openai.com:\u0664/v1",
    ],
)  # fmt: skip
def test_a_url_that_two_readers_may_read_differently_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="not a plain address") as caught:
        endpoint_key(url)
    assert "secret" not in str(caught.value) and str(caught.value).isprintable()


def test_a_key_goes_to_another_machine_only_encrypted(caplog: pytest.LogCaptureFixture) -> None:
    keys.bind(["OTHER_KEY@teacher.example"])
    with pytest.raises(UsageError, match=r"teacher.example:8000 unencrypted \(http\)\. .*--allow http"):
        endpoint_key("http://teacher.example:8000/v1")
    keys.allow(["http"])
    assert endpoint_key("http://teacher.example:8000/v1").name == "OTHER_KEY"
    for _ in range(2):
        assert endpoint_key("http://nobody.example:8000/v1").name == ""
    assert [record.getMessage() for record in caplog.records if "unencrypted" in record.getMessage()] == [
        "nobody.example:8000 is asked unencrypted (http): others on the network can read prompts and replies"
    ]


def test_the_users_file_binds_keys_too(environment: Path) -> None:
    environment.write_text(
        "# hosts and variables\nteacher.example:8443: OTHER_KEY\n\njudge.example: 'OTHER_KEY'  # x\n"
    )
    assert endpoint_key("https://teacher.example:8443/v1").name == "OTHER_KEY"
    assert endpoint_key("https://judge.example/v1").name == "OTHER_KEY"
    keys.bind(["OPENAI_API_KEY@judge.example"])
    assert endpoint_key("https://judge.example/v1").name == "OPENAI_API_KEY"
    environment.write_text(f"judge.example: {KEY}\n")
    with pytest.raises(UsageError, match=r"Line 1 of .*keys\.yaml binds no key") as caught:
        endpoint_key("https://judge.example/v1")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "word", [KEY, "hf_secret@host", "OTHER_KEY", "OTHER_KEY@", "@host", f"{KEY}@host", "A B@host", "KEY@host/v1"]
)
def test_a_binding_names_a_variable_and_a_host(word: str) -> None:
    with pytest.raises(UsageError, match="Write NAME@HOST") as caught:
        keys.bind([word])
    assert KEY not in str(caught.value) and "hf_secret" not in str(caught.value)


def test_a_key_that_is_bound_and_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    keys.bind(["UNSET_KEY@teacher.example"])
    with pytest.raises(UsageError, match=r"\$UNSET_KEY, whose key is bound to teacher.example, is not set"):
        endpoint_key("https://teacher.example/v1")
    monkeypatch.delenv("OPENAI_API_KEY")
    assert endpoint_key("https://api.openai.com/v1").value == ""


@settings(max_examples=300)
@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40), st.text(max_size=8),
    st.binary(max_size=4), st.binary(max_size=4),
)  # fmt: skip
def test_a_key_is_masked_in_every_form(key: str, around: str, before: bytes, after: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTHER_KEY", key)
        patch.setenv(keys.KEYS, "OTHER_KEY@teacher.example")
        encoded = base64.b64encode(before + key.encode() + after).decode()
        for form in (key, quote(key, safe=""), json.dumps(key)[1:-1], f"Bearer {key}"):
            assert form not in mask_keys(around + form + around)
        for form in (encoded, encoded.translate(str.maketrans("+/", "-_"))):
            assert form not in mask_keys(form) and "[OTHER_KEY]" in mask_keys(form)


def test_a_recipe_binds_no_key() -> None:
    with pytest.raises(UsageError, match=r"has no option 'api_key_env' any more\. .*--key-env NAME@HOST"):
        Registry.discover().build("backend", {"use": "openai", "api_key_env": "AWS_SECRET_ACCESS_KEY"})
