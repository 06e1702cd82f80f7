"""Jinja in a sandbox: a template sees the fields of an item and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, UndefinedError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from lm_plural.harness.errors import UsageError, did_you_mean

#: Characters that an operator in a template may make of one value.
MAX_TEXT = 1_000_000


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, without the two operators that fill the memory from one short line."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse powers, and texts repeated beyond measure."""
        if operator == "**":
            raise OverflowError("powers are not allowed")
        for value, times in ((left, right), (right, left)):
            if hasattr(value, "__len__") and isinstance(times, int) and len(value) * times > MAX_TEXT:
                raise OverflowError(f"a text repeated {times} times is too long")
        return super().call_binop(context, operator, left, right)


_ENVIRONMENT = _Environment(undefined=StrictUndefined, keep_trailing_newline=True)


class TemplateRenderError(UsageError):
    """A template that does not compile or render; ``line`` counts within the template."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


@lru_cache(maxsize=64)
def _compile(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


def render(source: str, values: Mapping[str, Any]) -> str:
    """Render a template.

    Raises
    ------
    TemplateRenderError
        For a syntax error, a field that does not exist (with a suggestion), or anything the sandbox forbids.
    """
    try:
        return _compile(source).render(values)
    except UndefinedError as e:
        raise TemplateRenderError(f"template: {_unknown(source, values) or e.message}", _line(e)) from e
    except TemplateError as e:
        raise TemplateRenderError(f"template: {e.message}", getattr(e, "lineno", None) or _line(e)) from e
    except Exception as e:  # whatever a template does, it is the template's fault
        raise TemplateRenderError(f"template: {type(e).__name__}: {e}", _line(e)) from e


def _unknown(source: str, values: Mapping[str, Any]) -> str | None:
    """Name the first field that does not exist and those that do."""
    unknown = find_undeclared_variables(_ENVIRONMENT.parse(source)) - {*values, *_ENVIRONMENT.globals}
    if not unknown:
        return None
    name = min(unknown)
    return f"no field {name!r}{did_you_mean(name, values)}; there are {', '.join(values)}"


def _line(error: BaseException) -> int:
    """Return the template's line an error came from; Jinja rewrites its tracebacks to tell."""
    line, trace = 0, error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
