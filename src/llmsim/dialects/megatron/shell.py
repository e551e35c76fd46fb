"""A shell script as bash reads it, never run: its commands' words, and what stays unknown.

    read_script(text)  ->  Script(words, unknown)

Assignments in order, several in a line, arrays in one line or many, quotes, comments, defaults
such as ${TP:-2}, and sums in $(( )) count. Unquoted variables are split into words, "${PAR[@]}"
gives the array's. Nothing is asked of the environment, no condition is decided (the lines of all
branches count), and no command runs: what needs one stays as it is written, as $(nproc).
"""

import ast
import re
from collections.abc import Callable, Iterator
from operator import add, floordiv, mod, mul, sub

from llmsim.typed import NamedTuple

LONGEST = 65_536  # characters of a word, with all that its variables stand for
DEEPEST = 4  # commands within commands, as in sh -c "..."

# ${NAME}, with another in its default; $((sum)); $(command); $NAME.
_BRACES = r"\$\{(?:[^{}]|\{[^{}]*\})*\}"
_SUM = r"\$\(\((?:[^()]|\([^()]*\))*\)\)"
_COMMAND = r"\$\((?:[^()]|\([^()]*\))*\)|`[^`]*`"
_VALUE = rf"{_BRACES}|{_SUM}|{_COMMAND}|\$\w+|\$[@*#?$!-]"
_DOUBLE = rf'"(?:\\.|{_VALUE}|[^"\\])*+"'
_PART = rf"\\.|'[^']*'|{_DOUBLE}|{_VALUE}|[^\s;&|<>()]"  # of a word
_PIECE = re.compile(rf"(?s){_PART}")
_TOKEN = re.compile(rf"(?s)[ \t\r]+|[\n;&|<>]|[()]|(?:{_PART})+")
_INNER = re.compile(rf"(?s)\\.|{_VALUE}|[^\\$`]+|.")
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)(\[\w*\])?(\+?)=")
_NAMED = re.compile(r"([A-Za-z_]\w*|\d+|[@*#?$!-])(\[[^\]]*\])?(?:(:?)([-=+?])(.*))?", re.DOTALL)
_TERM = re.compile(r"\$\{?(\w+)\}?|([A-Za-z_]\w*)")
_SAYING = ("echo", "printf")  # commands whose words are for people
_BREAK = "\0"  # between two words of one piece
_BEFORE = ("export", "local", "readonly", "declare", "typeset", "env", "then", "else", "do", "{",
           "if", ":", "set", "eval", "!", "time", "exec")  # fmt: skip


class Script(NamedTuple):
    """What the commands of a script have as words."""

    words: tuple[str, ...]  # of all commands, in order; what is unknown stands as it is written
    unknown: tuple[str, ...]  # what could hold arguments, and why none of it counts


class _Scope(NamedTuple):
    """What is known while a script is read."""

    values: dict[str, list[str]]  # of variables: the words of an array, or one text
    used: set[str]  # variables that something names
    unknown: list[str]


def read_script(text: str) -> Script:
    """The words of all commands. Raises ValueError where its variables stand for too much.

    A file that has no command with arguments is a part of a script: its variables' words count.
    """
    scope = _Scope({}, set(), [])
    words = [*_commands(text, scope, 0)]
    idle = [name for name, held in scope.values.items()
            if name not in scope.used and any(_holds_arguments(word) for word in held)]  # fmt: skip
    if not any(word.startswith("--") for word in words):
        for name in idle:
            words += [word for held in scope.values[name] for word in held.split()]
    else:
        scope.unknown.extend(f"{name} (no command uses it)" for name in idle)
    return Script(tuple(words), tuple(dict.fromkeys(scope.unknown)))


def _holds_arguments(text: str) -> bool:
    return re.search(r"(?:^|\s)--\w", text) is not None


def _commands(text: str, scope: _Scope, depth: int) -> Iterator[str]:
    """The words of the commands in a text; its assignments are put into the scope."""
    for tokens in _simple(text):
        if tokens and tokens[0] in ("if", "elif", "case"):
            scope.unknown.append(f"{tokens[0]} (the lines of all branches count)")
        command: list[str] = []
        inner: list[str] = []  # commands in one word, as in sh -c "..."
        rest = _assignments(tokens, scope)
        for word in [word for token in rest for word in _words(token, scope)]:
            nested = depth < DEEPEST and _holds_arguments(word) and len(word.split()) > 1
            (inner if nested else command).append(word)
        if command[:1] and command[0] in _SAYING:
            continue
        if any(word.startswith("--") for word in command):
            scope.unknown.extend(_strays(command))
        yield from command
        for each in inner:
            yield from _commands(each, scope, depth + 1)


def _strays(command: list[str]) -> Iterator[str]:
    """Words that could be arguments, of a command that has some: nobody knows what they are."""
    for before, word in zip(["", *command], command, strict=False):
        if is_unknown(word) and not word.startswith("-") and not before.startswith("--"):
            yield word


def is_unknown(word: str) -> bool:
    """Whether a word has a part that only a running shell knows."""
    return "$" in word or "`" in word


def _simple(text: str) -> Iterator[list[str]]:
    """The words of each simple command as they are written; an array is one, with its name."""
    words: list[str] = []
    array: list[str] = []  # the words of an array that has not ended, the first is its name
    for token in _tokens(text):
        if array:
            if token == ")":
                words.append(_BREAK.join(array))
                array = []
            elif not token.isspace():
                array.append(token)
        elif token == "(" and words and _ASSIGNED.fullmatch(words[-1]):
            array = [words.pop()]
        elif token in "\n;&|<>":
            yield words
            words = []
        elif token not in "()" and not token.isspace():
            words.append(token)
    yield [*words, *([_BREAK.join(array)] if array else [])]


