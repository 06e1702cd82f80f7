"""What a judge's five dimensions and two orders cost, read as one row and prompt by prompt.

    python benchmarks/judging.py [--model smollm2-demo] [--device cpu] [--texts 6] [--threads 1]

Tokens are counted over the whole contrast set. Seconds (of the processor, on a CPU) are those of some of its texts, the
two ways in turn; both answer from the same loaded model, and how far their log-probabilities are apart is printed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from lm_plural.harness.model.engines import tree
from lm_plural.harness.scoring import make_scorer
from lm_plural.harness.task.contrast import load_contrast
from lm_plural.harness.task.index import Index
from lm_plural.scorers.judge.judge import MOST_AT_ONCE, Judge
from lm_plural.scorers.judge.rubric import rubric_names


def timed(call: Callable[[], Any], device: str) -> tuple[Any, float]:
    """Return what a call returns, and its seconds."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    begun = clock()
    return call(), clock() - begun


def main() -> None:
    """Print tokens, seconds and differences by language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-demo")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--texts", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    options = {"pretrained": args.model, "model_args": {"dtype": args.dtype}, "device": args.device}
    judges = [j for n in rubric_names() if isinstance(j := make_scorer("judge", {"rubric": n, **options}), Judge)]
    engine: Any = judges[0].engine
    samples = [sample for _, sample in load_contrast(Index().contrasts["contrast"]).samples()]
    for language in ("en", "de"):
        groups = [[q for j in judges for q in j._questions(s)] for s in samples if s.language == language]
        rows = [tree.Row(engine.lm, group) for group in groups]
        together, separate = sum(map(len, rows)), sum(row.separate for row in rows)
        shares = [together / separate, max(len(row) / row.separate for row in rows)]
        told = f"{together:,} of {separate:,}, {shares[0]:.2f}, at most {shares[1]:.2f}"
        print(f"{language}: {len(rows)} texts, tokens {told}")
        groups = groups[:: max(1, len(groups) // args.texts)][: args.texts]
        engine.label_logprobs_together(groups[:1])
        engine.batch_size = MOST_AT_ONCE
        seconds, off = np.zeros(2), 0.0
        for group in groups:
            (row,), one = timed(lambda g=group: engine.label_logprobs_together([g]), args.device)  # type: ignore[misc]
            alone, ten = timed(lambda g=group: engine.label_logprobs(g), args.device)  # type: ignore[misc]
            seconds += one, ten
            off = max(off, float(np.abs(np.array(row) - np.array(alone)).max()))
        told = f"{seconds[0]:.1f} s as rows, {seconds[1]:.1f} s prompt by prompt, ratio {seconds[1] / seconds[0]:.2f}"
        print(f"{language}: {len(groups)} texts, {told}; log-probabilities at most {off:.1e} apart")


if __name__ == "__main__":
    main()
