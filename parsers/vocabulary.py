"""What a printed text on a form means: the labels of one form version, compared exactly or, on a scan, with caution.

Pure. On a scan a label may be misread by a letter. It is then taken for the one label that it resembles, and only where
no other label with another meaning is nearly as near: 社名（日本語） and 氏名（日本語） differ in one letter, so one of
them with a wrong letter is no label at all, and its field goes to a person.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from config.forms import Form
from parsers import characters
from parsers.likeness import distance

_PUNCTUATION = str.maketrans("", "", "()[]{}【】「」『』〈〉<>:*・、,")
_OBLIGATION = re.compile("(必須|任意)$")
_MARK_IN_FRONT = re.compile(r"^\s*[☑✓✔レ■●○☒□☐]")
_STATEMENT_END = re.compile("(の?確認)(と(同意|合意|了承|承諾))?$")

# Letters that recognition confuses in small print; unlike the pairs of `characters` they are different letters to a
# person, so they are folded for labels only.
_MISREAD = str.maketrans("杜各偏莫曰未囗囲℡", "社名備英日末口因話")
# What dust beside a label is read as; no label begins or ends with any of it.
_DUST = ".,。･・'`\"°゜:;-_~|"
# Labels shorter than this have no letter to spare: 氏名 and 社名 would meet.
_LEAST_LETTERS = 4
# How much nearer than any other meaning a misread label must be: with two letters no single error can cross over.
_MARGIN = 2
# Statements are sentences; this share of one must be there, and no other may come within the second share of it.
_LEAST_LIKENESS, _LIKENESS_MARGIN = 0.7, 0.1


def fold_label(text: str) -> str:
    """A label as it is compared: width, spaces, brackets and a trailing 必須 do not matter."""
    folded = characters.drop_spaces(characters.fold_width(text)).translate(_PUNCTUATION).casefold()
    return _OBLIGATION.sub("", folded)


def fold_statement(text: str) -> str:
    """The key part of a confirmation: without its mark, its ending and の, so that 同意 and 合意 may be swapped."""
    folded = re.sub("※[0-9]+", "", fold_label(_MARK_IN_FRONT.sub("", text)))
    return _STATEMENT_END.sub("", folded).replace("の", "")


def has_mark_in_front(text: str) -> bool:
    """Whether a box, ticked or not, is printed before the statement in the same text."""
    return bool(_MARK_IN_FRONT.match(text))


# What a label means: which part of the form, and which field or block of it. The empty meaning is that of printed
# texts that are no label.
Meaning = frozenset[tuple[str, str]]
_NOTHING: Meaning = frozenset()


@dataclass(frozen=True, slots=True)
class _Known:
    """One printed label as it looks, with what it means."""

    look: str
    letters: frozenset[str]
    label: str
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The folded labels of one form version: what a cell's text may mean.

    `fields` gives every field that a label may name, since 氏名 is one field under one heading and another under the
    next. `others` are printed texts that belong to no field; `known` holds all of them for comparing by look.
    """

    headings: Mapping[str, str]
    fields: Mapping[str, Sequence[str]]
    singles: Mapping[str, str]
    statements: Mapping[str, str]
    types: frozenset[str]
    seals: frozenset[str]
    others: frozenset[str]
    known: tuple[_Known, ...]
    sentences: Mapping[str, str]

    def is_label(self, text: str) -> bool:
        """Whether the text is printed on the form, so that the cell is no value."""
        return self.exact(text) is not None or self.statement(text) is not None

    def exact(self, text: str) -> str | None:
        """The folded label that the text is; None where it is none. A statement is none (see `statement`)."""
        folded = fold_label(text)
        return folded if self.meaning(folded) or folded in self.others else None

    def meaning(self, folded: str) -> Meaning:
        """What a folded label stands for; labels with one meaning are synonyms."""
        return frozenset(
            (
                *((("heading", self.headings[folded]),) if folded in self.headings else ()),
                *(("field", key) for key in self.fields.get(folded, ())),
                *((("single", self.singles[folded]),) if folded in self.singles else ()),
                *((("type", ""),) if folded in self.types else ()),
                *((("seal", ""),) if folded in self.seals else ()),
            )
        )

    def statement(self, text: str) -> str | None:
        """The confirmation that the text is the statement of."""
        return self.statements.get(fold_statement(text))

    def closest(self, text: str, tolerance: float = 0.2) -> str | None:
        """The folded label that a text read from a picture is, or None where that is not certain.

        `tolerance` is the share of a label's letters that may be wrong.
        """
        folded = fold_label(text)
        exact = self.exact(folded) or self.exact(folded.strip(_DUST))
        if exact is not None:
            return exact
        look = _look(folded.strip(_DUST))
        letters = frozenset(look)
        found: list[tuple[int, _Known]] = []
        for known in self.known:
            most = _spare(known.look, tolerance) + _MARGIN
            # Every letter of the label that the text lacks is an error, which spares nearly all comparisons.
            if abs(len(known.look) - len(look)) < most and len(known.letters - letters) < most:
                found.append((distance(known.look, look, limit=max(len(known.look), len(look))), known))
        if not found:
            return None
        errors, best = min(found, key=lambda each: each[0])
        rivals = any(_rivals(known, far, best, errors, letters) for far, known in found)
        certain = errors <= _spare(best.look, tolerance) and not rivals and best.meaning
        return best.label if certain else None

    def closest_statement(self, text: str) -> str | None:
        """The confirmation that a text read from a picture is the statement of, or None where that is not certain."""
        exact = self.statement(text)
        if exact is not None:
            return exact
        folded = fold_statement(text).strip(_DUST)
        if not folded:
            return None
        best: dict[str, float] = {}
        for sentence, key in self.sentences.items():
            best[key] = max(best.get(key, 0.0), _likeness(sentence, folded))
        ranked = sorted(best.items(), key=lambda each: each[1], reverse=True)
        key, likeness = ranked[0]
        second = ranked[1][1] if len(ranked) > 1 else 0.0
        return (key or None) if likeness >= _LEAST_LIKENESS and likeness - second >= _LIKENESS_MARGIN else None


