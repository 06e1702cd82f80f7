"""Scores of a model's responses: arranged by prompt, and their means over prompts (methods 7.3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lm_plural.harness.analysis.responses.scores import Scores
from lm_plural.harness.arrays import Floats
from lm_plural.harness.run.journal import Record
from lm_plural.harness.run.loop import Work


def gather(work: Work, score_records: Sequence[Record]) -> list[Scores]:
    """Arrange score records by scorer and dimension."""
    prompts = {doc_id: n for n, doc_id in enumerate(dict.fromkeys(r.doc.id for r in work.requests))}
    place = {r.key: (prompts[r.doc.id], r.repeat) for r in work.requests}
    item_of = {i: prompts[r.doc.id] for r in work.requests for i in r.doc.item_ids}
    shape = (len(prompts), max(r.repeat for r in work.requests) + 1)
    found: dict[tuple[str, str, str, float, float, bool], tuple[Floats, list[list[float]]]] = {}
    for record in score_records:
        for dimension, value in record["scores"].items():
            low, high = record["range"]
            key = (record["scorer"], dimension, record["version"], low, high, record["direction"] == "more")
            if key not in found:
                found[key] = (np.full(shape, np.nan), [[] for _ in prompts])
            values, references = found[key]
            if record["part"] == "reference":
                if value is not None and record["item_id"] in item_of:
                    references[item_of[record["item_id"]]].append(value)
            elif record["sample"] in place:
                values[place[record["sample"]]] = np.nan if value is None else value
    return [
        Scores(*key, values, np.array([np.mean(r) if r else np.nan for r in references]))
        for key, (values, references) in found.items()
    ]
