"""What all models of YAML files share: unknown keys are refused, and a few kinds of value."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from lm_plural.harness.task.yamlfile import stays_inside


class Strict(BaseModel):
    """A model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _inside(path: str) -> str:
    if not stays_inside(path):
        raise ValueError("must be a relative path that stays in its folder")
    return path


def _no_truth_value(value: Any) -> Any:
    """YAML reads yes, no, on and off as truth values, which would become the levels 1 and 0."""
    if isinstance(value, bool):
        raise ValueError('YAML reads this as true or false: write it in quotes, like "yes"')
    return value


def _distinct(values: list[Any]) -> list[Any]:
    if twice := [v for n, v in enumerate(values) if v in values[:n]]:
        raise ValueError(f"{twice[0]!s} stands twice")
    return values


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must say something")
    return text


RelativePath = Annotated[str, AfterValidator(_inside)]
NotTruth = BeforeValidator(_no_truth_value)
Distinct = AfterValidator(_distinct)
Filled = Annotated[str, AfterValidator(_filled)]
