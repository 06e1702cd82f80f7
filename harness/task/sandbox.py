"""Jinja cut down to what a prompt needs, under a budget: whatever a template says, it ends soon and in little memory.

Nothing can stop a single call that fills the memory (``'x'.center(10**10)``), so there is none: a template is made of
the statements, filters, tests and methods listed here, each of which makes no more than it is given. Those that could
(``*``, ``replace``, ``join``) are counted before they are done. What remains is how often: every value a template
makes is paid by its length, every step of a loop by the size of its body, out of one budget per rendering. There is
no clock in it, so the same template is refused on every machine alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from jinja2 import StrictUndefined, Undefined, nodes
from jinja2.exceptions import TemplateAssertionError
from jinja2.filters import FILTERS as JINJAS_FILTERS
from jinja2.filters import do_sort, do_unique
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.tests import TESTS as JINJAS_TESTS
from jinja2.utils import pass_context
from jinja2.visitor import NodeTransformer

from lm_plural.harness.errors import did_you_mean

#: Characters that one rendering may make, a step or a list's entry counting as :data:`STEP`.
BUDGET = 10_000_000
STEP = 50
#: Parts of a template, and characters to write it in.
MAX_NODES = 5_000
MAX_SOURCE = 100_000
#: Beyond, arithmetic takes time.
MAX_NUMBER = 2**63
#: Characters that may be asked to be stripped: each is looked for in each place.
MAX_STRIPPED = 100

STATEMENTS = (nodes.Template, nodes.Output, nodes.If, nodes.For, nodes.Assign)
VALUES = (
    nodes.Literal,
    nodes.Name,
    nodes.BinExpr,
    nodes.UnaryExpr,
    nodes.Concat,
    nodes.Compare,
    nodes.CondExpr,
    nodes.Filter,
    nodes.Test,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Call,
)
PARTS = (nodes.Operand, nodes.Pair, nodes.Keyword, nodes.Slice)
ALLOWED = (*STATEMENTS, *VALUES, *PARTS)
# fmt: off
FILTERS = {
    "capitalize", "count", "d", "default", "first", "float", "int", "join", "last", "length", "list", "lower",
    "max", "min", "replace", "reverse", "sort", "string", "title", "trim", "truncate", "unique", "upper",
    "wordcount",
}
TESTS = {
    "boolean", "defined", "divisibleby", "eq", "equalto", "even", "false", "float", "ge", "gt", "in", "integer",
    "iterable", "le", "lower", "lt", "mapping", "ne", "none", "number", "odd", "sequence", "string", "true",
    "undefined", "upper", "==", "!=", "<", "<=", ">", ">=",
}
METHODS = {
    "capitalize", "casefold", "count", "endswith", "find", "isalpha", "isdigit", "islower", "isspace", "isupper",
    "join", "lower", "lstrip", "removeprefix", "removesuffix", "replace", "rstrip", "split", "splitlines",
    "startswith", "strip", "title", "upper",
}
# fmt: on
STRIPS = ("strip", "lstrip", "rstrip")
PLAIN = (str, int, float, type(None), Undefined, LoopContext)
#: Internal filters that the templates themselves cannot name.
PAID, STEPS = " paid", " steps"


class Budgeted(Context):
    """The context of one rendering and what it may still spend."""

    left = BUDGET

    def pay(self, cost: int) -> None:
        """Take `cost` from the budget.

        Raises
        ------
        OverflowError
            If it is used up.
        """
        self.left -= cost
        if self.left < 0:
            raise OverflowError(f"makes more than {BUDGET:,} characters, or takes as many steps")


@pass_context
def _paid(context: Budgeted, value: Any) -> Any:
    """Return a value that a template made, paid by its length; refuse those that are not plain."""
    kind = type(value)
    if kind is str:
        context.pay(len(value))
    elif isinstance(value, PLAIN):
        if isinstance(value, int) and abs(value) > MAX_NUMBER:
            raise OverflowError("a number beyond 64 bits")
    elif isinstance(value, range):
        context.pay(STEP * len(value))
    elif isinstance(value, list | tuple):
        context.pay(sum(map(_size, value)))
    elif isinstance(value, dict):
        context.pay(sum(map(_size, value)) + sum(map(_size, value.values())))
    elif isinstance(value, Iterator):
        return _paid(context, list(islice(value, context.left)))
    else:
        raise TypeError(f"a {kind.__name__.replace('_', ' ')} is no text, number or list")
    return value


def _size(entry: Any) -> int:
    if not isinstance(entry, str | int | float | None):
        raise TypeError(f"a {type(entry).__name__} within a list")
    return STEP + (len(entry) if isinstance(entry, str) else 0)


@pass_context
def _steps(context: Budgeted, value: Iterable[Any], cost: int) -> Iterator[Any]:
    """Yield the entries of a loop, each paid by the size of the loop's body."""
    for entry in value:
        context.pay(cost)
        yield entry


def _replaced(context: Budgeted, text: str, old: str, new: str, count: int = -1) -> str:
    context.pay((text.count(old) + 1) * len(new))
    return text.replace(old, new, count)


def _joined(context: Budgeted, between: str, values: Iterable[Any]) -> str:
    texts = list(map(str, values))
    context.pay(len(texts) * len(between))
    return between.join(texts)


def _stripped(text: str, method: str, chars: str | None = None) -> str:
    if chars and len(chars) > MAX_STRIPPED:
        raise OverflowError(f"more than {MAX_STRIPPED} characters to strip")
    stripped: str = getattr(text, method)(chars)
    return stripped


def _entries(context: Budgeted, value: Any) -> Any:
    if isinstance(value, str):  # each character becomes an object of its own
        context.pay(STEP * len(value))
    return value


