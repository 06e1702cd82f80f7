"""Secrets planted in every argument, and every output searched for them."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.model.loopback import Asked, Reply, chat, serving
from tests.suite import Suite

#: What is planted, by where.
PLACES = [
    "user",
    "password",
    "query",
    "sig",
    "api_key",
    "token",
    "auth",
    "bearer",
    "credentials",
    "cookie",
    "access_key",
]
PLACES += ["client_secret", "nested", "deep", "header", "cookie_header", "gen_key", "gen_nested", "gen_auth"]
PLACES += ["environment", "hub"]
PLANTS = {where: f"Pl4nt-{n}-{where}" for n, where in enumerate(PLACES)}
SHAPED = "sk-proj-" + "Pl4nt" * 8


def echo(asked: Asked) -> Reply:
    """Say what was sent."""
    return Reply(chat(json.dumps(f"kind words, {asked.sent}")))


def refuse(asked: Asked) -> Reply:
    """Say what was sent in refusing it."""
    return Reply(json.dumps({"error": {"message": f"wrong key: {asked.sent}"}}).encode(), 401)


def planted(port: int) -> tuple[list[str], dict[str, str]]:
    """Return words of a command and an environment full of secrets."""
    p = PLANTS
    where = f"http://{p['user']}:{p['password']}@127.0.0.1:{port}/v1/chat/completions?key={p['query']}&sig={p['sig']}"
    names = ("api_key", "token", "auth", "bearer", "credentials", "cookie", "access_key", "client_secret")
    args = {
        "model": "m",
        "base_url": where,
        "max_retries": 1,
        "timeout": 5,
        **{name: p[name] for name in names},
        "header": {"Authorization": f"Bearer {p['header']}", "Cookie": f"session={p['cookie_header']}"},
        "extra": {"auth_token": p["nested"], "list": [{"password": p["deep"]}], "note": SHAPED},
    }
    gen = {"max_gen_toks": 8, "api_key": p["gen_key"], "extra": {"secret": p["gen_nested"], "auth": p["gen_auth"]}}
    words = ["--model", "local-chat-completions", "--model_args", json.dumps(args), "--gen_kwargs", json.dumps(gen)]
    words += ["--system_instruction", f"Be kind. The key is {SHAPED}.", "--limit", "1"]
    return words, {"OPENAI_API_KEY": p["environment"], "HF_TOKEN": p["hub"]}


def run(command: Callable, suite: Suite, port: int, *more: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run it, and return everything it printed and wrote."""
    words, env = planted(port)
    out = suite.root.parent / "out"
    tasks = ["--tasks", "tiny_rate", "--include_path", str(suite.root), "-o", str(out)]
    cache = suite.root.parent / "cache"
    done = command("run", *words, *tasks, *more, LM_PLURAL_CACHE=str(cache), **env)
    files = [p for folder in (out, cache) for p in folder.rglob("*") if p.is_file()]
    assert files
    return done, "\n".join(
        [done.stdout, done.stderr, *map(str, files), *(p.read_text(encoding="latin-1") for p in files)]
    )


def leaks(text: str) -> list[str]:
    """Return the plants a text holds, in any of the ways they are sent."""
    basic = base64.b64encode(f"{PLANTS['user']}:{PLANTS['password']}".encode()).decode()
    return [s for s in (*PLANTS.values(), *map(quote, PLANTS.values()), SHAPED, "Pl4nt", basic) if s in text]


@pytest.fixture
def asked(suite: Suite) -> Suite:
    return suite.respond().write()


def test_a_run_writes_and_prints_none_and_its_server_answers_with_them(command: Callable, asked: Suite) -> None:
    with serving(echo) as server:
        done, text = run(command, asked, server.server_port)
    assert done.returncode == 0, done.stderr
    assert leaks(text) == []
    assert "kind words" in text
    assert "***" in text
    (folder,) = (asked.root.parent / "out").iterdir()
    score = command("score", folder)
    assert score.returncode == 0, score.stderr
    assert "nothing new" in score.stdout


