"""The door of a server's replies: a real server on loopback that answers one request in a hostile way."""

from __future__ import annotations

import gzip
import json
import math
import re
import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.attack import mutate
from tests.attack.door import Door, FaultError, Runner
from tests.model.loopback import Loopback, Reply
from tests.suite import Suite, default_task

FEW = ("--inference", "none", "--draws", "100", "--permutations", "1", "--limit", "2")


def asking(server: Loopback, kind: str, more: str = "") -> list[str]:
    """Return the options of a run that asks a server."""
    url = server.url("chat/completions" if "chat" in kind else "completions")
    return ["--model", kind, "--model_args", f"model=m,base_url={url},max_retries=1,timeout=5{more}"]


def prompt_of(asked: dict[str, Any]) -> str:
    """Return the text that a request asks about."""
    if "messages" in asked:
        return str(asked["messages"][-1]["content"])
    prompt = asked["prompt"]
    return str(prompt if isinstance(prompt, str) else prompt[0])


def kind_text(prompt: str) -> str:
    """Return the good answer to a prompt."""
    return f"a kind reply, {zlib.crc32(prompt.encode()):x}"


def logprobs(prompt: str) -> list[float]:
    """Return the log-probability of every byte of a prompt, which is a token each."""
    raw = prompt.encode()
    return [-(zlib.crc32(raw[: n + 1]) % 512) / 256 for n in range(len(raw))]


