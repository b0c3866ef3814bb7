"""Rewrites the spellings that MLflow and SQL have for expressions as those of Python's parser.

`=` and `<>`, AND, OR, NOT, IN, IS NULL in capitals, LIKE and ILIKE, names in backquotes, and parts
of a name in quotes after a dot. Where each part of the result stands in the text is kept, so that a
mistake can be pointed at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

LIKE = {
    ("like", False): "_like",
    ("ilike", False): "_ilike",
    ("like", True): "_not_like",
    ("ilike", True): "_not_ilike",
}
"""The function that stands on the right of `@` for each operator, and whether it is denied."""
_TOKEN = re.compile(
    r"""(?P<text>"[^"]*"|'[^']*')
    |(?P<quoted>`[^`]*`)
    |(?P<number>(?:\d[\d_]*\.?[\d_]*|\.\d+)(?:[eE][-+]?\d+)?)
    |(?P<word>[^\W\d]\w*)
    |(?P<space>\s+)
    |(?P<sign><>|==|!=|<=|>=|:=|&&|\|\||.)""",
    re.VERBOSE,
)
_OPERATORS = {"and", "or", "in", "is", "like", "ilike", "not"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token, with its place in the text."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(slots=True)
class Rewriting:
    """The rewritten text, and where each of its parts stands in the text of its author."""

    text: str = ""
    parts: list[tuple[int, int, int]] = field(default_factory=list)
    """Start in the result, and start and end in the text, in order."""

    def add(self, text: str, start: int, end: int) -> None:
        """Append a part of the result."""
        self.parts.append((len(self.text), start, end))
        self.text += text

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Return start and end in the text of its author, for those in the result."""
        if start >= len(self.text):
            return (self.parts[-1][2],) * 2 if self.parts else (0, 0)
        touched = [
            (first, last)
            for number, (begin, first, last) in enumerate(self.parts)
            if begin < max(end, start + 1)
            and start < (self.parts[number + 1][0] if number + 1 < len(self.parts) else 10**9)
        ]
        return touched[0][0], touched[-1][1]


def rewrite(line: str) -> Rewriting:
    """Return `line` in the spellings of Python's parser."""
    tokens = [
        Token(match.lastgroup or "", match.group(), match.start(), match.end())
        for match in _TOKEN.finditer(line)
    ]
    solid = [token for token in tokens if token.kind != "space"]
    return _Rewriter(solid).run()


class _Rewriter:
    """Goes through the tokens once."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.result = Rewriting()
        self.at = 0
        self.list_depth = 0
        """Parentheses within a list that is written in parentheses; 0 outside of one."""

    def run(self) -> Rewriting:
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if self.at and token.start > self.tokens[self.at - 1].end:
                self.result.add(" ", self.tokens[self.at - 1].end, token.start)
            self._take(token)
        return self.result

    def _take(self, token: Token) -> None:
        word = token.text.lower()
        if token.kind == "sign":
            self._take_sign(token)
        elif token.kind == "quoted" or (token.kind == "word" and self._next_is_quoted_part()):
            self._take_name()
        elif token.kind == "word" and word in _OPERATORS and self._is_operator(word):
            self._take_operator(word)
        elif token.kind == "word" and word in ("null", "none") and self._follows("is"):
            self._add("null", 1)
        else:
            self._add(token.text, 1)

    def _add(self, text: str, count: int) -> None:
        """Append `text` for the next `count` tokens."""
        first, last = self.tokens[self.at], self.tokens[self.at + count - 1]
        self.result.add(text, first.start, last.end)
        self.at += count

    def _take_sign(self, token: Token) -> None:
        text = {"=": "==", "<>": "!="}.get(token.text, token.text)
        if self.list_depth and token.text in "()":
            self.list_depth += 1 if token.text == "(" else -1
            if self.list_depth == 0:
                text = "]"
        elif token.text == "(" and self._follows("in"):
            self.list_depth, text = 1, "["
        self._add(text, 1)

    def _take_name(self) -> None:
        """A name with parts in quotes, such as tags.`my key`, is a column of that name."""
        names, count = [], 0
        while True:
            part = self.tokens[self.at + count]
            names.append(part.text if part.kind == "word" else part.text[1:-1])
            count += 1
            following = self.at + count + 1
            if not (following < len(self.tokens) and self._glued_dot(self.at + count)):
                break
            if self.tokens[following].kind not in ("word", "quoted", "text"):
                break
            count += 1
        name = ".".join(names)
        quote = "'" if '"' in name else '"'
        self._add(f"column({quote}{name}{quote})", count)

    def _next_is_quoted_part(self) -> bool:
        """Whether a dotted name begins here that has a part in quotes."""
        at = self.at
        while at + 2 < len(self.tokens) and self._glued_dot(at + 1):
            if self.tokens[at + 2].kind in ("quoted", "text"):
                return True
            if self.tokens[at + 2].kind != "word":
                return False
            at += 2
        return False

    def _glued_dot(self, at: int) -> bool:
        token = self.tokens[at]
        return (
            token.text == "."
            and self.tokens[at - 1].end == token.start
            and self.tokens[at + 1].start == token.end
        )

    def _take_operator(self, word: str) -> None:
        following = self._text(1)
        if word in ("like", "ilike") or (word == "not" and following in ("like", "ilike")):
            denied = word == "not"
            count = 2 if denied else 1
            pattern = self.at + count
            if pattern < len(self.tokens) and self.tokens[pattern].kind == "text":
                name = LIKE[following if denied else word, denied]
                text = self.tokens[pattern].text
                self._add(f"@ {name}({text})", count + 1)
                return
        if word == "not" and following == "in":
            self._add("not in", 2)
        elif word == "is" and following == "not":
            self._add("is not", 2)
        else:
            self._add(word, 1)

    def _is_operator(self, word: str) -> bool:
        """Whether the word stands where an operator can stand, and not a column of that name."""
        before = self.tokens[self.at - 1] if self.at else None
        after_operand = before is not None and (
            before.kind in ("text", "quoted", "number")
            or before.text in (")", "]")
            or (before.kind == "word" and before.text.lower() not in (_OPERATORS - {"is"}))
        )
        if word == "not":
            following = self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else None
            return following is not None and (
                following.kind != "sign" or following.text in ("(", "-")
            )
        return after_operand

    def _follows(self, word: str) -> bool:
        """Whether `word` stands right before, or `word not`."""
        before = [token.text.lower() for token in self.tokens[max(self.at - 2, 0) : self.at]]
        return before[-1:] == [word] or before == [word, "not"]

    def _text(self, ahead: int) -> str:
        at = self.at + ahead
        return self.tokens[at].text.lower() if at < len(self.tokens) else ""


def like_pattern(pattern: str) -> str:
    """Return the regular expression for a pattern of LIKE: `%` is any text, `_` one character."""
    parts = (".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in pattern)
    return f"(?s:{''.join(parts)})"
