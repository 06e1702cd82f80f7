"""``lm-plural schema``: JSON Schema for editors."""

from __future__ import annotations

import argparse

HELP = """Print the JSON Schema of task or recipe files, so that an editor completes and checks them.

  lm-plural schema task > task.schema.json
  # first line of a task file:  # yaml-language-server: $schema=task.schema.json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("what", choices=["task", "dataset"])


def execute(args: argparse.Namespace) -> int:
    """Run."""
    import json

    from lm_plural.harness.data.recipe import Recipe
    from lm_plural.harness.documents import Strict
    from lm_plural.harness.task.schema import Task

    model: type[Strict] = Task if args.what == "task" else Recipe
    kinds = Recipe.KINDS if model is Recipe else ((),)
    schema = model.model_json_schema()
    schema["properties"]["include"] = {"type": "string", "description": "A file whose keys are taken over."}
    # What is missing may stand in the included file.
    always = schema.pop("required")
    schema["anyOf"] = [*({"required": [*always, *kind]} for kind in kinds), {"required": ["include"]}]
    print(json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2))
    return 0
