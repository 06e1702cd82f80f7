"""``lm-plural judge``: whether a language model is fit to judge."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lm_plural.harness.cli.options import Words, add_tables, out_folder, parse_limit, whole

HELP = """Hold a language model as a judge of replies against the contrast set, and print its card.

  lm-plural judge check --model hf --model_args pretrained=smollm2-demo --rubrics toxicity --limit 4
  lm-plural judge check --model hf --model_args pretrained=org/name --device cuda
  lm-plural judge check --model openai-chat-completions --model_args model=NAME --samples 5

Where it passes, it may stand as a scorer: lm-plural run ... --scorers judge:toxicity,pretrained=org/name"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("what", choices=["check"], help="check: the contrast set through each rubric")
    add("--model", "-M", default="hf", metavar="NAME", help="backend of lm-eval (default hf)")
    pairs: dict[str, Any] = {"nargs": "+", "action": "extend", "default": [], "metavar": "K=V"}
    add("--model_args", "-a", **pairs, help="pretrained=..., dtype=..., base_url=...")
    add(
        "--rubrics",
        nargs="+",
        action=Words,
        default=None,
        metavar="NAME",
        help="names or YAML files (default all)",
    )
    drawn = "draw N answers a question, where a server has no log-probabilities"
    add("--samples", type=whole(1), metavar="N", help=drawn)
    add("--limit", "-L", type=parse_limit, metavar="N", help="first N prompts of each dimension, or a share below 1")
    add("--device", default="auto", metavar="DEVICE", help="cuda, cuda:0, cpu (default: the best there is)")
    add_tables(parser)
    where = "results and scores go to DIR/judge-.../ (default outputs)"
    add("--output_path", "-o", type=out_folder, default=Path("outputs"), metavar="DIR", help=where)


def execute(args: argparse.Namespace) -> int:
    """Run."""
    from lm_plural.harness.model.load import quiet

    quiet(None)
    from lm_plural.harness.jobs.judge import CONTRAST, check_judge
    from lm_plural.harness.model.arguments import parse_arguments
    from lm_plural.harness.report.contrast import card

    found = check_judge(
        model=args.model,
        model_args=parse_arguments(args.model_args, "--model_args"),
        rubrics=args.rubrics or (),
        samples=args.samples,
        limit=args.limit,
        device=args.device,
        output_path=args.output_path,
    )
    blocks = [o.content["audited"][CONTRAST] for o in found.outcomes.values() if o.content]
    name = " ".join(args.model_args) or args.model
    print(card(name, blocks, found.alike, limited=args.limit is not None, tables=args.tables))
    for outcome in found.outcomes.values():
        print(f"tables: lm-plural show {outcome.folder}")
    return 0