def whole(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the good reply."""
    prompt = prompt_of(asked)
    if "messages" in asked:
        message = {"role": "assistant", "content": kind_text(prompt)}
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
    else:
        said = [None, *logprobs(prompt)[1:], -0.5]
        tops = [None, *({"x": v} for v in said[1:])]
        choice = {"index": 0, "text": prompt, "logprobs": {"token_logprobs": said, "top_logprobs": tops}}
    return {"id": "1", "object": "completion", "choices": [choice], "usage": {"total_tokens": 3}}


def healthy(asked: dict[str, Any]) -> Reply:
    """Answer well."""
    return Reply(json.dumps(whole(asked)).encode())


# --- hostile replies

CONTENTS: list[Any] = [
    None,
    "",
    " ",
    42,
    3.5,
    True,
    [],
    {},
    ["a", "b"],
    "\ud83d",
    "a\ud83db",
    "\0",
    "\x1b[2J\u202e",
    "{{ 7 * 7 }}",
]
CONTENTS += [
    "x" * 300_000,
    [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
    [{"type": "image_url", "image_url": {}}],
]
CONTENTS += [
    [{"type": "text", "text": 3}],
    [{"type": "text"}],
    [{"type": "refusal", "refusal": "no"}],
    {"text": "a"},
    "\u2028\r\n\t",
    "<think>a</think>b",
]
NUMBERS: list[Any] = [0.5, float("inf"), float("-inf"), float("nan"), "x", None, [], 1e-9, True, 10**400, -1e308]


def hostile(rng: Random, asked: dict[str, Any]) -> Reply:
    """Return a reply that is broken, or looks so."""
    good = whole(asked)
    choice = good["choices"][0]
    raw = json.dumps(good)

    def sent(change: Callable[[], Any] = lambda: None) -> Reply:
        change()
        return Reply(json.dumps(good, ensure_ascii=rng.random() < 0.8).encode("utf-8", "surrogatepass"))

    def content() -> None:
        if "message" in choice:
            choice["message"]["content"] = rng.choice(CONTENTS)
        else:
            said = choice["logprobs"]["token_logprobs"]
            said[rng.randrange(len(said) // 2, len(said))] = rng.choice(NUMBERS)

    def choices() -> None:
        other = json.loads(json.dumps(choice))
        other["index"] = rng.choice([1, 0, -1, "1", None, 2**70])
        good["choices"] = rng.choice([[choice, other], [other, choice], [other], [], None, {}, "x", [None], [[]]])

    ways: list[Callable[[], Reply]] = [
        lambda: sent(content),
        lambda: sent(content),
        lambda: sent(content),
        lambda: sent(choices),
        lambda: Reply(json.dumps(mutate.tree(rng, good)[0]).encode()),
        lambda: Reply(json.dumps(mutate.tree(rng, good)[0]).encode()),
        lambda: Reply(mutate.flipped(rng, raw.encode())),
        lambda: Reply(mutate.encoded(mutate.inserted(rng, raw, [*mutate.ODD, '"', "{", "NaN", "\\ud83d", "\\u0000"]))),
        lambda: Reply(
            rng.choice(
                [
                    b"",
                    b"null",
                    b"[]",
                    b"{}",
                    b"42",
                    b"<html>welcome</html>",
                    b"\xff\xfe",
                    b'{"error": "no"}',
                    b"[" * 5000,
                ]
            )
        ),
        lambda: Reply(raw.encode("utf-16"), headers={"content-type": "application/json; charset=utf-16"}),
        lambda: Reply(b"\xef\xbb\xbf" + raw.encode()),
        lambda: Reply(raw.encode(), status=rng.choice([201, 204, 301, 400, 401, 404, 418, 429, 500, 503])),
        lambda: Reply(b'{"error": {"message": "slow\\ndown \\u202e"}}', status=rng.choice([400, 429, 500])),
        lambda: Reply(raw.encode(), cut=True),
        lambda: Reply(
            raw.encode(), headers={"content-type": rng.choice(["text/html", "", "application/json; charset=nonsense"])}
        ),
        lambda: Reply(
            rng.choice([raw.encode(), gzip.compress(raw.encode()), gzip.compress(raw.encode())[:-9]]),
            headers={"content-type": "application/json", "content-encoding": rng.choice(["gzip", "deflate"])},
        ),
        lambda: Reply(raw.encode(), headers={"content-type": "application/json", "x-odd": "a" * 70_000}),
    ]
    return rng.choice(ways)()


STOP = object()
#: Whatever becomes of it, as it may be read in several ways.
ANY = object()


def _choice(reply: Reply) -> Any:
    """Return the one choice of a reply as another reader finds it; STOP, or ANY where that is a matter of taste."""
    if 300 <= reply.status < 400:
        return ANY
    if reply.status >= 400 or reply.cut:
        return STOP
    if (
        "content-encoding" in reply.headers
        or reply.headers.get("content-type") != "application/json"
        or len(str(reply.headers)) > 999
    ):
        return ANY
    if reply.status != 200 or reply.body[:3] == b"\xef\xbb\xbf":
        return ANY
    try:
        found = json.loads(reply.body)
    except UnicodeDecodeError:  # no UTF-8: requests guesses, aiohttp refuses
        return ANY
    except (ValueError, RecursionError):
        return STOP
    if not isinstance(found, dict) or not isinstance(found.get("choices"), list) or not found["choices"]:
        return STOP
    if len(found["choices"]) > 1 or not isinstance(found["choices"][0], dict) or found["choices"][0].get("index") != 0:
        return ANY
    return found["choices"][0]


def expected_text(reply: Reply) -> Any:
    """Return the text of a reply, None where it has none, STOP or ANY."""
    choice = _choice(reply)
    if choice is STOP or choice is ANY:
        return choice
    message = choice.get("message")
    if not isinstance(message, dict):
        return STOP
    text = message.get("content")  # Gemini leaves it out where thinking has used up the tokens: no answer, no fault
    if isinstance(text, list) and text:
        parts = [
            p["text"] if isinstance(p, dict) and p.get("type") == "text" and isinstance(p.get("text"), str) else None
            for p in text
        ]
        return STOP if None in parts else "".join(p or "" for p in parts)
    if text is None or text == []:
        return None if text is None else ANY
    return text if isinstance(text, str) else STOP


def expected_number(reply: Reply, start: int, end: int) -> Any:
    """Return the log-probability of the tokens from `start` to `end` of a reply, STOP or ANY."""
    choice = _choice(reply)
    if choice is STOP or choice is ANY:
        return choice
    held = choice.get("logprobs")
    said = held.get("token_logprobs") if isinstance(held, dict) else None
    if not isinstance(said, list) or len(said) != end + 1:
        return STOP
    if not isinstance(held, dict) or held.get("top_logprobs") != [None, *({"x": v} for v in logprobs_of(said))]:
        return ANY  # what the tokens' rivals have is not ours
    some = said[start:end]
    if any(type(v) not in (int, float) or v != v or v > 0 for v in some):
        return STOP
    return max(float(sum(some)), -1e4)


def logprobs_of(said: Sequence[Any]) -> Sequence[Any]:
    """Return all but the first."""
    return said[1:]


# --- the door


@dataclass
class Shared:
    """What all inputs share."""

    server: Loopback
    respond: Path
    rate: Path
    tokenizer: Path

    def words(self, chat: bool, concurrent: int) -> list[str]:
        """Return a run's words."""
        more = f",num_concurrent={concurrent}"
        if chat:
            return [
                "run",
                *asking(self.server, "local-chat-completions", more),
                "--tasks",
                str(self.respond),
                *FEW,
                "-o",
                "out",
            ]
        more += f",tokenizer={self.tokenizer},tokenizer_backend=huggingface,tokenized_requests=False"
        return ["run", *asking(self.server, "local-completions", more), "--tasks", str(self.rate), *FEW, "-o", "out"]


def byte_tokenizer(folder: Path) -> Path:
    """Save a tokenizer to which every byte is a token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({c: n for n, c in enumerate([*alphabet, "<eos>"])}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>").save_pretrained(folder)
    return folder


def prepare(folder: Path, run: Runner) -> Shared:
    """Write tasks, start the server, and have it asked once, which loads what takes long."""
    respond = Suite(folder / "respond").respond(generation_kwargs={"max_gen_toks": 8}).write()
    few = {"codings": ["letters"], "orders": ["ascending"], "max_off_scale": 1.0}
    rate = Suite(
        folder / "rate", task=default_task() | {"elicitation": few, "doc_to_text": "Rate {{ text }}\n{{ options }}\n"}
    ).write()
    shared = Shared(Loopback(healthy), respond.task_path, rate.task_path, byte_tokenizer(folder / "tokenizer"))
    for chat in (True, False):
        words = shared.words(chat, 2)
        run(*words[:-1], folder / "warm", valid=True)
    return shared


def replies(rng: Random, run: Runner, shared: Shared) -> bool:
    """Let the server answer one request in a hostile way; the same command on a healthy one goes on rightly."""
    chat, sent, lock = rng.random() < 0.6, dict[str, Reply](), threading.Lock()
    which, valid = rng.choice([0, 0, 1, 2] if chat else [0, 1, 4, 7]), rng.random() < 0.1

    def answering(asked: dict[str, Any]) -> Reply:
        with lock:
            prompt = prompt_of(asked)
            if not valid and (prompt in sent or len(sent) == which):
                return sent[prompt] if prompt in sent else sent.setdefault(prompt, hostile(rng, asked))
            return sent.setdefault(prompt, healthy(asked))

    shared.server.answer = answering
    words = shared.words(chat, rng.choice([1, 1, 3]))
    first = run(*words, valid=valid)
    run.said.append("\n".join(f"{r.status} {r.headers} {r.body[:2000]!r}" for r in sent.values()))
    before = _journal(chat, sent, done=first.code == 0)
    shared.server.answer = healthy
    if first.code or rng.random() < 0.2:
        again = run(*words)
        if again.code:
            raise FaultError("difference", f"the same command does not go on: {again.err}")
        after = _journal(chat, sent, done=True, later=True)
        if any(after[k] != v for k, v in before.items()):
            raise FaultError("difference", "an answer changed when the command was repeated")
    return first.code == 0


def _journal(chat: bool, sent: dict[str, Reply], *, done: bool, later: bool = False) -> dict[str, Any]:
    """Return the answers on disk, after holding each against what the server sent (or would send `later`)."""
    lines = [
        line for path in Path("out").glob("*/samples_*.jsonl") for line in path.read_bytes().splitlines(keepends=True)
    ]
    out: dict[str, Any] = {}
    for raw in lines:
        try:
            record = json.loads(raw)
            ((context, _),), (answer,) = record["arguments"], record["filtered_resps"]
        except (ValueError, KeyError, TypeError) as e:
            raise FaultError("difference", f"the journal has a line that is none: {raw[:80]!r}") from e
        out[record["key"]] = answer
        for found, expected in _compared(chat, record, context, answer, sent, later):
            if expected is not ANY and not _equal(found, expected):
                shown = "a stop" if expected is STOP else repr(expected)[:120]
                raise FaultError("difference", f"the journal has {found!r:.120}, expected {shown}")
    if done and len(out) != 2:
        raise FaultError("difference", f"finished with {len(out)} answers")
    if len(out) != len(lines):
        raise FaultError("difference", "an answer stands twice in the journal")
    return out


def _compared(
    chat: bool, record: dict[str, Any], context: str, answer: Any, sent: dict[str, Reply], later: bool
) -> list[tuple[Any, Any]]:
    if chat:
        prompt = str(record["doc"]["text"])
        reply = sent.get(prompt)
        if later and (reply is None or expected_text(reply) in (STOP, ANY) or answer == kind_text(prompt)):
            return [
                (
                    answer,
                    ANY
                    if answer == kind_text(prompt) or (reply and expected_text(reply) is ANY)
                    else kind_text(prompt),
                )
            ]
        return [(answer, expected_text(reply) if reply else STOP)]
    out = []
    for label, number in zip(record["arguments"][0][1], answer, strict=True):
        prompt, start = context + label, len(context.rstrip().encode())
        end = len(prompt.encode())
        good = sum(logprobs(prompt)[start:end])
        reply = sent.get(prompt)
        expected = expected_number(reply, start, end) if reply else STOP
        if later and _equal(number, good):
            expected = ANY
        out.append((number, expected))
    return out


def _equal(found: Any, expected: Any) -> bool:
    if expected is STOP:
        return False
    if isinstance(expected, float):
        return isinstance(found, float) and math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
    if expected == "":
        return found in ("", None)
    if isinstance(expected, str) and isinstance(found, str):
        return _replaced(found) == _replaced(expected)
    return bool(found == expected)


def _replaced(text: str) -> str:
    """Return a text with lone surrogates, and whatever stands for them, as one mark."""
    return re.sub("[\ud800-\udfff\ufffd?]+", "?", text)


DOORS = [Door("server", 12, replies, prepare)]
