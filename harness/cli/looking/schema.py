"""``lm-plural schema``: JSON Schema for editors and readers of results."""

from __future__ import annotations

import argparse
from typing import Any

KINDS = ["task", "dataset", "contrast", "results"]
HELP = """Print the JSON Schema of task, recipe or contrast set files, so that an editor completes and checks them.

Or that of results.

  lm-plural schema task > task.schema.json
  # first line of a task file:  # yaml-language-server: $schema=task.schema.json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("what", choices=KINDS, metavar="|".join(KINDS))


def execute(args: argparse.Namespace) -> int:
    """Run."""
    import json

    schema = _results() if args.what == "results" else _document(args.what)
    print(json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2))
    return 0


def _results() -> dict[str, Any]:
    from pydantic import TypeAdapter

    from lm_plural.harness.result.blocks import ResultsFile

    return TypeAdapter(ResultsFile).json_schema()


def _document(what: str) -> dict[str, Any]:
    from lm_plural.harness.data.recipe import Recipe
    from lm_plural.harness.strict import Strict
    from lm_plural.harness.task.contrast import ContrastFile
    from lm_plural.harness.task.schema import Task

    models: dict[str, type[Strict]] = {"task": Task, "dataset": Recipe, "contrast": ContrastFile}
    model = models[what]
    kinds = Recipe.KINDS if model is Recipe else ((),)
    schema = model.model_json_schema()
    schema["properties"]["include"] = {"type": "string", "description": "A file whose keys are taken over."}
    # What is missing may stand in the included file.
    always = schema.pop("required")
    schema["anyOf"] = [*({"required": [*always, *kind]} for kind in kinds), {"required": ["include"]}]
    return schema
