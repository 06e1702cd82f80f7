"""Make the table of presets in docs/scorers.md from their files in scorers/presets.

python docs/make_presets.py            # writes the section
python docs/make_presets.py --check    # exit code 1 if it is not up to date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lm_plural.scorers.classifiers.preset_file import Preset, load_preset, preset_names

PAGE = Path(__file__).parent / "scorers.md"
BEGIN, END = "<!-- made by docs/make_presets.py -->\n", "<!-- end -->\n"
HEADS = {
    "softmax": "labels that share one probability",
    "sigmoid": "labels with a probability each",
    "reward": "P(better than the reference)",
    "guard": "probability of its labels",
}


def section() -> str:
    """Return the section."""
    presets = {name: load_preset(name) for name in preset_names()}
    columns = ("preset", "dimensions", "model", "licence", "languages", "score")
    table = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    table += [_row(name, found) for name, found in presets.items()]
    alike: dict[tuple[str, str, str], list[str]] = {}
    for name, found in presets.items():
        alike.setdefault((found.measures, found.caution, found.source), []).append(f"`{name}`")
    words = [
        f"* {', '.join(names)}: {measures} *Caution*: {caution} *From*: {source}"
        for (measures, caution, source), names in alike.items()
    ]
    return "\n".join([*table, "", *words, ""])


def _row(name: str, found: Preset) -> str:
    model = f"[{found.model}]({found.licence_url}), {found.size}" + (", gated" if found.gated else "")
    pinned = f", at `{found.revision[:12]}`" if found.revision else ""
    how = HEADS[found.head] + (", of the worst sentence" if found.unit == "sentence" else "")
    cells = f"`{name}`", ", ".join(found.dimensions), model + pinned, found.licence, " ".join(found.languages), how
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    """Write or check the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    made = before + BEGIN + section() + END + after
    if not parser.parse_args().check:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if made == text:
        return 0
    print(f"{PAGE}: not up to date; run python docs/make_presets.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
