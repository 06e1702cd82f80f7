"""Potato and Label Studio are started, scripted raters rate, and the import is compared with what they said.

``python -m tests.annotate --envs build/annotate --output docs/annotate.md``; the environments are made where they are
missing. Keeps what the tools wrote with ``--keep DIR``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from lm_plural.harness.annotate.manifest import Item
from lm_plural.harness.annotate.people import salt
from lm_plural.harness.annotate.rows import read_csv, to_csv
from tests.annotate import served
from tests.annotate.scripted import CARELESS, RATERS, Opinions, mismatches
from tests.sections import write_section

PACKAGES = {"potato": "potato-annotation==2.12.1", "label_studio": "label-studio==1.23.2"}
HEAD = """`{command}`, {today}, {seconds:.0f} seconds on {cores} cores.

Each tool is started on 127.0.0.1 in an environment of its own. Three scripted raters rate a block each and say
something of themselves; a fourth answers attention checks wrong. The first rater changes an answer in Potato. What
`annotate import` writes is compared with what they said, rating by rating and group by group.
"""


def environment(tool: str, envs: Path) -> Path:
    """Return the folder of a tool's programs; its environment is made where it is missing."""
    place = envs / tool
    if not (place / "ready").exists():
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        python = str(place / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", "uv"], check=True)
        install = [str(place / "bin" / "uv"), "pip", "install", "-q", "-p", python, PACKAGES[tool]]
        subprocess.run(install, check=True)
        (place / "ready").touch()
    return place / "bin"


def lm_plural(*words: object) -> str:
    done = subprocess.run([sys.executable, "-m", "lm_plural", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"lm-plural {' '.join(map(str, words))}: {done.stderr}")
    return done.stdout


def with_csv(folder: Path, _: Path, opinions: Opinions) -> tuple[Path, dict[str, list[str]]]:
    """Fill in sheets as raters do with a spreadsheet, with semicolons and words in the place of levels."""
    to, rated = folder.parent / "csv_back", {}
    to.mkdir()
    blocks = sorted((folder / "csv").glob("block_*.csv"))
    for n, rater in enumerate((*RATERS, CARELESS)):
        header, rows = read_csv(blocks[n % len(blocks)])
        rated[rater] = [row["item_id"] for _, row in rows]
        for _, row in rows:
            row |= {
                d: opinions.form.levels[opinions.level(rater, row["item_id"], d)] for d in opinions.manifest.dimensions
            }
        text = to_csv(header, ([row[c] for c in header] for _, row in rows))
        (to / f"{rater}.csv").write_text(text, encoding="utf-8-sig")
    axes = opinions.manifest.axes
    people = [[r, *(opinions.form.choices(a)[opinions.about(r, a)] for a in axes)] for r in rated]
    (to / "about_you.csv").write_text(to_csv(["rater_id", *axes], people), encoding="utf-8-sig")
    return to, rated


def with_potato(folder: Path, programs: Path, opinions: Opinions) -> tuple[Path, dict[str, list[str]]]:
    place, port = folder / "potato", served.free_port()
    command = [str(programs / "potato"), "start", "config.yaml", "-p", str(port), "--host", served.LOOPBACK]
    with served.serving(command, place, port, folder.parent / "potato.log", {"HOME": str(folder.parent)}) as address:
        rated = {rater: served.rate_in_potato(address, rater, opinions) for rater in (*RATERS, CARELESS)}
    return place / "annotation_output", rated


def with_label_studio(folder: Path, programs: Path, opinions: Opinions) -> tuple[Path, dict[str, list[str]]]:
    port, back = served.free_port(), folder.parent / "label_studio_back"
    command = [str(programs / "label-studio"), "start", "--no-browser", "--internal-host", served.LOOPBACK]
    command += ["--port", str(port), "--data-dir", str(folder.parent / "label_studio_data")]
    command += ["--username", "admin@example.org", "--password", served.SECRET, "--user-token", served.TOKEN]
    env = {**served.QUIET, "HOME": str(folder.parent), "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true"}
    with served.serving(command, folder, port, folder.parent / "label_studio.log", env) as address:
        projects = served.set_up_label_studio(address, folder / "label_studio")
        blocks = [name for name in projects if name.startswith("block_")]
        rated = {
            rater: served.rate_in_label_studio(address, rater, opinions, projects, blocks[n % len(blocks)])
            for n, rater in enumerate((*RATERS, CARELESS))
        }
        served.export_label_studio(address, projects, back)
    return back, rated


WAYS: dict[str, Callable[[Path, Path, Opinions], tuple[Path, dict[str, list[str]]]]] = {
    "csv": with_csv,
    "potato": with_potato,
    "label_studio": with_label_studio,
}


def one_tool(tool: str, run: Path, at: Path, envs: Path) -> list[str]:
    """Export, rate, import, compare; return a row of the report."""
    start, folder = time.monotonic(), at / tool
    sizes = ["--items", 12, "--items_per_rater", 6, "--raters_per_item", 3]
    lm_plural("annotate", "export", run, "--tool", tool, *sizes, "--dimensions", "toxicity,helpfulness", "-o", folder)
    programs = environment(tool, envs) if tool in PACKAGES else at
    opinions = Opinions.of(folder)
    back, rated = WAYS[tool](folder, programs, opinions)
    print(lm_plural("annotate", "import", folder, back, "--simulated"))
    counted = {
        (rater, item)
        for rater, items in rated.items()
        for item in items
        if rater != CARELESS and isinstance(opinions.manifest.by_id[item], Item)
    }
    n, wrong = mismatches(folder, opinions, counted, salt([folder]))
    excluded = json.loads(next(iter(sorted(folder.glob("results_*.json")))).read_text())["excluded"]
    if len(excluded) != 1:
        wrong.append(f"{len(excluded)} raters excluded, expected 1")
    for line in wrong:
        print(f"{tool}: {line}", file=sys.stderr)
    given = len(counted) * len(opinions.manifest.dimensions)
    name = PACKAGES.get(tool, tool).replace("==", " ")
    cells = [name, 4, 1, given, n, len(wrong), f"{time.monotonic() - start:.0f}"]
    return [str(c) for c in cells]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.annotate", description=__doc__)
    parser.add_argument("--envs", type=Path, default=Path("build/annotate"), help="environments of the tools")
    parser.add_argument("--tools", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--keep", type=Path, help="folder for what the tools wrote")
    parser.add_argument("--output", type=Path, help="page whose section is written")
    args = parser.parse_args()
    start = time.monotonic()
    with TemporaryDirectory() as temporary:
        at = args.keep or Path(temporary)
        at.mkdir(parents=True, exist_ok=True)
        os.environ["LM_PLURAL_RATER_SALT"] = str(at / "salt")
        words = ["--model", "hf", "--model_args", "pretrained=smollm2-demo", "--tasks", "plural_demo_respond"]
        lm_plural("run", *words, "--limit", 24, "--output_path", at / "outputs")
        (run,) = (at / "outputs").iterdir()
        rows = [one_tool(tool, run.resolve(), at.resolve(), args.envs.resolve()) for tool in args.tools]
    header = ["tool", "raters", "excluded", "ratings said", "ratings and answers read", "different", "seconds"]
    lines = ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *rows)]
    command = f"python -m tests.annotate {' '.join(sys.argv[1:])}".strip()
    seconds = time.monotonic() - start
    head = HEAD.format(command=command, today=date.today(), seconds=seconds, cores=os.cpu_count())
    text = "\n".join([head, *lines]) + "\n"
    print(text)
    if args.output:
        write_section(args.output, "Tried with the tools themselves", text)
    return int(any(row[-2] != "0" for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
