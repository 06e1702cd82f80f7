"""Jinja in a sandbox: a template sees the fields of an item and nothing else."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from lm_plural.harness.errors import UsageError

_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)


class TemplateRenderError(UsageError):
    """A template that does not compile or render; ``line`` counts within the template."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


@lru_cache(maxsize=64)
def _compile(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


def render(source: str, values: dict[str, Any]) -> str:
    """Render a template.

    Raises
    ------
    TemplateRenderError
        For a syntax error, a field that does not exist, or anything the sandbox forbids.
    """
    try:
        return _compile(source).render(values)
    except TemplateError as e:
        raise TemplateRenderError(f"template: {e.message}", getattr(e, "lineno", 0) or 0) from e
    except (TypeError, ValueError, ArithmeticError, AttributeError, KeyError, IndexError) as e:
        raise TemplateRenderError(f"template: {type(e).__name__}: {e}") from e
