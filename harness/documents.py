"""Safe YAML with line numbers; every finding is ``file:line: message``."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from lm_plural.harness.errors import UsageError, at
from lm_plural.harness.files import is_file

#: What the file of a data set's recipe is called.
RECIPE = "dataset.yaml"
#: Values a file may hold with its aliases written out; more is an alias bomb.
MAX_NODES = 100_000
#: Characters of a file; a longer one is no task.
MAX_LENGTH = 16 * 2**20
#: How deep values may be nested.
MAX_DEPTH = 100
#: Characters of a wrong value that a finding shows.
SHOWN = 60

Where = tuple[Path, int]
Loc = tuple[Hashable, ...]
Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(Base):  # type: ignore[misc]
    """PyYAML's safe loader; a value that does not fit its own tag (2024-13-45) is an error of the file, too."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value of a node."""
        try:
            value = super().construct_object(node, deep=deep)
            if isinstance(value, int):
                str(value)  # of more digits than Python writes (0xfff...)
            return value
        except (ValueError, AttributeError, TypeError, OverflowError) as e:
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"{node.value!r:.{SHOWN}} is no {kind} (text needs quotes)", node.start_mark
            ) from e


class InvalidFileError(UsageError):
    """A file that does not hold what it should, with all findings."""

    def __init__(self, findings: Sequence[str]) -> None:
        self.findings = [" ".join(f.split()) for f in findings]
        more = f" (and {len(findings) - 1} more: lm-plural validate)" if len(findings) > 1 else ""
        super().__init__(findings[0] + more)


@dataclass
class Document:
    """A YAML mapping and where each of its keys stands."""

    path: Path
    data: dict[str, Any]
    lines: dict[Loc, Where] = field(default_factory=dict)
    blocks: set[Loc] = field(default_factory=set)

    def at(self, loc: Sequence[Hashable], message: str, text_line: int = 0) -> str:
        """Return ``file:line: message`` for the key at `loc`, or its nearest parent.

        Parameters
        ----------
        loc : sequence
            Keys and list places from the top.
        message : str
        text_line : int
            A line (from 1) within the text that stands there; counted only in a block text (``|``), whose first line
            is the one after the key.
        """
        for end in range(len(loc), -1, -1):
            key = tuple(loc[:end])
            if where := self.lines.get(key) or self.lines.get((*key[:-1], str(loc[end - 1])) if key else ()):
                return at(where[0], where[1] + (text_line if key in self.blocks else 0), message)
        return at(self.path, 1, message)


def load_yaml(path: Path, *, confined: bool = False, included: dict[Path, Document] | None = None) -> Document:
    """Read a YAML mapping; a key ``include: FILE`` is replaced by that file's keys, the own ones winning.

    Parameters
    ----------
    path : Path
    confined : bool
        Whether an included file must lie in the same folder or below it.
    included : dict, optional
        Included files that were read; those that are read now are added, so that what many files share is read once.

    Raises
    ------
    InvalidFileError
        If the file cannot be read, is not YAML, is not a mapping, repeats a key, expands without end, or includes in
        a circle or, if `confined`, from outside its folder.
    """
    return _load(path, (), confined, {} if included is None else included)


def _load(path: Path, parents: tuple[Path, ...], confined: bool, included: dict[Path, Document]) -> Document:
    node, data = _read(path)
    document = Document(path, data)
    _index(node, (), document)
    if "include" in data:
        parent = _included(document, data.pop("include"), confined)
        if not is_file(parent):
            raise InvalidFileError([document.at(("include",), f"include: no file {parent}")])
        chain = (*parents, path.resolve())
        if parent.resolve() in chain:
            raise InvalidFileError([document.at(("include",), f"{parent.name} includes itself")])
        if (base := included.get(parent)) is None:
            base = included[parent] = _load(parent, chain, confined, included)
        own = set(data)
        document.data = {**base.data, **data}
        document.lines = {k: v for k, v in base.lines.items() if k[:1] and k[0] not in own} | document.lines
        document.blocks |= {k for k in base.blocks if k[0] not in own}
    return document


