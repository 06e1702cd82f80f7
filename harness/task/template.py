"""Jinja in a sandbox: a template sees the fields of an item and nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError, UndefinedError, nodes

from lm_plural.harness.errors import UsageError, did_you_mean
from lm_plural.harness.task.sandbox import MAX_SOURCE, Sandbox

_ENVIRONMENT = Sandbox()


class TemplateRenderError(UsageError):
    """A template that does not compile or render; ``line`` counts within the template."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


@lru_cache(maxsize=64)
def _compile(source: str) -> Template:
    if len(source) > MAX_SOURCE:
        raise TemplateRenderError(f"template: longer than {MAX_SOURCE:,} characters")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # Python's, of the code that Jinja made
        return _ENVIRONMENT.from_string(source)


def render(source: str, values: Mapping[str, Any], *, blank: bool = False) -> str:
    """Render a template; `blank` tells whether nothing may be what it says.

    Raises
    ------
    TemplateRenderError
        For a syntax error, a field that does not exist (with a suggestion), anything the sandbox forbids, one that
        does not end within its budget, or, unless `blank`, one that leaves nothing to be asked.
    """
    try:
        text = _compile(source).render(values)
        if not (blank or text.strip()):
            raise TemplateRenderError("template: nothing but blanks comes of it; expected text", 1)
        return text
    except TemplateRenderError:
        raise
    except UndefinedError as e:
        raise TemplateRenderError(f"template: {_unknown(source, values) or e.message}", _line(e)) from e
    except TemplateError as e:
        raise TemplateRenderError(f"template: {e.message}", getattr(e, "lineno", None) or _line(e)) from e
    except Exception as e:  # whatever a template does, it is the template's fault
        raise TemplateRenderError(f"template: {type(e).__name__}: {e}", _line(e)) from e


def names(source: str) -> set[str]:
    """Return the names a template reads and does not set itself: fields and globals.

    Not ``jinja2.meta.find_undeclared_variables``, which computes whatever is constant, a bomb as well.
    """
    found = list(_ENVIRONMENT.parse(source).find_all(nodes.Name))
    return {n.name for n in found if n.ctx == "load"} - {n.name for n in found if n.ctx == "store"} - {"loop"}


def _unknown(source: str, values: Mapping[str, Any]) -> str | None:
    """Name the first field that does not exist and those that do."""
    unknown = names(source) - {*values, *_ENVIRONMENT.globals}
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
