"""``lm-plural run``: the main job."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_plural.harness.cli.options import (
    Elsewhere,
    add_axes,
    add_include_path,
    add_inference,
    add_scorers,
    add_tables,
    add_tasks,
    add_trust,
    apply_config,
    inference_of,
    out_folder,
    parse_axes,
    parse_batch_size,
    parse_bool,
    parse_count,
    parse_limit,
    parse_samples,
    parse_seed,
)
from lm_plural.harness.errors import PluralError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lm_plural.harness.jobs.evaluate import Outcome
    from lm_plural.harness.jobs.preview import Preview

HELP = """Evaluate a model on group-rated tasks: generate, score, aggregate.

  lm-plural run --model hf --model_args pretrained=smollm2-demo --tasks plural_demo --output_path outputs

The same command again resumes, or has nothing to do. Flags are lm-eval's where the meaning is the same."""


#: lm-eval's other flags, and what to do instead.
ELSEWHERE = {
    "--use_cache -c": "answers are kept in --output_path, and the same command goes on where it stopped",
    "--cache_requests": "prompts are made anew in seconds",
    "--check_integrity": "lm-plural validate checks tasks and their data",
    "--fewshot_as_multiturn": "tasks have no examples",
    "--show_config": "run.json in --output_path holds it",
    "--wandb_args --wandb_config_args --trackio_args": "results are JSON in --output_path, for any tracker to log",
    "--hf_hub_log_args": "nothing is uploaded; results are in --output_path",
    "--confirm_run_unsafe_code": "tasks run no code",
    "--metadata": "what a task needs stands in its YAML file",
}
#: Tasks that are named one by one.
FEW = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options, in lm-eval's groups."""
    parser.set_defaults(parser=parser)
    parser.add_argument("--config", "-C", type=Path, metavar="YAML", help="options from a YAML file; flags win")
    _add_model(parser.add_argument_group("model"))
    _add_tasks(parser.add_argument_group("tasks and groups"))
    _add_running(parser.add_argument_group("running and output"))
    for flags, words in ELSEWHERE.items():
        parser.add_argument(*flags.split(), action=Elsewhere, nargs="*", words=words)


def _add_model(group: Any) -> None:
    add = group.add_argument
    backends = "backend of lm-eval: hf, vllm, local-chat-completions, ... (default hf)"
    add("--model", "-M", default="hf", metavar="NAME", help=backends)
    pairs: dict[str, Any] = {"nargs": "+", "action": "extend", "default": [], "metavar": "K=V"}
    add("--model_args", "-a", **pairs, help="pretrained=..., peft=..., dtype=..., base_url=...")
    paths: dict[str, Any] = {"nargs": "+", "action": "extend", "default": [], "metavar": "PATH"}
    add("--adapter", **paths, help="PEFT adapters: a run each, one after the other on one loaded base")
    add("--gen_kwargs", **pairs, help="generation arguments, over the tasks' own")
    template = "put prompts through the model's chat template (default: for respond tasks of models that have one)"
    truth: dict[str, Any] = {"nargs": "?", "const": True, "default": None, "type": parse_bool}
    add("--apply_chat_template", **truth, metavar="true|false", help=template)
    add("--system_instruction", metavar="TEXT", help="system prompt")
    add("--seed", type=parse_seed, default=1234, metavar="N", help="seed of sampled responses (default 1234)")
    add_trust(group)


def _add_tasks(group: Any) -> None:
    add = group.add_argument
    add_tasks(group, "names, tags, globs or YAML files")
    add_include_path(group)
    add("--limit", "-L", type=parse_limit, metavar="N", help="first N items of each task, or a share below 1")
    add("--samples", "-E", metavar="JSON", help="places of the items to ask, '{\"task\": [0, 5]}'; not with --limit")
    add_axes(group)
    add_inference(group)
    add_scorers(group)
    no_examples = "accepted for lm-eval's sake, 0 only: tasks have no examples"
    add("--num_fewshot", "-f", type=_no_examples, default=0, metavar="0", help=no_examples)


def _no_examples(text: str) -> int:
    if text.strip() != "0":
        raise argparse.ArgumentTypeError(f"{text!r}: tasks have no examples; leave it out")
    return 0


def _add_running(group: Any) -> None:
    add = group.add_argument
    size = "prompts per batch, or auto (default)"
    add("--batch_size", "-b", type=parse_batch_size, default=None, metavar="N", help=size)
    add("--max_batch_size", type=parse_count, default=256, metavar="N", help="upper limit for auto (default 256)")
    add("--device", metavar="DEVICE", help="cuda, cuda:0, cpu, mps (default: the best there is)")
    where = "results go to DIR/<model>/ (default outputs)"
    add("--output_path", "-o", type=out_folder, default=Path("outputs"), metavar="DIR", help=where)
    add("--predict_only", "-x", action="store_true", help="answers only, no scores or results")
    add_tables(group)
    only = "check tasks, arguments and data, list requests, tokens and what is missing; ask and write nothing"
    add("--dry_run", action="store_true", help=only)
    add("--write_out", "-w", action="store_true", help="first print the first prompt of each task as the model sees it")
    add("--log_samples", "-s", action="store_true", help="accepted for lm-eval's sake: answers are always kept")
    levels = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    add("--verbosity", "-v", type=str.upper, choices=levels, help="let lm-eval and transformers log from there on")


