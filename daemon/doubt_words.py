"""What speaks against a reading, in the words of staff: one table for the codes of doubts and notes of `parsers`.

The words complete 「…ため、確信がありません」 as little as possible: they say what was seen, and what to look at.
"""

from collections.abc import Mapping

from parsers.reading import FieldValue
from parsers.subject import SURE

DOUBT_WORDS: Mapping[str, str] = {
    # Recognition of one value.
    "unreadable": "読み取れません",
    "unsure_letter": "はっきり読めない文字があります",
    "second_opinion": "2つの読み取りエンジンの結果が異なります",
    "unconfirmed": "読み取りエンジン1つだけの結果です",
    "variant": "異体字の可能性があります（髙と高、﨑と崎など）",
    "look_alike": "形の似た文字を含みます（1とl、0とO、力とカなど）",
    "grammar": "この欄の書式に合いません",
    "handwriting": "手書きと思われます",
    # What lies on it or is missing of it.
    "written_over": "印影や書き込みが文字に重なっています",
    "touches_border": "文字が枠線に接しています",
    "coarse": "白黒2値の粗い画像（FAXなど）です",
    "cut_off": "文字の一部が切れています",
    "overflows": "文字が枠からはみ出しています",
    "written_on": "ページに注釈または入力欄が重なっています",
    # Two witnesses that differ.
    "odd_characters": "文字コードが正しくない文字を含みます",
    "unlike_picture": "文字情報と、見えている文字とが異なります",
    "code_differs": "二次元コードの内容と、印字された内容とが異なります",
    "code_unseen": "二次元コードにある値を、印字では確認できません",
    "register_near": "登録されている値とわずかに異なります",
    "sender_near": "差出人のアドレスとわずかに異なります",
    "domain_near": "会社または差出人のドメインとわずかに異なります",
}

NOTE_WORDS: Mapping[str, str] = {
    "xfa_form": "別の形式（XFA）の入力フォームが含まれています",
    "cut_page": "ページの端が切れています",
    "turned": "ページの向きを直して読み取りました",
    "picture_unread": "見えている文字との照合ができませんでした",
}

# Notes that the rules make findings of (parsers/rules.py, parsers/code_rules.py), which say them better.
_TOLD_BY_FINDINGS = frozenset(
    {"picture_unread", "code_unsigned", "code_invalid", "code_differs_type", "code_differs_ticks", "code_differs_form"}
)

_UNNAMED = "読み取りに確信がありません"


def doubt_words(value: FieldValue) -> tuple[str, ...]:
    """Why a value is doubtful, a sentence each; one sentence at least where it is. A code without words is shown as it
    is, so that nothing is kept from staff."""
    words = [DOUBT_WORDS.get(code, f"{_UNNAMED}（{code}）") for code in value.doubts]
    if not words and value.confidence < SURE:
        words = [_UNNAMED]
    return tuple(dict.fromkeys(words))


def note_words(notes: tuple[str, ...]) -> tuple[str, ...]:
    """What was noticed about the form as a whole, a sentence each, but for what a finding tells already."""
    return tuple(dict.fromkeys(NOTE_WORDS.get(code, code) for code in notes if code not in _TOLD_BY_FINDINGS))