def _tokens(text: str) -> Iterator[str]:
    """Words, blanks and separators, without comments and lines that go on."""
    text, at = text.replace("\\\r\n", "").replace("\\\n", ""), 0
    blank = True
    while at < len(text):
        if blank and text[at] == "#":
            at = (text.find("\n", at) + 1 or len(text) + 1) - 1
            continue
        found = _TOKEN.match(text, at)
        token = found[0] if found else text[at]
        blank = token.isspace() or token in ";&|<>()"
        yield token
        at += len(token)


def _assignments(tokens: list[str], scope: _Scope) -> list[str]:
    """Takes the assignments before a command's name; what is left is the command."""
    for index, token in enumerate(tokens):
        found = _ASSIGNED.match(token)
        if found is None:
            if token in _BEFORE or (index and token.startswith("-")):
                continue
            return tokens[index:]
        name, rest = found[1], token[found.end() :]
        if rest.startswith(_BREAK):
            held = [word for each in rest.split(_BREAK) for word in _words(each, scope)]
            scope.values[name] = [*(scope.values.get(name, []) if found[3] else []), *held]
        elif not found[2]:
            before = scope.values.get(name, [""])[:1] if found[3] else []
            scope.values[name] = ["".join([*before, _text(rest, scope)])]
    return []


# --- words ---------------------------------------------------------------------------------------


def _words(token: str, scope: _Scope) -> list[str]:
    """The words that a word as it is written stands for."""
    return [word for word in _expanded(token, scope, split=True).split(_BREAK) if word]


def _text(token: str, scope: _Scope) -> str:
    """The same of a value that is assigned, which is not split."""
    return _expanded(token, scope, split=False).replace(_BREAK, " ")


def _expanded(token: str, scope: _Scope, *, split: bool) -> str:
    """A word with what its variables stand for. Raises ValueError if that is too long."""
    made = "".join(_piece(piece, scope, split=split) for piece in _PIECE.findall(token))
    if len(made) > LONGEST:
        raise ValueError(f"its variables stand for more than {LONGEST:,} characters")
    return made


def _piece(piece: str, scope: _Scope, *, split: bool) -> str:
    if piece[0] == "'" and len(piece) > 1:
        return piece[1:-1]
    if piece[0] == '"' and len(piece) > 1:
        inner = piece[1:-1]
        if re.fullmatch(r"\$\{\w+\[@\]\}", inner):
            return _BREAK.join(_held(inner[2:-4], scope) or [""])
        return "".join(_inside(each, scope) for each in _INNER.findall(inner))
    if piece[0] in "$`" and len(piece) > 1:
        value = _value(piece, scope)
        # What is unknown is one word, as it is written.
        return _BREAK.join(re.split(r"\s+", value)) if split and value != piece else value
    return piece[1:] if piece[0] == "\\" and len(piece) > 1 else piece


def _inside(piece: str, scope: _Scope) -> str:
    """A piece within double quotes."""
    if piece[0] == "\\" and len(piece) > 1:
        return piece[1:] if piece[1] in '$`"\\' else piece
    return _value(piece, scope) if piece[0] in "$`" and len(piece) > 1 else piece


def _held(name: str, scope: _Scope) -> list[str] | None:
    scope.used.add(name)
    return scope.values.get(name)


def _value(written: str, scope: _Scope) -> str:
    """What an expansion stands for; itself where only a running shell knows."""
    if written.startswith("$(("):
        return _sum(written, scope)
    if written.startswith(("$(", "`")):
        return written
    inner = written[2:-1] if written.startswith("${") else written[1:]
    found = _NAMED.fullmatch(inner)
    if found is None:
        scope.used.update(re.findall(r"[A-Za-z_]\w*", inner)[:1])
        return written
    name, index, colon, sign, default = found.groups()
    held = _held(name, scope)
    text = None if held is None else _indexed(held, index or "")
    absent = text is None or (colon and not text)
    if sign in ("-", "=") and absent:
        text = _text(default, scope)
        if sign == "=":
            scope.values[name] = [text]
        return text
    if sign == "+":
        return "" if absent else _text(default, scope)
    if name in "@*":
        return ""  # a script is read as it is called without arguments
    return written if text is None else text


def _indexed(held: list[str], index: str) -> str | None:
    place = index.strip("[]")
    if place in ("@", "*"):
        return " ".join(held)
    number = int(place) if place.isdecimal() and place.isascii() else 0
    return held[number] if number < len(held) else None if index else ""


def _sum(written: str, scope: _Scope) -> str:
    """A sum of whole numbers; itself where a term of it is unknown."""

    def term(found: re.Match[str]) -> str:
        held = _held(found[1] or found[2], scope)
        return held[0] if held else "?"

    text = _TERM.sub(term, written[3:-2])
    try:
        value = _worked_out(ast.parse(text.strip().replace("/", "//"), mode="eval").body)
    except (ArithmeticError, SyntaxError, ValueError, RecursionError, MemoryError):
        return written
    return str(value) if abs(value) < 2**63 else written


_SIGNS: dict[type, Callable[[int, int], int]] = {
    ast.Add: add,
    ast.Sub: sub,
    ast.Mult: mul,
    ast.FloorDiv: floordiv,
    ast.Mod: mod,
}


def _worked_out(node: ast.AST) -> int:
    """The value of a tree of whole numbers and signs. Raises ValueError for anything else."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
        return _SIGNS[type(node.op)](_worked_out(node.left), _worked_out(node.right))
    raise ValueError(node)