@pass_context
def _replace(context: Budgeted, value: Any, old: Any, new: Any, count: int | None = None) -> str:
    return _replaced(context, str(value), str(old), str(new), -1 if count is None else count)


@pass_context
def _join(context: Budgeted, value: Any, d: Any = "") -> str:
    return _joined(context, str(d), value)


@pass_context
def _list(context: Budgeted, value: Any) -> list[Any]:
    return list(_entries(context, value))


@pass_context
def _sort(context: Budgeted, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
    return do_sort(context.environment, _entries(context, value), *args, **kwargs)


@pass_context
def _unique(context: Budgeted, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
    return list(do_unique(context.environment, _entries(context, value), *args, **kwargs))


def _trim(value: Any, chars: str | None = None) -> str:
    return _stripped(str(value), "strip", chars)


class _Bounded(NodeTransformer):
    """Refuses what is not listed above and has everything else paid for."""

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        """Return the node, what it makes being paid."""
        self.check(node)
        node = super().generic_visit(node, *args, **kwargs)
        made = isinstance(node, VALUES) and not isinstance(node, nodes.Const | nodes.TemplateData)
        return _filter(node, PAID) if made and getattr(node, "ctx", "load") == "load" else node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        """Return the loop, its steps being paid by all it holds."""
        if node.recursive:
            raise TemplateAssertionError("a loop must not be recursive", node.lineno)
        cost = sum(map(_cost, [node.target, node.test, *node.body] if node.test else [node.target, *node.body]))
        super().generic_visit(node)
        node.iter = _filter(node.iter, STEPS, nodes.Const(cost, lineno=node.lineno))
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        """Return the call; what is called is no value of its own."""
        self.check(node)
        if isinstance(node.node, nodes.Getattr):
            self.check(node.node)
            node.node.node = self.visit(node.node.node)
        elif not isinstance(node.node, nodes.Name):
            raise TemplateAssertionError("only range and methods of texts can be called", node.lineno)
        callee, node.node = node.node, nodes.Const(None)
        super().generic_visit(node)
        node.node = callee
        return _filter(node, PAID)

    def check(self, node: nodes.Node) -> None:
        """Refuse what is not allowed."""
        if not isinstance(node, ALLOWED):
            kind = type(node).__name__
            raise TemplateAssertionError(f"{kind} is not allowed; expected if, for, set and values", node.lineno)
        if isinstance(node, nodes.Filter | nodes.Test):
            known = FILTERS if isinstance(node, nodes.Filter) else TESTS
            if node.name not in known:
                hint = did_you_mean(node.name, known) or f"; there are {', '.join(sorted(known))}"
                raise TemplateAssertionError(f"no {type(node).__name__.lower()} {node.name!r}{hint}", node.lineno)


def _filter(node: nodes.Node, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


def _cost(node: nodes.Node) -> int:
    """Return what it costs to go through a part of a template once, the values it makes not counted."""
    found = [node, *node.find_all(nodes.Node)]
    texts = (n.data if isinstance(n, nodes.TemplateData) else getattr(n, "value", "") for n in found)
    return STEP * len(found) + sum(len(t) for t in texts if isinstance(t, str))


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, bounded."""

    context_class = Budgeted
    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, keep_trailing_newline=True, optimized=False)
        self.globals = {"range": safe_range}
        own = {"replace": _replace, "join": _join, "list": _list, "sort": _sort, "unique": _unique, "trim": _trim}
        self.filters = {n: JINJAS_FILTERS[n] for n in FILTERS} | own | {PAID: _paid, STEPS: _steps}
        self.tests = {n: JINJAS_TESTS[n] for n in TESTS}

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        """Generate the code of a template that is bounded (the hook Jinja has for this)."""
        if sum(1 for _ in source.find_all(nodes.Node)) > MAX_NODES:
            raise TemplateAssertionError(f"more than {MAX_NODES:,} parts", 1)
        _Bounded().visit(source)
        return super()._generate(source, *args, **kwargs)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ARG002
        """Return whether a template may read it: methods of texts, and what a loop knows of itself."""
        return attr in METHODS if isinstance(obj, str) else isinstance(obj, LoopContext) and attr[0] != "_"

    def wrap_str_format(self, value: Any) -> None:
        """Return None: ``format`` is no method that a template may have."""

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse powers, formatting and lists repeated; count a text that is repeated."""
        if operator == "**":
            raise OverflowError("powers are not allowed")
        if operator == "%" and isinstance(left, str):
            raise TypeError("texts are not formatted with %")
        for value, times in ((left, right), (right, left)):
            if operator == "*" and not isinstance(value, int | float):
                if not (isinstance(value, str) and isinstance(times, int)):
                    raise TypeError("only texts and numbers can be multiplied")
                context.pay(len(value) * max(times, 0))
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call ``range``, a method of a text, or one of a loop."""
        text, name = getattr(__obj, "__self__", None), getattr(__obj, "__name__", "")
        if isinstance(text, str):
            given = {k: v for k, v in kwargs.items() if k not in ("_loop_vars", "_block_vars")}
            if name == "replace":
                return _replaced(__context, text, *args, **given)
            if name == "join":
                return _joined(__context, text, *args, **given)
            if name in STRIPS:
                return _stripped(text, name, *args, **given)
            if name.startswith("split"):
                __context.pay(STEP // 5 * len(text))
        elif not (__obj is safe_range or isinstance(text, LoopContext) or isinstance(__obj, Undefined)):
            raise TypeError(f"{type(__obj).__name__} cannot be called")
        return super().call(__context, __obj, *args, **kwargs)
