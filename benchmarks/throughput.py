"""Throughput beside stock lm-eval: one process, one loaded model, the same prompts, interleaved A B A B.

    python benchmarks/throughput.py --pretrained smollm2-demo --items 24 --batch_size 8 --rounds 5
    python benchmarks/throughput.py --random_1b --device cuda --items 192 --batch_size 64 --rounds 3

Both sides get prompts as text and hand back numbers: ours writes its journal (synced per batch) and results, lm-eval
computes its metrics without bootstrap. Prints median seconds, requests per second and the median paired ratio.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lm_plural.harness.model.load import quiet

quiet(None)

from lm_plural.harness.model.engines.hf import HfEngine  # noqa: E402
from lm_plural.harness.model.load import load_engine  # noqa: E402
from lm_plural.harness.model.spec import ModelSpec  # noqa: E402
from lm_plural.harness.result.making.rate import rate_result  # noqa: E402
from lm_plural.harness.run.journal import Journal  # noqa: E402
from lm_plural.harness.run.loop import Asking, Work, ask_all  # noqa: E402
from lm_plural.harness.run.plan import plan  # noqa: E402
from lm_plural.harness.task import elicit  # noqa: E402
from lm_plural.harness.task.index import Index  # noqa: E402
from lm_plural.harness.task.load import LoadedTask, load_task  # noqa: E402
from lm_plural.harness.task.template import render  # noqa: E402

GENERATED = 64
KWARGS = {"max_gen_toks": GENERATED, "do_sample": False, "until": []}


def ours(work_of: Callable[[Path], Work], engine: HfEngine, batch_size: int) -> float:
    """Return the seconds our loop takes, journal and result included."""
    with tempfile.TemporaryDirectory() as folder:
        work = work_of(Path(folder) / "samples.jsonl")
        start = time.perf_counter()
        ask_all([work], Asking(engine, batch_size, batch_size))
        if work.loaded.task.mode == "rate":
            rate_result(work)
        work.journal.close()
        return time.perf_counter() - start


def stock(lm: Any, name: str, folder: Path, batch_size: int) -> float:
    """Return the seconds lm-eval takes for the same prompts."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    lm.batch_size_per_gpu = batch_size
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    start = time.perf_counter()
    simple_evaluate(model=lm, tasks=[name], task_manager=manager, bootstrap_iters=0, batch_size=batch_size)
    return time.perf_counter() - start


def write_stock_task(folder: Path, name: str, docs: list[dict[str, Any]], body: str) -> None:
    """Write an lm-eval task over a JSON lines file."""
    data = folder / f"{name}.jsonl"
    data.write_text("".join(json.dumps(d) + "\n" for d in docs))
    (folder / f"{name}.yaml").write_text(
        f"task: {name}\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {data}}}}}\ntest_split: test\n"
        f'doc_to_text: "{{{{prompt}}}}"\ntarget_delimiter: ""\n{body}'
    )


def rate_docs(loaded: LoadedTask, engine: HfEngine, items: int) -> list[dict[str, Any]]:
    """Return the prompts and labels of the rate task."""
    out = []
    for doc in loaded.docs(items):
        for v in elicit.variants(loaded.task):
            text = elicit.prompt(loaded.task, loaded.scale, v, doc.fields)
            context = engine.context(text, chat=False, gen_prefix=loaded.task.gen_prefix)
            out.append({"prompt": context, "choices": elicit.continuations(loaded.task, loaded.scale, v), "gold": 0})
    return out


def respond_docs(loaded: LoadedTask, engine: HfEngine, items: int) -> list[dict[str, Any]]:
    """Return the prompts of the respond task, through the chat template."""
    task, chat = loaded.task, engine.uses_chat("respond")
    docs = loaded.docs(items)
    return [{"prompt": engine.context(render(task.doc_to_text, dict(d.fields)), chat=chat), "gold": ""} for d in docs]


def random_1b(folder: Path) -> Path:
    """Save a randomly initialised Llama of about 1 billion parameters (Llama-3.2-1B's shape)."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from lm_plural.harness.model.embedded import embedded_model

    tokenizer = AutoTokenizer.from_pretrained(embedded_model())
    config = LlamaConfig(
        vocab_size=128256,
        hidden_size=2048,
        intermediate_size=8192,
        num_hidden_layers=16,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=8192,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def compare(
    name: str, requests: int, rounds: int, a: Callable[[], float], b: Callable[[], float]
) -> dict[str, float | str]:
    """Run both in turn and print medians and the paired ratio (above 1: we are faster)."""
    a(), b()  # warm-up
    pairs = [(a(), b()) for _ in range(rounds)]
    ratios = sorted(y / x for x, y in pairs)
    mine, theirs = (statistics.median(p[i] for p in pairs) for i in (0, 1))
    print(
        f"{name:8} {requests:5} requests   lm-plural {mine:7.2f} s {requests / mine:7.1f}/s   "
        f"lm-eval {theirs:7.2f} s {requests / theirs:7.1f}/s   ratio median {statistics.median(ratios):.2f} "
        f"(min {ratios[0]:.2f}, max {ratios[-1]:.2f})",
        flush=True,
    )
    return {"task": name, "lm_plural_s": mine, "lm_eval_s": theirs, "ratio": statistics.median(ratios)}


def main() -> None:
    """Measure both modes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pretrained", default="smollm2-demo")
    parser.add_argument("--random_1b", action="store_true", help="a randomly initialised 1B Llama instead")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--items", type=int, default=24)
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        name = str(random_1b(folder / "random-1b")) if args.random_1b else args.pretrained
        spec = ModelSpec("hf", {"pretrained": name, "dtype": args.dtype}, gen_kwargs=KWARGS)
        engine = load_engine(spec, batch_size=args.batch_size, device=args.device)
        assert isinstance(engine, HfEngine)
        index = Index()
        rate, respond = (load_task(index.tasks[f"plural_demo_{t}"], index) for t in ("toxicity", "respond"))
        greedy = respond.task.model_copy(update={"repeats": 1, "k": None})
        respond = LoadedTask(greedy, respond.dataset, respond.document)
        tasks = folder / "tasks"
        tasks.mkdir()
        docs = rate_docs(rate, engine, args.items)
        write_stock_task(
            tasks,
            "stock_rate",
            docs,
            'output_type: multiple_choice\ndoc_to_choice: "{{choices}}"\ndoc_to_target: gold\n'
            "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]\n",
        )
        prompts = respond_docs(respond, engine, args.items)
        write_stock_task(
            tasks,
            "stock_respond",
            prompts,
            f'output_type: generate_until\ndoc_to_target: "{{{{gold}}}}"\ngeneration_kwargs: {json.dumps(KWARGS)}\n'
            "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]\n",
        )
        for label, loaded, stock_name, n in (
            ("rate", rate, "stock_rate", len(docs)),
            ("respond", respond, "stock_respond", len(prompts)),
        ):

            def work_of(path: Path, loaded: LoadedTask = loaded) -> Work:
                return Work(loaded, plan(loaded, spec, args.items), Journal(path))

            compare(
                label,
                n,
                args.rounds,
                lambda w=work_of: ours(w, engine, args.batch_size),
                lambda s=stock_name: stock(engine.lm, s, tasks, args.batch_size),
            )


if __name__ == "__main__":
    main()
