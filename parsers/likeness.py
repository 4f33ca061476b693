"""How near two texts are to each other: whether one may be the other, misread or mistyped. Pure.

Nearness is a reason to look, never to replace: nothing here says which of two texts is right.
"""

from parsers import characters

# More characters that are taken for one another than `characters.fold_look` folds: here a likeness only makes somebody
# look. Every row folds to its first (pdf.md 3, «What stays wrong», and the usual Latin letters and digits).
_ROWS = (
    "ヒ匕",
    "チ千",
    "ミ三",
    "シツッ",
    "ンソ",
    "パバ",
    "ピビ",
    "プブ",
    "ぱば",
    "ョヨ",
    "ャヤ",
    "ュユ",
    "未末",
    "士土",
    "日曰",
    "太大",
    "1j",
    "s5",
    "z2",
    "b8",
    "gq9",
    "uv",
    "t+",
)
_ALIKE = str.maketrans({char: row[0] for row in _ROWS for char in row[1:]})
# Two letters that touch look like one; l is 1 by then.
_JOINED = (("rn", "m"), ("vv", "w"), ("c1", "d"))
# Texts shorter than these differ too much by one, or by two, characters to be the same one misread.
_ONE_FROM, _TWO_FROM = 3, 6


def plain(text: str) -> str:
    """The text without width and white space: what «exactly equal» means for a value that was read from a picture."""
    return characters.drop_spaces(characters.fold_width(text))


def fold_lookalikes(text: str) -> str:
    """Variants, case and characters that look alike folded, for comparing only."""
    folded = characters.fold_look(text)
    for pair, single in _JOINED:
        folded = folded.replace(pair, single)
    return folded.translate(_ALIKE)


def distance(one: str, other: str, *, limit: int = 2) -> int:
    """Insertions, deletions and replacements from one text to the other (Levenshtein); `limit` + 1 for any more."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    row = list(range(len(other) + 1))
    for line, left in enumerate(one, 1):
        above, row = row, [line]
        for column, right in enumerate(other, 1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (left != right)))
        if min(row) > limit:
            return limit + 1
    return min(row[-1], limit + 1)


def is_near(one: str, other: str) -> bool:
    """Whether two unequal texts may be one and the same, misread: they look alike, or one or two characters differ."""
    left, right = plain(one), plain(other)
    if left == right or not left or not right:
        return False
    if fold_lookalikes(left) == fold_lookalikes(right):
        return True
    shorter = min(len(left), len(right))
    allowed = 0 if shorter < _ONE_FROM else 1 if shorter < _TWO_FROM else 2
    return distance(left.casefold(), right.casefold(), limit=allowed) <= allowed


def is_near_domain(one: str, other: str) -> bool:
    """Whether two unequal domains may be one, misread. Only the labels in which they differ count: a.co.jp and
    b.co.jp share nearly all their characters and are strangers, as are two subdomains of one company."""
    left, right = one.lower().split("."), other.lower().split(".")
    while left and right and left[-1] == right[-1]:
        left.pop()
        right.pop()
    return bool(left) and bool(right) and is_near(".".join(left), ".".join(right))
