"""Every regular expression of the product, and strings on which one that goes back too often takes very long."""

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from re import _constants as code  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = ("index", "search", "web")
_CALLS = frozenset(("compile", "search", "match", "fullmatch", "finditer", "findall", "sub", "subn", "split"))
# What no pattern of ours goes on with: after it, whatever matched so far is tried in every other way.
_ENDS = ("\x00", "\n\x00", "!")
_MOST_OF_A_COUNT = 3
_MOST_PUMPS = 40
GENERIC = (
    " ",
    "a",
    "A",
    "1",
    ".",
    "-",
    "\n",
    "\t ",
    "a ",
    "A ",
    "a.",
    "Ab ",
    "1.",
    "<",
    "&",
    '"',
    "'",
    "(",
    "é",
    " \n",
    "/",
    ",",
)


@dataclass(frozen=True, slots=True)
class Place:
    """A call that gives a pattern to `re`: in which file and line, under which name its result is kept, if any."""

    file: str
    line: int
    name: str
    function: str
    method: str
    pattern: ast.expr
    flags: ast.expr | None


@dataclass(frozen=True, slots=True)
class Regex:
    """A pattern and how it is used: `methods` of `re`, where they are known."""

    place: str
    pattern: re.Pattern[Any]
    methods: frozenset[str]


def places() -> Iterator[Place]:
    """Every call of `re` with a pattern."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            yield from _places_in(tree, path.relative_to(ROOT).as_posix())


def _places_in(tree: ast.Module, file: str) -> Iterator[Place]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    names = {
        id(inner): node.targets[0].id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and node.func.attr in _CALLS:
            around = next((one.name for one in functions if one.lineno <= node.lineno <= (one.end_lineno or 0)), "")
            flags = next((word.value for word in node.keywords if word.arg == "flags"), None)
            if node.func.attr == "compile" and len(node.args) > 1:
                flags = node.args[1]
            yield Place(file, node.lineno, names.get(id(node), ""), around, node.func.attr, node.args[0], flags)


def module_of(file: str) -> ModuleType:
    """The module in a file."""
    return importlib.import_module(file.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))


def regex_at(place: Place) -> Regex | None:
    """The pattern of a call, or None where only the running program knows it."""
    names = vars(module_of(place.file))
    try:
        pattern, flags = (_value(node, names, place.file) for node in (place.pattern, place.flags))
        compiled = pattern if isinstance(pattern, re.Pattern) else re.compile(pattern, flags or 0)
    except NameError:
        return None
    methods = frozenset((place.method,)) if place.method != "compile" else _methods(place)
    return Regex(f"{place.file}:{place.line} {place.name}".strip(), compiled, methods)


def _value(node: ast.expr | None, names: dict[str, Any], file: str) -> Any:
    return None if node is None else eval(compile(ast.Expression(node), file, "eval"), dict(names))


def _methods(place: Place) -> frozenset[str]:
    """How a pattern that is kept under a name is used in its module; as anything, where that cannot be seen."""
    text = (ROOT / place.file).read_text("utf-8")
    if not place.name:
        return frozenset()
    used = re.findall(rf"\b{place.name}\b(?:\.(\w+))?", text)
    found = {name for name in used if name in _CALLS}
    return frozenset(found) if len([name for name in used if name]) == len(used) - 1 else frozenset()


def hostile(pattern: re.Pattern[Any], length: int) -> Iterator[Any]:
    """Strings of about `length` characters that nearly match, by what the pattern itself repeats, and of any kind."""
    text = isinstance(pattern.pattern, str)
    source: str = pattern.pattern if text else pattern.pattern.decode("latin-1")
    flags = pattern.flags & ~re.DEBUG
    tree = parser.parse(source, flags)
    pumps = list(dict.fromkeys((*_pumps(list(tree), ""), *(("", one) for one in GENERIC))))[
        : _MOST_PUMPS + len(GENERIC)
    ]
    for before, repeated in pumps:
        for end in _ENDS:
            string = before + repeated * (length // max(len(repeated), 1)) + end
            yield string if text else string.encode("latin-1", "replace")


def _pumps(items: list[Any], before: str) -> Iterator[tuple[str, str]]:
    """What stands before each part that may be repeated without end, and one round of it."""
    for position, (kind, value) in enumerate(items):
        rest = _sample(items[position + 1 : position + 3])
        if kind in (code.MAX_REPEAT, code.MIN_REPEAT, code.POSSESSIVE_REPEAT):
            _, most, body = value
            once = _sample(list(body))
            if most > _MOST_OF_A_COUNT and once:
                yield before, once
                yield before, once + rest
                yield "", before + once
            yield from _pumps(list(body), before)
        elif kind is code.SUBPATTERN:
            yield from _pumps(list(value[3]), before)
        elif kind is code.BRANCH:
            for branch in value[1]:
                yield from _pumps(list(branch), before)
        elif kind in (code.ASSERT, code.ASSERT_NOT):
            yield from _pumps(list(value[1]), before)
        elif kind is code.ATOMIC_GROUP:
            yield from _pumps(list(value), before)
        before += _sample([(kind, value)])


def _sample(items: list[Any]) -> str:
    """A short string that these parts of a pattern match, more or less."""
    return "".join(_sample_of(kind, value) for kind, value in items)


def _sample_of(kind: Any, value: Any) -> str:
    match str(kind):
        case "LITERAL":
            found = chr(value)
        case "NOT_LITERAL" | "ANY":
            found = "b" if value == ord("a") else "a"
        case "IN":
            found = _member(value)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            found = _sample(list(value[2])) * max(1, min(value[0], _MOST_OF_A_COUNT))
        case "SUBPATTERN":
            found = _sample(list(value[3]))
        case "BRANCH":
            found = _sample(list(value[1][0]))
        case "ATOMIC_GROUP":
            found = _sample(list(value))
        case _:
            found = ""
    return found


_OF_A_CATEGORY = {
    code.CATEGORY_DIGIT: "1", code.CATEGORY_SPACE: " ", code.CATEGORY_WORD: "a", code.CATEGORY_NOT_DIGIT: "a",
    code.CATEGORY_NOT_SPACE: "a", code.CATEGORY_NOT_WORD: "-",
}  # fmt: skip


def _member(members: list[Any]) -> str:
    """A character of a class; of one that says what is not in it, one that is."""
    if members[0][0] is code.NEGATE:
        out = re.compile(f"[{''.join(_class(one) for one in members[1:])}]")
        return next((one for one in "a1 .-A<&\n\"'é(" if not out.match(one)), "a")
    kind, value = members[0]
    if kind is code.CATEGORY:
        return _OF_A_CATEGORY[value]
    return chr(value[0] if kind is code.RANGE else value)


def _class(member: Any) -> str:
    kind, value = member
    if kind is code.CATEGORY:
        return {"1": r"\d", " ": r"\s", "a": r"\w", "-": r"\W"}[_OF_A_CATEGORY[value]]
    if kind is code.RANGE:
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    return re.escape(chr(value))