def execute(args: argparse.Namespace) -> int:
    """Run."""
    from lm_plural.harness.model.load import quiet

    quiet(args.verbosity)
    from lm_plural.harness.jobs.evaluate import evaluate
    from lm_plural.harness.jobs.preview import preview
    from lm_plural.harness.model.adapters import SharedBase, args_of_each
    from lm_plural.harness.model.arguments import parse_arguments

    if args.config:
        apply_config(args, args.parser, args.config)
    asked = {
        "tasks": args.tasks or (),
        "model": args.model,
        "gen_kwargs": parse_arguments(args.gen_kwargs, "--gen_kwargs"),
        "apply_chat_template": args.apply_chat_template,
        "system_instruction": args.system_instruction,
        "seed": args.seed,
        "limit": args.limit,
        "samples": parse_samples(args.samples),
        "axes": parse_axes(args.axes),
        "scorers": args.scorers,
        "device": args.device,
        "trust_remote_code": args.trust_remote_code,
        "include_path": args.include_path,
        "output_path": args.output_path,
    }
    base = SharedBase()
    for one in args_of_each(parse_arguments(args.model_args, "--model_args"), args.adapter, args.model):
        asked["model_args"] = one
        if args.dry_run or args.write_out:
            say(preview(**asked), args)
        if not args.dry_run:
            outcome = evaluate(
                **asked,
                **inference_of(args),
                batch_size=args.batch_size,
                max_batch_size=args.max_batch_size,
                predict_only=args.predict_only,
                show_unfit=args.show_unfit,
                base=base,
            )
            report(outcome, tables=args.tables)
    return 0


def say(before: Preview, args: argparse.Namespace) -> None:
    """Print what would be asked."""
    if args.write_out:
        print("\n".join(prompts(before)))
    if args.dry_run:
        print(todo(before))
        if before.stop:
            raise PluralError(before.stop)


def prompts(before: Preview) -> Iterator[str]:
    """Yield the first prompts of each task, between lines that say where they begin and end, as lm-eval writes them."""
    for task in before.tasks:
        if task.prompts is None:
            where = f"samples_{task.task}.jsonl has them then"
            yield f"{task.task}: prompts are known once {before.backend} is loaded; {where}"
        for prompt in task.prompts or ():
            if task.warning:
                yield f"content note: {task.warning}"
            yield f"{task.task}, {prompt.part}; prompt (starting on next line):"
            yield f"{prompt.text}\n(end of prompt on previous line)"
            if prompt.labels:
                yield f"scored after it: {', '.join(map(repr, prompt.labels))}"
            yield ""


def todo(before: Preview) -> str:
    """Return what would be asked, on one screen where there are not too many tasks."""
    from lm_plural.harness.report.layout import grid, paragraphs

    counts: list[tuple[int | None, ...]] = [
        (t.items, t.requests, t.answered, t.requests - t.answered, t.tokens) for t in before.tasks
    ]
    names = [t.task for t in before.tasks]
    if len(names) > 1:
        names.append("all")
        columns = zip(*counts, strict=True)
        counts.append(tuple(None if None in column else sum(n or 0 for n in column) for column in columns))
    rows = [[name, *("-" if n is None else f"{n:,}" for n in row)] for name, row in zip(names, counts, strict=True)]
    scorers = dict.fromkeys(s for t in before.tasks for s in t.scorers)
    told = []
    if any(t.tokens is None for t in before.tasks):
        told.append(f"tokens: with {before.backend} nobody can count them here")
    told += [f"scorers needed: {', '.join(scorers)}"] if scorers else []
    told += [f"scorer {name!r} runs code: refused without --trust_remote_code" for name in before.code]
    for dataset, (how, tasks) in before.missing.items():
        more = f" and {len(tasks) - FEW} more" if len(tasks) > FEW else ""
        told.append(f"not at hand: {dataset} ({', '.join(tasks[:FEW])}{more}): {how}")
    title = f"{before.model_name}: what a run would ask (nothing was asked or written)"
    header = ["task", "items", "requests", "answered", "to ask", "tokens"]
    table = [grid(rows, header)] if rows else []
    return "\n".join([paragraphs([title]), *table, paragraphs([*told, f"answers go to {before.folder}"], hang=2)])


def report(outcome: Outcome, *, tables: bool) -> None:
    """Print what was learnt, on one screen or in every table, and where the files are."""
    if outcome.content is None or outcome.path is None:
        print(f"answers are in {outcome.folder}")
        return
    where = f"{'results written to' if outcome.new else 'nothing new; the same results are in'} {outcome.path}"
    if tables:
        from lm_plural.harness.report.table import render_results

        print(render_results(outcome.content))
        print(f"\n{where}")
    else:
        from lm_plural.harness.report.summary import summary, where_tables

        title = f"{outcome.content['model_name']} against each group of raters"
        print(summary(title, outcome.content["disaggregated"], [where, where_tables(outcome.folder)]))
