"""One of several ranks of a stock lm-eval evaluation on the CPU: ``python -m tests.lm_eval_tasks.rank MODEL PATH OUT``.

lm-eval's Hugging Face model splits docs over ranks only with several GPUs, so its rank is set from outside; gathering,
padding and barriers are its own, over gloo.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from accelerate import PartialState
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager


def main(model: str, include_path: str, out: str) -> None:
    state = PartialState(cpu=True)
    lm = HFLM(pretrained=model, device="cpu", dtype="float64", batch_size=2)
    assert lm.accelerator.num_processes == state.num_processes > 1
    lm._rank, lm._world_size = state.process_index, state.num_processes
    manager = TaskManager(include_path=include_path, include_defaults=False)
    # One doc more on the first rank than on the second, so that the second has to be filled up.
    results = simple_evaluate(lm, tasks=["asked"], task_manager=manager, limit=3)
    if results is not None:
        seen = {name: [s["doc_id"] for s in samples] for name, samples in results["samples"].items()}
        Path(out).write_text(json.dumps({"results": results["results"], "seen": seen}))
    state.wait_for_everyone()
    state.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
