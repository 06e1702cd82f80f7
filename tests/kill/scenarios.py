"""The commands that are killed, and what they begin with."""

from __future__ import annotations

import hashlib
import json
import random
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.data.upstream import Upstream, make_certificate
from tests.model.loopback import Asked, Reply, chat, serving
from tests.suite import Suite

Words = tuple[str, ...]


@dataclass(frozen=True)
class Scenario:
    """A command, what comes before it, and its share of the kills.

    Parameters
    ----------
    name : str
    share : int
        Of 200 kills.
    words : tuple of str
    first : tuple
        Commands that make what it begins with.
    without : tuple of str
        What of that is removed (globs).
    files : callable
        Writes more that it begins with into a folder.
    ordered : bool
        Its answers come in the same order every time.
    model : bool
        The embedded model is there, converted.
    done : str
        What the command may say instead of succeeding when it is repeated after it had finished.
    env : mapping
    """

    name: str
    share: int
    words: Words
    first: tuple[Words, ...] = ()
    without: Words = ()
    files: Callable[[Path], object] = lambda _: None
    ordered: bool = True
    model: bool = False
    done: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


def command(text: str) -> Words:
    return tuple(text.split())


def write_archive(place: Path) -> None:
    """Write a data set whose ratings lie in an archive."""
    suite = Suite(place / "sets").write()
    ratings, archive = suite.folder / "ratings.csv", suite.folder / "ratings.zip"
    with zipfile.ZipFile(archive, "w") as z:
        z.write(ratings, "ratings.csv")
    ratings.unlink()
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    suite.recipe["files"]["ratings.csv"] = {"path": "ratings.zip", "member": "ratings.csv", "sha256": digest}
    suite.write()
    ratings.unlink()


#: A task with one wording.
RATE = Path(__file__).resolve().parents[1] / "run" / "rate.yaml"
READ = command("data show plural_demo --dimension toxicity")
FEW = "--axes gender --draws 200"
DUMMY = command(f"run --model dummy --tasks plural_demo_toxicity plural_demo_respond --limit 12 -b 4 {FEW} -o out")
SMOL = "run --model_args pretrained=smollm2-demo --gen_kwargs max_gen_toks=8 -b 4 -o out --limit"
REAL = command(f"{SMOL} 3 --tasks {RATE} plural_demo_respond {FEW}")
EXPORT = command("data export plural_demo --dimension toxicity -o long.csv")

AUDIT = command(f"audit --scorer profanity --tasks plural_demo_toxicity --text response --limit 40 {FEW} -o out")
PICTURES = command("disaggregate --ratings long.csv --scale 1,2,3,4,5 --axes gender -o out/my.json --plots out")
CONVERT = command(f"{SMOL} 1 --tasks {RATE} --predict_only")
NO_SCORES, NO_RESULTS = "out/*/scores_*", "out/*/results_*"

LOCAL = (
    Scenario("run, dummy model", 36, DUMMY, first=(READ,)),
    Scenario("run, SmolLM2-135M", 24, REAL, first=(READ,), model=True),
    Scenario("score", 14, command(f"score out/dummy-* {FEW}"), first=(DUMMY,), without=(NO_SCORES, NO_RESULTS)),
    Scenario("run, results only", 20, DUMMY, first=(DUMMY,), without=(NO_RESULTS,)),
    Scenario(
        "data import",
        16,
        command("data import long.csv --dataset mine --direction lower --to sets"),
        first=(EXPORT,),
        done="is there",
    ),
    Scenario("data show, cache of ratings", 16, command("data show plural_demo")),
    Scenario("data show, out of an archive", 6, command("data show tiny --include_path sets"), files=write_archive),
    Scenario("data export", 8, command("data export plural_demo --dimension toxicity -o out/long.parquet")),
    Scenario("audit", 8, AUDIT),
    Scenario("disaggregate with pictures", 8, PICTURES, first=(EXPORT,)),
    Scenario("ls --lm-eval-path", 4, command("ls --lm-eval-path")),
    Scenario("conversion of the embedded model", 4, CONVERT, first=(READ,)),
)


def by_question(asked: Asked) -> Reply:
    """Answer by what is asked: the same question with the same seed gets the same answer, as of a good server."""
    rng = random.Random(json.dumps([asked["messages"], asked.get("seed"), asked.get("temperature")]))
    time.sleep(rng.uniform(0, 0.05))
    text = " ".join(rng.choice(("yes", "no", "damn", "kind", "people", "idiot")) for _ in range(8))
    return Reply(chat(json.dumps(text)))


@contextmanager
def chat_server() -> Iterator[Scenario]:
    """Serve, and yield the run against it."""
    with serving(by_question) as server:
        args = f"model=m,base_url={server.url()},num_concurrent=2"
        words = f"run --model local-chat-completions --model_args {args} --tasks plural_demo_respond --limit 8 {FEW}"
        yield Scenario("run, chat server", 18, command(f"{words} -o out"), first=(READ,), ordered=False)


#: Bytes of the file that is fetched.
CONTENT = random.Random(0).randbytes(1_000_000)


@contextmanager
def file_server(folder: Path) -> Iterator[Scenario]:
    """Serve, and yield the fetch of its file."""
    pem = make_certificate(folder)
    server = Upstream(pem)
    server.content = CONTENT

    def write(place: Path) -> None:
        suite = Suite(place / "sets")
        suite.recipe["files"]["ratings.csv"] |= {"url": server.url, "sha256": server.sha256}
        suite.write()
        (suite.folder / "ratings.csv").unlink()

    words = command("data fetch tiny --private --include_path sets")
    env = {"REQUESTS_CA_BUNDLE": str(pem), "NO_PROXY": "127.0.0.1"}
    yield Scenario("data fetch", 18, words, files=write, env=env)
    server.stop()


@contextmanager
def scenarios(folder: Path, only: str = "") -> Iterator[Sequence[Scenario]]:
    """Yield those whose name holds `only`, their servers running."""
    with ExitStack() as stack:
        served = [stack.enter_context(s) for s in (chat_server(), file_server(folder))]
        yield [s for s in [*LOCAL, *served] if only in s.name]