def _read(path: Path) -> tuple[yaml.Node, dict[str, Any]]:
    """Return the top node and its value."""
    try:
        if path.exists() and not path.is_file():  # reading a pipe could wait for ever
            raise InvalidFileError([at(path, None, "cannot read: not a file")])
        with path.open(encoding="utf-8") as f:
            text = f.read(MAX_LENGTH + 1)
        if len(text) > MAX_LENGTH:
            raise InvalidFileError([at(path, None, f"longer than {MAX_LENGTH} characters")])
        _refuse_bombs(text, path)
        loader = Loader(text)
        node = loader.get_single_node()
        if node is None:
            raise InvalidFileError([at(path, 1, "the file is empty; expected a mapping of keys")])
        if not isinstance(node, yaml.MappingNode):
            raise InvalidFileError([at(path, node.start_mark.line + 1, f"expected a mapping of keys, found {node.id}")])
        _measure(node, path, {}, set())
        return node, loader.construct_document(node)
    except OSError as e:
        raise InvalidFileError([at(path, None, f"cannot read: {e.strerror}")]) from e
    except UnicodeDecodeError as e:
        line = e.object[: e.start].count(b"\n") + 1
        raise InvalidFileError([at(path, line, f"not UTF-8 text: {e.reason}")]) from e
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        line = min(mark.line + 1, len(text.splitlines())) if mark else 1  # an end that comes too early is past the last
        context = f" {during}" if (during := getattr(e, "context", None)) else ""
        message = f"not valid YAML: {getattr(e, 'problem', None) or e}{context}"
        raise InvalidFileError([at(path, line, message)]) from e


def _refuse_bombs(text: str, path: Path) -> None:
    """Refuse more values than anyone waits for, and nesting that would overflow libyaml's stack and end the process."""
    depth = values = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        values += isinstance(event, yaml.NodeEvent)
        line = event.start_mark.line + 1 if event.start_mark else 1
        if depth > MAX_DEPTH:
            raise InvalidFileError([at(path, line, f"nested more than {MAX_DEPTH} deep")])
        if values > MAX_NODES:
            raise InvalidFileError([at(path, line, f"holds more than {MAX_NODES} values")])


def _included(document: Document, value: Any, confined: bool) -> Path:
    if not isinstance(value, str) or (confined and not stays_inside(value)):
        where = " in the same folder or below it" if confined else ""
        message = f"include: expected a file{where}, found {value!r:.{SHOWN}}"
        raise InvalidFileError([document.at(("include",), message)])
    return document.path.parent / value


def stays_inside(path: str) -> bool:
    """Return whether `path` is relative and cannot leave its folder."""
    p = PurePosixPath(path)
    return bool(p.name) and not p.is_absolute() and ".." not in p.parts and "\\" not in path and "\0" not in path


def _measure(node: yaml.Node, path: Path, known: dict[int, int], open_nodes: set[int]) -> int:
    """Return how many values a node holds, aliases written out; each node is visited once.

    Refuses what YAML allows and no task needs: a value inside itself, an alias bomb, a key given twice.
    """
    if id(node) in known:
        return known[id(node)]
    line = node.start_mark.line + 1
    if id(node) in open_nodes:
        raise InvalidFileError([at(path, line, "a value contains itself")])
    open_nodes.add(id(node))
    if isinstance(node, yaml.MappingNode):
        _refuse_repeats(node, path)
    size = 1 + sum(_measure(child, path, known, open_nodes) for child in _children(node))
    open_nodes.remove(id(node))
    if size > MAX_NODES:
        raise InvalidFileError([at(path, line, f"holds more than {MAX_NODES} values with its aliases written out")])
    known[id(node)] = size
    return size


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _refuse_repeats(node: yaml.MappingNode, path: Path) -> None:
    """Refuse a key given twice, which YAML would silently overwrite."""
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                raise InvalidFileError([at(path, key.start_mark.line + 1, f"key {key.value!r} is given twice")])
            seen.add(key.value)


def _index(node: yaml.Node, loc: Loc, document: Document) -> None:
    """Note the line of every key and list entry; keys merged in with ``<<`` stand where their anchor is."""
    document.lines.setdefault(loc, (document.path, node.start_mark.line + 1))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*loc, key.value)
            document.lines[place] = (document.path, key.start_mark.line + 1)
            if isinstance(value, yaml.ScalarNode) and value.style == "|":
                document.blocks.add(place)
            _index(value, place, document)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            _index(value, (*loc, i), document)
