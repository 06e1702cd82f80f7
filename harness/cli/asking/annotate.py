"""``lm-plural annotate``: people rate a run's own responses."""

from __future__ import annotations

import argparse
from pathlib import Path

from lm_plural.harness.cli.options import Words, add_axes, add_inference, inference_of, out_folder, parse_axes, whole

HELP = """Have people rate a model's own responses: the strong evidence of a respond task.

  lm-plural annotate export outputs/smollm2-demo-1a2b3c4d --tool potato --output_path to_rate
  lm-plural annotate import to_rate to_rate/potato/annotation_output
  lm-plural annotate import to_rate ratings.csv --raters prolific_export.csv

export draws a sample and writes forms (CSV, Potato, Label Studio); import keeps the ratings that count, as hashes of
people, and prints what each group thinks of the responses (docs/annotate.md)."""
MOST = 1_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs below this one."""
    below = parser.add_subparsers(dest="what", required=True, metavar="export|import")
    for name, text, add in (
        ("export", "draw a sample of a run's responses and write forms for raters", _add_export),
        ("import", "read what raters said, and print what each group thinks", _add_import),
    ):
        add(
            below.add_parser(
                name, help=text, description=text, formatter_class=parser.formatter_class, allow_abbrev=False
            )
        )


def _add_export(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="folder of a finished run: <output_path>/<model>/")
    add("--tool", choices=["csv", "potato", "label_studio"], default="csv", help="whose forms to write (default csv)")
    add("--output_path", "-o", type=out_folder, required=True, metavar="DIR", help="folder to be made")
    add("--task", metavar="TASK", help="respond task of the run, where it has several")
    text = "what to ask for, of those the data set has (default the task's)"
    add("--dimensions", nargs="+", action=Words, default=[], metavar="NAME", help=text)
    add("--items", type=whole(1, MOST), default=100, metavar="N", help="responses to draw, one a prompt (default 100)")
    add("--items_per_rater", type=whole(1, MOST), default=20, metavar="N", help="in a block (default 20)")
    text = "planned raters of each block, of all groups (default 20)"
    add("--raters_per_item", type=whole(1, MOST), default=20, metavar="N", help=text)
    text = "asked of raters after rating, as in the data set (default the task's)"
    add("--axes", nargs="+", action=Words, default=None, metavar="AXIS", help=text)
    text = "score: thirds by the scorer's scores (default); none; or a field of the items"
    add("--strata", default="score", metavar="FIELD", help=text)
    text = "how many of each stratum: by its share of all responses (default), or as many of each"
    add("--allocation", choices=["proportional", "equal"], default="proportional", help=text)
    add("--language", metavar="LANG", help="of prompts and form, where the run has several")
    add("--form", type=Path, metavar="FILE", help="your own words: an edited form.yaml of an export")
    add("--seed", type=whole(0), default=0, metavar="N", help="of the draw (default 0)")


def _add_import(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="what export wrote")
    text = "file or folder: Potato's annotation_output, Label Studio's JSON, CSV"
    add("ratings", type=Path, metavar="RATINGS", help=text)
    text = "what raters say of themselves (rater_id, axes), or Prolific's file of participants (status and consent)"
    add("--raters", type=Path, metavar="FILE", help=text)
    add("--run", type=Path, metavar="RUN", help="where the run is now, if it was moved")
    add("--scorer", metavar="NAME", help="whose scores stand beside the ratings (default the first of the dimension)")
    add("--simulated", action="store_true", help="say that a program gave the ratings, wherever they show")
    add_axes(parser)
    add_inference(parser)
    add("--tables", action="store_true", help="print every table instead of one screen (later: lm-plural show)")


def execute(args: argparse.Namespace) -> int:
    """Run."""
    return _export(args) if args.what == "export" else _import(args)


def _export(args: argparse.Namespace) -> int:
    from lm_plural.harness.jobs.annotate import annotate_export
    from lm_plural.harness.report.layout import paragraphs

    done = annotate_export(
        args.run,
        output_path=args.output_path,
        tool=args.tool,
        task=args.task,
        dimensions=args.dimensions,
        items=args.items,
        items_per_rater=args.items_per_rater,
        raters_per_item=args.raters_per_item,
        axes=args.axes,
        strata=args.strata,
        allocation=args.allocation,
        language=args.language,
        form=args.form,
        seed=args.seed,
    )
    m = done.manifest
    shares = [f"{name} {sum(i.stratum == name for i in m.items)} of {len(ids)}" for name, ids in m.strata.items()]
    told = [
        f"{m.model_name}, {m.task}: {len(m.items)} of {m.n_prompts} prompts drawn, one response of each",
        f"strata: {', '.join(shares)}",
        f"{len(m.blocks)} blocks, no item in two; {m.raters_per_item} raters each, "
        f"{m.raters_per_item * len(m.blocks)} in all; {len(m.checks)} attention checks",
        f"asked: {', '.join(m.dimensions)}; then of raters: {', '.join(m.axes) or 'nothing'}",
        done.pilot,
    ]
    print(paragraphs(told, hang=2, width=80))
    how = [line if line.startswith(" ") else paragraphs([line], width=80) for line in done.how_to]
    print("", *how, "", f"written to {done.folder}; give raters only what is in {m.tool}/", sep="\n")
    return 0


def _import(args: argparse.Namespace) -> int:
    from lm_plural.harness.jobs.annotate import annotate_import
    from lm_plural.harness.report.layout import paragraphs
    from lm_plural.harness.report.summary import summary, where_tables

    outcome = annotate_import(
        args.folder,
        args.ratings,
        raters=args.raters,
        run=args.run,
        scorer=args.scorer,
        axes=parse_axes(args.axes),
        **inference_of(args),
        simulated=args.simulated,
    )
    assert outcome.content is not None
    where = f"{'results written to' if outcome.new else 'nothing new; the same results are in'} {outcome.path}"
    if args.tables:
        from lm_plural.harness.report.table import render_annotated

        print(render_annotated(outcome.content), where, sep="\n\n")
        return 0
    content = outcome.content
    out = len(content["excluded"])
    simulated = all(block["simulated_raters"] for block in content["annotated"].values())
    kind = "" if simulated else ", the strong evidence of a respond task"
    title = f"{content['model_name']}: its own responses as people rate them{kind}"
    counted = [f"{out} raters excluded"] * bool(out) + [f"{n} {what}" for what, n in content["counts"].items()]
    lines = paragraphs([f"counted: {'; '.join(counted)}"], hang=2, width=80).split("\n") if counted else []
    print(summary(title, content["annotated"], [*lines, where, where_tables(outcome.folder)]))
    return 0
