"""XML bodies, parsed safely and in small pieces.

The parser is expat, which loads nothing external: a document type declaration that points to a DTD (as Qualys writes)
is ignored. A document that declares entities is refused: scanners do not use them, and entity expansion attacks do.
Elements are returned one at a time, so that a large report is never in memory as a whole tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat  # loads nothing external, and entities are refused: see above

from shared.scanners.report_refusal import Refusal, RefusalReason, quoted, truncated

_CHUNK: Final = 64 * 1024
_MAX_DEPTH: Final = 64
"""Nested elements; real reports have about a dozen levels."""
_INCOMPLETE: Final = frozenset(
    expat.errors.codes[text]
    for text in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
)


@dataclass(slots=True)
class Element:
    """An element with its attributes, child elements and text. Names are without namespace prefixes."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)  # pyright: ignore[reportUnknownVariableType] - it names its own class
    text: str = ""

    def find(self, *path: str) -> Element | None:
        """The first element at a path of child names, or None."""
        found: Element | None = self
        for name in path:
            found = next((child for child in found.children if child.name == name), None) if found else None
        return found

    def all(self, *path: str) -> Iterator[Element]:
        """Every element at a path of child names, in document order."""
        if not path:
            yield self
            return
        for child in self.children:
            if child.name == path[0]:
                yield from child.all(*path[1:])

    def value(self, *path: str) -> str:
        """The text of the first element at a path, without surrounding white space; empty when there is none."""
        found = self.find(*path)
        return found.text.strip() if found else ""


class _Builder:
    """Builds the outermost elements with one of the names ``wanted``, and keeps nothing else."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self.root: Element | None = None
        self.done: list[tuple[tuple[str, ...], Element]] = []
        self._wanted = wanted
        self._path: list[str] = []
        self._open: list[Element] = []
        self._texts: list[list[str]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if len(self._path) >= _MAX_DEPTH:
            raise Refusal(RefusalReason.UNSAFE, f"the XML is nested more than {_MAX_DEPTH} levels deep")
        element = Element(name, attributes)
        if not self._path:
            self.root = element
        if self._open or name in self._wanted:
            if self._open:
                self._open[-1].children.append(element)
            self._open.append(element)
            self._texts.append([])
        self._path.append(name)

    def data(self, text: str) -> None:
        if self._texts:
            self._texts[-1].append(text)

    def end(self, _name: str) -> None:
        self._path.pop()
        if self._open:
            element = self._open.pop()
            element.text = "".join(self._texts.pop())
            if not self._open:
                self.done.append((tuple(self._path), element))


def read_root(body: bytes) -> Element | None:
    """The root element's name and attributes, without its content, or None when the body is not XML.

    Reads at most the first 256 KiB.
    """
    builder = _Builder(frozenset())
    parser = _parser(builder)
    try:
        for begin in range(0, min(len(body), 4 * _CHUNK), 1024):
            parser.Parse(body[begin : begin + 1024], False)
            if builder.root is not None:
                break
    except (expat.ExpatError, LookupError, ValueError):
        return builder.root
    return builder.root


def iterate_elements(body: bytes, wanted: frozenset[str], name: str) -> Iterator[tuple[tuple[str, ...], Element]]:
    """Every outermost element with one of the names ``wanted``, each with the names of its ancestors, root first.

    ``name`` says what the document should be, for messages. Raises Refusal when the document is not XML, is incomplete,
    declares an entity, or is nested too deeply.
    """
    builder = _Builder(wanted)
    parser = _parser(builder)
    try:
        for begin in range(0, len(body), _CHUNK):
            parser.Parse(body[begin : begin + _CHUNK], False)
            done, builder.done = builder.done, []
            yield from done
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise _broken(error, len(body)) from error
    except (LookupError, ValueError) as error:
        text = f"not {name}: its encoding cannot be decoded ({quoted(str(error))})"
        raise Refusal(RefusalReason.NOT_XML, text) from error
    yield from builder.done


def _broken(error: expat.ExpatError, size: int) -> Refusal:
    if error.code in _INCOMPLETE:
        return truncated(size)
    return Refusal(RefusalReason.NOT_XML, f"not XML: {error}")


def _parser(builder: _Builder) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = _refuse_entity
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    return parser


def _refuse_entity(entity_name: str, *_rest: object) -> None:
    raise Refusal(RefusalReason.UNSAFE, f"the document declares an entity ({entity_name[:40]!r}), which is not allowed")
