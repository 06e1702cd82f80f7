"""What is a secret by its name, by its shape, or because it was given as one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_plural.harness.redact import forget, is_secret, message, redacted, remember, star_record, starred
from tests.suite import quick


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    forget()
    yield
    forget()


NAMES = ["api_key", "apiKey", "OPENAI_API_KEY", "token", "auth_token", "header", "headers", "auth", "Authorization"]
NAMES += [
    "bearer",
    "credentials",
    "password",
    "passwd",
    "client_secret",
    "x-api-key",
    "cookie",
    "sig",
    "X-Amz-Signature",
]
PLAIN = ["eos_token", "prefix_token", "add_bos_token", "max_tokens", "max_gen_toks", "pretrained", "author", "design"]
PLAIN += ["tokenizer", "tokenized_requests", "base_url", "eos_token_id", "keyword", "temperature", "until", "bearing"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)
    assert redacted({"a": [{name: "x"}], name: {"b": 1}}) == {"a": [{name: "***"}], name: "***"}


@pytest.mark.parametrize("name", PLAIN)
def test_names_of_other_things(name: str) -> None:
    assert not is_secret(name)


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://user:pass@host:80/v1", "http://***@host:80/v1"),
        ("https://gh_token@host/a", "https://***@host/a"),
        ("http://host/v1?api_key=abc&v=1&sig=xyz#x", "http://host/v1?api_key=***&v=1&sig=***#x"),
        ("http://host/?X%2DApi-Key=abc", "http://host/?X%2DApi-Key=***"),
        ("Authorization: Bearer abc-123", "Authorization: Bearer ***"),
        ("{'Authorization': 'abcdef'}", "{'Authorization': '***'}"),
        ('{"api_key": "abcdef", "a": 1}', '{"api_key": "***", "a": 1}'),
        ("'api_key:hunter2' is not key=value", "'api_key:***' is not key=value"),
        ("password=hunter2, next", "password=***, next"),
        ("Basic dXNlcjpwYXNz", "Basic ***"),
        ("key sk-proj-" + "aB3_" * 12 + " wrong", "key *** wrong"),
        ("hf_" + "aB" * 17, "***"),
        ("AKIAIOSFODNN7EXAMPLE", "***"),
        ("ghp_" + "a1" * 18, "***"),
        (f"<{JWT}>", "<***>"),
        (f"a {PEM} b", "a *** b"),
    ],
)
def test_shapes_of_secrets(text: str, expected: str) -> None:
    assert message(text) == expected
    assert redacted({"a": [text]}) == {"a": [expected]}


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:8000/v1/chat/completions?api-version=2024-02-01&user=me",
        "mail me@example.com, or see http://example.com/@me",
        "say key: words or mean; expected key=value",
        "sk-learn-transformers-large-v2, a desk-based-study, hf_classifier",
        "Bearer authentication failed, basic training; Basic Authentication",
        "file.yaml:3: unknown key 'tokens'; did you mean 'token'?",
        "the password must be at least 8 characters; secrets are starred out",
    ],
)
def test_shapes_of_other_things(text: str) -> None:
    assert message(text) == text
    assert redacted(text) == text


@quick
@given(
    st.recursive(
        st.none() | st.integers() | st.text(alphabet="ab :/.\n"),
        lambda v: st.lists(v) | st.dictionaries(st.text("ab"), v),
    )
)
def test_what_holds_no_secret_stays_as_it_is(value: object) -> None:
    assert redacted(value) == value


PLANT = "S3cret/plant"


@pytest.mark.parametrize(
    "arguments",
    [
        {"api_key": PLANT},
        {"header": {"X-Any": PLANT, "Content-Type": "application/json"}},
        ["--model_args", "model=m", f"api_key={PLANT}"],
        ["--model_args", json.dumps({"model": "m", "api_key": PLANT})],
        ["--scorer", f"judge:token={PLANT},model=m"],
        {"base_url": "http://user:S3cret%2Fplant@host"},
        {"base_url": f"http://host/?api_key={PLANT}"},
        {"header": f"Authorization: Bearer {PLANT}"},
    ],
)
def test_a_secret_once_given_is_starred_wherever_it_stands(arguments: object) -> None:
    remember(arguments)
    assert starred(f"wrong key <{PLANT}>, GET /?k=S3cret%2Fplant") == "wrong key <***>, GET /?k=***"
    record = {"key": "k", "doc": {"text": f"{PLANT} application/json"}, "resps": [[PLANT]]}
    star_record(record)
    assert record == {"key": "k", "doc": {"text": "*** application/json"}, "resps": [["***"]]}


def test_a_secret_that_json_escapes() -> None:
    remember({"api_key": (secret := 'S3c"ret\\ö')})
    for plain in (True, False):
        assert json.loads(starred(json.dumps([secret], ensure_ascii=plain))) == ["***"]


@pytest.mark.parametrize("value", ["EMPTY", "none", "dummy", "security", "12345678", "0.12345678", "***", ""])
def test_what_may_stand_anywhere_is_not_starred_in_data(value: str) -> None:
    remember({"api_key": value})
    text = f"a {value} b, no {value}"
    assert starred(text) == text


def test_data_that_look_like_a_secret_are_data() -> None:
    text = "my password=hunter2, http://user:pass@host, ghp_" + "a1" * 18
    assert starred(text) == text
    record = {"key": "k", "doc": {"api_key": text}}
    star_record(record)
    assert record == {"key": "k", "doc": {"api_key": text}}


def test_secrets_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "HF_TOKEN", "MY_PASSWORD"):
        monkeypatch.setenv(name, f"plant-9-{name}")
        forget()
        assert starred(f"<plant-9-{name}>") == "<***>"
    monkeypatch.setenv("MAX_TOKENS", "plant-9-other")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", __file__)
    forget()
    assert starred(f"plant-9-other {__file__}") == f"plant-9-other {__file__}"


@pytest.mark.parametrize("part", ["A", "sk-", " sk-a", "a.b-", "&a=", "x://a", "a:", "bearer ", "password:", "eyJ"])
def test_a_long_text_is_looked_through_in_no_time(part: str) -> None:
    start = time.process_time()
    remember([part * 20_000])
    message(part * 20_000)
    forget()
    assert time.process_time() - start < 5  # a quadratic search took minutes
