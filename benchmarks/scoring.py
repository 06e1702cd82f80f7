"""A classifier's texts in batches by a budget of tokens, beside the detoxify library's own class as it is used.

    python benchmarks/scoring.py --texts 256 --rounds 3 --threads 1

The same checkpoint on both sides: RoBERTa as wide as the base model, of two layers, with random weights. The library
gets 32 texts at a time in the order of arrival. Lengths are mixed as replies of chatbots are (lognormal, median 52
tokens). Interleaved A B A B; prints median seconds, texts per second, the median paired ratio, tokens with padding, and
by how much scores differ.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from lm_plural.harness.model.load import quiet

quiet(None)

from lm_plural.harness.scoring import Sample  # noqa: E402
from lm_plural.scorers.classifiers.detoxify import detoxify  # noqa: E402

LETTERS = "abcdefghijklmnopqrstuvwxyz"
CLASSES = ["toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat", "sexual_explicit"]
AT_ONCE, LONGEST = 32, 512


def checkpoint(folder: Path, layers: int) -> Path:
    """Save a checkpoint in detoxify's format, and its base beside it; return its path."""
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "Ġ", *LETTERS]
    tokenizer = transformers.RobertaTokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=[])
    tokenizer.save_pretrained(folder)
    config = transformers.RobertaConfig(
        vocab_size=len(tokens), num_hidden_layers=layers, max_position_embeddings=LONGEST + 2, pad_token_id=1
    )
    config.save_pretrained(folder)
    config.num_labels = 16
    torch.manual_seed(0)
    network = transformers.RobertaForSequenceClassification(config)
    arch = {"model_type": str(folder), "model_name": "RobertaForSequenceClassification"}
    arch |= {"tokenizer_name": "RobertaTokenizer", "num_classes": 16}
    about = {"arch": {"args": arch}, "dataset": {"args": {"classes": CLASSES}}}
    torch.save({"config": about, "state_dict": network.state_dict()}, path := folder / "tiny.ckpt")
    return path


def texts_of(count: int) -> list[str]:
    """Return texts of mixed lengths; a letter is a token."""
    rng = np.random.default_rng(0)
    lengths = rng.lognormal(np.log(52), 0.9, count).astype(int).clip(1, LONGEST - 2)
    return ["".join(rng.choice(list(LETTERS), n)) for n in lengths]


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return seconds and what came of it."""
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("texts", 256), ("rounds", 3), ("threads", 1), ("layers", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    from detoxify import Detoxify

    texts = texts_of(args.texts)
    samples = [Sample("", text) for text in texts]
    with tempfile.TemporaryDirectory() as name:
        path = checkpoint(Path(name), args.layers)
        how: dict[str, Any] = {"device": args.device, "dtype": args.dtype}
        ours = detoxify(variant="unbiased", checkpoint=str(path), huggingface_config_path=name, **how)
        library = Detoxify(checkpoint=str(path), device=args.device)
        library.tokenizer.model_max_length = LONGEST  # as the published base models' tokenizers say

        def theirs() -> Any:
            parts = [library.predict(texts[n : n + AT_ONCE]) for n in range(0, len(texts), AT_ONCE)]
            return np.array([[value for part in parts for value in part[c]] for c in CLASSES]).T

        ours.score(samples[:AT_ONCE])
        library.predict(texts[:AT_ONCE])
        seconds: list[tuple[float, float]] = []
        for _ in range(args.rounds):
            (a, mine), (b, other) = timed(lambda: ours.score(samples)), timed(theirs)
            seconds.append((a, b))
    lengths = [len(text) + 2 for text in texts]
    padded = sum(max(part) * len(part) for n in range(0, len(texts), AT_ONCE) if (part := lengths[n : n + AT_ONCE]))
    ratio = statistics.median(b / a for a, b in seconds)
    for who, values in zip(("lm-plural", "detoxify"), zip(*seconds, strict=True), strict=True):
        median = statistics.median(values)
        print(f"{who:10s} {median:8.2f} s  {len(texts) / median:8.1f} texts/s")
    print(
        f"ratio median {ratio:.2f} (min {min(b / a for a, b in seconds):.2f}, max {max(b / a for a, b in seconds):.2f})"
    )
    print(f"{len(texts)} texts, {sum(lengths)} tokens, {padded} padded in the library's batches of {AT_ONCE}")
    print(f"scores differ by {np.abs(mine - other).max():.1e} at most; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