def vocabulary(form: Form) -> Vocabulary:
    """The labels of a form version with all their synonyms, folded."""
    fields: dict[str, list[str]] = {}
    for key, labels in form.field_labels.items():
        for label in labels:
            fields.setdefault(fold_label(label), []).append(key)
    statements = {fold_statement(label): key for key, labels in form.confirmation_labels.items() for label in labels}
    words = Vocabulary(
        headings=_folded(form.block_labels),
        fields=fields,
        singles=_folded(form.single_labels),
        statements=statements,
        types=frozenset(map(fold_label, form.request_type_labels)),
        seals=frozenset(map(fold_label, form.seal_labels)),
        others=frozenset(map(fold_label, form.others)) - {""},
        known=(),
        sentences={},
    )
    # The title resembles a statement, and a hint may resemble a label: they must be there to be recognised as no label.
    strangers = (*form.titles, form.mark, *form.instructions, *form.notes, *form.others)
    printed = {*words.headings, *words.fields, *words.singles, *words.types, *words.seals}
    known = (
        *(_known(label, words.meaning(label)) for label in sorted(printed)),
        *(_known(label, _NOTHING) for label in sorted({*map(fold_label, strangers)} - printed - {""})),
    )
    sentences = {fold_statement(text): "" for text in strangers if text} | statements
    return replace(words, known=known, sentences=sentences)


def _folded(labels: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {fold_label(label): key for key, texts in labels.items() for label in texts}


def _known(label: str, meaning: Meaning) -> _Known:
    look = _look(label)
    return _Known(look, frozenset(look), label, meaning)


def _look(folded: str) -> str:
    return characters.fold_look(folded.translate(_MISREAD))


def _rivals(known: _Known, far: int, best: _Known, errors: int, letters: frozenset[str]) -> bool:
    """Whether the text, so many letters away from `best` and `far` from another label, might as well be that one.

    A label two letters further away is out of question. One that is a letter further away is, where the text still has
    a letter that only the better label has: 電■番号 is no 郵便番号, but 社名（■語） could be 日本語 or 英語.
    """
    if known.meaning == best.meaning or far >= errors + (_MARGIN if errors else 1):
        return False
    return (
        far <= errors or not letters & (best.letters - known.letters) or bool(letters & (known.letters - best.letters))
    )


def _spare(look: str, tolerance: float) -> int:
    """How many letters of a label may be wrong."""
    return max(1, int(len(look) * tolerance)) if len(look) >= _LEAST_LETTERS else 0


def _likeness(sentence: str, text: str) -> float:
    """The share of letters in common, in order; 0 where it is certainly below what counts."""
    matcher = SequenceMatcher(None, sentence, text, autojunk=False)
    least = _LEAST_LIKENESS - _LIKENESS_MARGIN
    if matcher.real_quick_ratio() < least or matcher.quick_ratio() < least:
        return 0.0
    return matcher.ratio()