def test_a_server_that_refuses_a_key_and_says_so(command: Callable, asked: Suite) -> None:
    with serving(refuse) as server:
        done, text = run(command, asked, server.server_port, "--verbosity", "debug")
    assert done.returncode == 1
    assert "API request failed" in done.stderr  # lm-eval's own log
    assert "failed to answer" in done.stderr
    assert leaks(text) == []


def test_a_server_that_is_not_there(command: Callable, asked: Suite) -> None:
    done, text = run(command, asked, 9, "--verbosity", "debug")
    assert done.returncode == 1
    assert "at http://***@127.0.0.1:9/v1/chat/completions?key=***&sig=***" in done.stderr
    assert leaks(text) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--model_args", "api_key:Pl4nt-1-abc"], 2),
        (["--model_args", "api_key=Pl4nt-1-abc", "Pl4nt-1-abc"], 2),
        (["--model_args", '{"api_key": "Pl4nt-1-abc"}x'], 2),
        (["--model_args", "base_url=http://user:Pl4nt-1-abc@h", "--nonsense=Pl4nt-1-abc"], 2),
        (["--model_args", "pretrained=Pl4nt-1-abc", "token=Pl4nt-1-abc"], 1),
        (["--gen_kwargs", "max_gen_toks=Pl4nt-1-abc", "password=Pl4nt-1-abc"], 2),
        (["--include_path", "http://user:Pl4nt-1-abc@host"], 2),
        (["--config", "CONFIG"], 2),
    ],
)
def test_errors_about_the_command_line_hold_none(
    words: list[str], code: int, asked: Suite, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from lm_plural.harness.cli.main import main

    config = tmp_path / "config.yml"
    config.write_text("model_args: {api_key: Pl4nt-1-abc, model: [Pl4nt-1-abc]}\nlimit: Pl4nt-1-abc\n")
    words = [str(config) if w == "CONFIG" else w for w in words]
    base = ["run", "-t", "tiny_rate", "--include_path", str(asked.root), "-o", str(tmp_path / "out")]
    assert main([*base, *words]) == code
    out, err = capfd.readouterr()
    assert len(err.splitlines()) == 1
    assert "Pl4nt" not in out + err


def test_a_run_without_secrets_has_the_identity_it_always_had() -> None:
    from lm_plural.harness.hashing import digest
    from lm_plural.harness.model.spec import ModelSpec

    args = {"model": "m", "base_url": "http://localhost:8000/v1?api-version=1", "eos_token": "</s>", "timeout": 3}
    gen = {"until": ["\n\n"], "temperature": 0.5, "extra_body": {"min_p": 0.1}}
    spec = ModelSpec("local-completions", args, False, "Answer shortly.", gen)
    identity = {k: v for k, v in spec.identity.items() if k != "versions"}
    assert identity == {
        "model": "local-completions",
        "model_args": {k: args[k] for k in ("base_url", "eos_token", "model")},
        "weights": None,
        "adapter": None,
        "dtype": "auto",
        "chat_template": False,
        "system_instruction": "Answer shortly.",
        "gen_kwargs": gen,
        "seed": 1234,
    }
    assert digest(identity) == "4f530f27af9fe9ae"


def test_the_identity_is_hashed_over_the_redacted_form() -> None:
    from lm_plural.harness.model.spec import ModelSpec

    def spec(secret: str) -> ModelSpec:
        where = f"http://user:{secret}@host/v1?api_key={secret}"
        return ModelSpec("local-completions", {"model": "m", "base_url": where}, gen_kwargs={"auth": secret})

    assert spec("Pl4nt-1-abc").hash == spec("Pl4nt-2-abc").hash
    assert "Pl4nt" not in json.dumps([spec("Pl4nt-1-abc").identity, spec("Pl4nt-1-abc").name])
