"""The metric that carries a doc's answers through lm-eval's gathering, for its registries and ours.

A number of a group is no mean over docs. So a doc's value is a payload, plain JSON; lm-eval gathers the payloads of
all ranks, and only then a number is made of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# First: lm-eval fills its registry of metrics only while that is empty.
import lm_eval.api.metrics  # noqa: F401
from lm_eval.api.registry import register_aggregation, register_metric

from lm_plural.harness.hashing import digest

#: Name of the metric; its value in results is the number of docs.
DOCS = "plural_docs"


def plural_count(payloads: Sequence[Any]) -> int:
    """Return the number of different payloads, in whatever order and from whichever rank they came."""
    return len({digest(p) for p in payloads})


def plural_docs(payload: Any) -> Any:
    """Return a doc's payload as it is; lm-eval keeps it until all are there."""
    return payload


register_aggregation("plural_count")(plural_count)
register_metric(metric=DOCS, aggregation="plural_count")(plural_docs)
