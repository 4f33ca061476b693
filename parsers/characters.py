"""Folding of Japanese text, character by character: the tables below everything that compares text.

NFKC is the base, but it is not enough for forms: it leaves most dashes, the CJK radicals supplement and name variants
alone, and turns a spaced voicing mark into a blank (domain notes C.1, tried there in Python 3.11).
"""

import re
import unicodedata

# Zero-width and direction marks: they survive NFKC and hide in pasted mail addresses.
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
# Variation selectors choose a glyph, never another name.
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_SPACES = re.compile(r"\s+")

# PDF fonts may map a glyph to a radical instead of the character. NFKC knows the Kangxi radicals (U+2F00-2FD5) but not
# the supplement (U+2E80-2EFF); only those that are also whole characters in Japanese text are listed.
_RADICALS = {
    **{code: unicodedata.normalize("NFKC", chr(code)) for code in range(0x2F00, 0x2FD6)},
    # NFKC gives the traditional form here; Japanese fonts draw these two as the common one (Adobe-Japan1 has one glyph
    # for both), so that is what stood there.
    0x2F3E: "戸",
    0x2FCA: "黒",
    **dict(
        zip(
            map(ord, "⺒⺟⺠⻁⻄⻑⻘⻝⻣⻤⻨⻩⻫⻭⻯⻲"),
            "巳母民虎西長青食骨鬼麦黄斉歯竜亀",
            strict=True,
        )
    ),
}

# Before NFKC: it would turn the spaced voicing marks into a blank and a combining mark.
_BEFORE = str.maketrans({"\u309b": "\u3099", "\u309c": "\u309a", "\u00b4": "'", "\u301c": "~", "\uff70": "ー"})

# NFKC leaves these alone; 長音 ー is not among them, it is a letter.
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2500\u2501\ufe58", "-"))

# Variant forms of one and the same name. 斎 and 斉 are different names: 齋 goes to the one, 齊 to the other.
_VARIANTS = str.maketrans(
    dict(
        zip(
            "髙﨑濵濱邊邉齋齊澤廣德槗桒栁瀨冨戶𠮷嶋嶌惠國眞龍瀧櫻壽實圓學會緖渕曻昻穗萬鷗靜",
            "高崎浜浜辺辺斎斉沢広徳橋桑柳瀬富戸吉島島恵国真竜滝桜寿実円学会緒淵昇昂穂万鴎静",
            strict=True,
        )
    )
)
_KATAKANA_DASH = re.compile(r"(?<=[ァ-ヺー])[-一](?=[ァ-ヺ]|$)")


def mend_radicals(text: str) -> str:
    """The text with the radicals that PDF extraction yields turned into characters; nothing else is touched."""
    return text.translate(_RADICALS)


def drop_invisible(text: str) -> str:
    """The text without zero-width marks, direction marks and control characters; line breaks and tabs stay."""
    return _CONTROLS.sub("", INVISIBLE.sub("", text))


def one_line(text: str) -> str:
    """The text on one line, with every run of white space (also U+3000) as one plain blank."""
    return _SPACES.sub(" ", text).strip()


def fold_width(text: str) -> str:
    """NFKC with its traps avoided (C.1), and every dash as `-`. For comparing and parsing, never to display names."""
    prepared = drop_invisible(mend_radicals(text)).translate(_BEFORE)
    return unicodedata.normalize("NFKC", prepared).translate(_DASHES)


def fold_variants(text: str) -> str:
    """Fold width, glyph variants and variant characters of names, for a compare key only."""
    plain = _SELECTORS.sub("", fold_width(_SELECTORS.sub("", text)))
    plain = plain.translate(_VARIANTS).replace("ヶ", "ケ").replace("ヵ", "カ")
    return _KATAKANA_DASH.sub("ー", plain)


# Characters that print alike: what one reader takes for the left another takes for the right (pdf.md 3, notes C.2).
_LOOK_ALIKES = str.maketrans(
    dict(zip("カエロニハタトヘベペリー一|li!o〇", "力工口二八夕卜へべぺり--111100", strict=True))
)


def fold_look(text: str) -> str:
    """Fold variants and characters that look alike, to ask whether two readings could be of the same print."""
    return drop_spaces(fold_variants(text)).casefold().translate(_LOOK_ALIKES)


def drop_selectors(text: str) -> str:
    """The text without variation selectors, which choose a glyph only."""
    return _SELECTORS.sub("", text)


def drop_spaces(text: str) -> str:
    """The text without any white space."""
    return _SPACES.sub("", text)


def is_suspect(text: str) -> bool:
    """Whether the text holds characters that no person typed: replacement, private use or unassigned ones.

    A PDF font without a proper ToUnicode table yields these, so the reading cannot be trusted.
    """
    return any(char == "\ufffd" or unicodedata.category(char) in ("Co", "Cn", "Cs") for char in text) or "(cid:" in text
