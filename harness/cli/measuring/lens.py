"""``lm-plural lens``: predict what groups of raters would say, as far as that can be believed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lm_plural.harness.cli.options import Words, add_include_path, out_file, out_folder, parse_axes, whole

if TYPE_CHECKING:
    from lm_plural.harness.jobs.lens import Looked

HELP = """Fit a lens to people's ratings: it predicts what they would say of other texts, or keeps silent.

  lm-plural lens fit --dataset popquorn --dimension offensiveness --axes gender --output_path lens
  lm-plural lens show lens                     # every rule of refusal, and what was found
  lm-plural lens predict lens responses.csv    # item_id, response
  lm-plural lens rank lens outputs/MODEL       # which of a run's responses people should rate first

Whatever a lens says is predicted: it stands in no results, no gate and no rank of models."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs below this one."""
    below = parser.add_subparsers(dest="what", required=True, metavar="fit|show|predict|rank")
    for name, (text, add, _) in BELOW.items():
        add(below.add_parser(name, help=text, description=text, allow_abbrev=False))


def execute(args: argparse.Namespace) -> int:
    """Run."""
    from lm_plural.harness.model.load import quiet

    quiet(None)
    return BELOW[args.what][2](args)


def _add_fit(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--dataset", required=True, metavar="NAME", help="data set that is at hand (lm-plural data ls)")
    add("--dimension", required=True, metavar="NAME", help="rated dimension")
    add("--axes", nargs="+", action=Words, default=[], metavar="AXIS", help="whose groups may differ; a*b for cells")
    scorers = "whose scores are features, beside the length of a text (default profanity)"
    add("--scorers", metavar="NAME[,NAME]", default="profanity", help=scorers)
    add("--embedding", default="", metavar="NAME", help="minilm, or the folder of an encoder: its components, too")
    add("--text", metavar="FIELD", help="of the items: what people rated, where that is not clear")
    add(
        "--exchanges",
        type=whole(1),
        default=199,
        metavar="N",
        help="of raters' labels in the test of gaps (default 199)",
    )
    add("--seed", type=int, default=0, metavar="N", help="of splits and exchanges (default 0)")
    add("--output_path", "-o", type=out_folder, required=True, metavar="DIR", help="folder of the lens")
    add_include_path(parser)


def _add_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a lens")


def _add_looking(parser: argparse.ArgumentParser) -> None:
    _add_show(parser)
    by = "harm: worst first (default); unsure: where raters may differ most; gap: where groups may"
    parser.add_argument("--by", choices=["harm", "unsure", "gap"], default="harm", help=by)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of what tells texts apart (default 0)")
    parser.add_argument("--output_path", "-o", type=out_file, metavar="FILE", help="all texts as CSV, first one first")


def _add_predict(parser: argparse.ArgumentParser) -> None:
    _add_looking(parser)
    parser.add_argument("responses", type=Path, metavar="FILE", help="item_id, response, and language if there")
    same = "the texts come from where the rated ones do; they are no model's responses"
    parser.add_argument("--same_kind", action="store_true", help=same)


def _add_rank(parser: argparse.ArgumentParser) -> None:
    _add_looking(parser)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("--tasks", metavar="NAME", help="respond task, where the run has several")


def _fit(args: argparse.Namespace) -> int:
    from lm_plural.harness.jobs.lens import lens_fit
    from lm_plural.harness.report.lens import render_card

    lens = lens_fit(
        args.dataset,
        dimension=args.dimension,
        axes=parse_axes(args.axes) or [],
        output_path=args.output_path,
        scorers=args.scorers,
        embedding=args.embedding,
        text=args.text,
        exchanges=args.exchanges,
        seed=args.seed,
        include_path=args.include_path,
    )
    print(render_card(lens.card))
    print(f"lens written to {args.output_path}; next: lm-plural lens rank {args.output_path} RUN")
    return 0


def _show(args: argparse.Namespace) -> int:
    from lm_plural.harness.jobs.lens import lens_show
    from lm_plural.harness.report.lens import render_card

    print(render_card(lens_show(args.folder).card))
    return 0


def _predict(args: argparse.Namespace) -> int:
    from lm_plural.harness.jobs.lens import lens_predict

    how = {"by": args.by, "same_kind": args.same_kind, "seed": args.seed}
    return _told(lens_predict(args.folder, args.responses, **how), args.output_path)


def _rank(args: argparse.Namespace) -> int:
    from lm_plural.harness.jobs.lens import lens_rank

    return _told(lens_rank(args.folder, args.run, task=args.tasks, by=args.by, seed=args.seed), args.output_path)


def _told(found: Looked, path: Path | None) -> int:
    from lm_plural.harness.files import write_atomic
    from lm_plural.harness.report.lens import render_looked

    frame = found.to_frame()
    if path:
        write_atomic(path, frame.write_csv())
    print(render_looked(frame, found.predicted, found.lens.card, found.by))
    if path:
        print(f"all {frame.height:,} texts written to {path}")
    return 0


BELOW: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]] = {
    "fit": ("fit a lens to the ratings of a data set, and validate it", _add_fit, _fit),
    "show": ("print what a lens may be trusted with, and every rule of refusal", _add_show, _show),
    "predict": ("predict what people would say of texts of yours", _add_predict, _predict),
    "rank": ("say which of a run's responses people should rate first", _add_rank, _rank),
}
