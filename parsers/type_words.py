"""The request type out of the text of its field: one word of the table, or options with marks before them."""

import re

from config.forms import Form
from config.request_types import RequestType, Table
from parsers import characters


def read_type(raw: str, form: Form, table: Table) -> tuple[RequestType | None, tuple[str, ...]]:
    """The type that a text means, and the words of all types named in it.

    Exactly one type and nothing else beside it is a type; where marks are printed before the words, as in
    「□新規発行 ☑再発行」, only ticked words count. Everything else is None: a word is never guessed (AMB-1).
    """
    folded = characters.drop_spaces(raw)
    whole = table.type_of_word(folded)
    if whole or not folded:
        return whole, (table.types[whole].word,) if whole else ()
    found, rest = _types_with_marks(folded, table)
    ticked = [kind for kind, mark in found if mark in set(form.ticked)]
    unticked = [kind for kind, mark in found if mark and mark in set(form.unticked)]
    chosen = dict.fromkeys(ticked if ticked or unticked else [kind for kind, _ in found])
    words = tuple(table.types[kind].word for kind in chosen)
    only = next(iter(chosen)) if len(chosen) == 1 and not rest else None
    return only, words


_MARK_BEFORE = "([☑✓✔レ■●○☒□☐]?)"
# A recogniser takes the dot of 解約・失効 for a dash.
_BETWEEN = re.compile(r"[\s/／、,，・･+＋&＆と及び\-－‐]*")


def _pattern(table: Table) -> re.Pattern[str]:
    """The word of a type, with the mark before it."""
    # The longest word first, so that 新規発行申請 is not taken for 新規 with something behind it.
    longest_first = sorted(_meanings(table), key=len, reverse=True)
    return re.compile(_MARK_BEFORE + "(" + "|".join(map(re.escape, longest_first)) + ")")


def _meanings(table: Table) -> dict[str, RequestType]:
    return {word: rule.type for rule in table.types.values() for word in (rule.word, *rule.synonyms)}


def _types_with_marks(text: str, table: Table) -> tuple[list[tuple[RequestType, str]], str]:
    """Each type named in the text with the mark before its word, and what is left of the text without them."""
    words, pattern = _meanings(table), _pattern(table)
    found = [(words[match[2]], match[1]) for match in pattern.finditer(text)]
    return found, _BETWEEN.sub("", pattern.sub("", text))


def type_places(text: str, table: Table) -> list[tuple[int, int]]:
    """Where the words of types stand in a text without spaces, without the marks before them: (start, end)."""
    return [match.span(2) for match in _pattern(table).finditer(text)]


def types_in(text: str, table: Table) -> list[RequestType]:
    """Every type that the text names, in its order."""
    return [kind for kind, _ in _types_with_marks(text, table)[0]]
