"""What a recogniser reads → what must have stood there: rules of writing that hold whatever the picture shows.

Pure. Print has letters that look alike (口 and ロ, l and 1), and the recogniser sees one letter at a time. Which of two
look-alikes it is follows mostly from its neighbours: ロ stands among katakana, 口 among kanji. A rule is here only if
the other reading is no writing at all, or so rare that a person would ask too; names are never changed by likelihood.
"""

import re
import unicodedata
from collections.abc import Callable

from parsers.decoding import Mask

# Katakana and the kanji printed alike.
_KATAKANA = "カロエニハタトチミオノム"
_KANJI = "力口工二八夕卜千三才丿厶"
_TO_KANJI = dict(zip(_KATAKANA, _KANJI, strict=True))
_TO_KATAKANA = dict(zip(_KANJI, _KATAKANA, strict=True))
_AS_KATAKANA = str.maketrans(_TO_KATAKANA)
# Two and more of them before katakana are no kanji: 力才リ is カオリ.
_RUN_IN_KATAKANA = re.compile("[力口工八夕卜千才丿厶]{2,}(?=[ァ-ヺー])")
# Dust at either end of a line. No Japanese value begins or ends with a dot, but a sentence ends with one after kana.
_SPECKS = re.compile(r"^[\s・.,、。｡､:;'`°゜]+|(?<![ぁ-ゖ])[\s・.,、。｡､:;'`°]+$|(?<=[ぁ-ゖ])[\s・.,、｡､:;'`°]+$")
# Forms of letters that only a recogniser writes: names are printed with the others, by far.
_PLAIN = str.maketrans("薰黑", "薫黒")
# ハーモニー and the like, in which every letter has its kanji.
_LONG_KATAKANA = ((re.compile("八[一ー](?=[ァ-ヺ])"), "ハー"), (re.compile("(?<=[ァ-ヺ])二[一ー]"), "ニー"))
_HIRAGANA_ALIKE = dict(zip("へべぺり", "ヘベペリ", strict=True))
_KATAKANA_ALIKE = {katakana: hiragana for hiragana, katakana in _HIRAGANA_ALIKE.items()}
# Words in which the kanji stands although katakana is beside it: カワバタ力学, マルイチ一番館, カトウ工業.
_AFTER = {
    "力": "学石丸武強行士",
    "工": "業場房務事藤営学芸機",
    "口": "座径",
    "二": "宮郎課部番号丁条次級",
    "八": "木幡戸代重丁王百",
    "千": "葉代歳尋里曲田賀石",
    "三": "菱井宅浦重島田木上和課部番号丁条角越栄共洋",
    "一": "番級般郎部号丁流宮条課色橋関筋建体式",
    "夕": "日張方刊",
    "才": "能",
}
_BEFORE = {
    "力": "電水火動出人努協",
    "工": "重商大人施加紙木鉄鋼",
    "口": "出入窓人山川谷江関坂戸野溝樋",
    "一": "統第真健純洋栄浩賢",
}
_DASHES = "-一ー―—–－‐ｰ|"


def correct(mask: Mask, text: str) -> str:
    """The text of one field with what its mask knows about writing applied; other masks leave it alone."""
    rule = _RULES.get(mask)
    return rule(text) if rule else text


def _is_katakana(char: str) -> bool:
    return "ァ" <= char <= "ヺ" or char in "ー・"


def _is_kanji(char: str) -> bool:
    return unicodedata.name(char, "").startswith("CJK ") or char in "々〆"


def _japanese(text: str) -> str:
    text = _SPECKS.sub("", text).translate(_PLAIN)
    for misread, word in _LONG_KATAKANA:
        text = misread.sub(word, text)
    text = _RUN_IN_KATAKANA.sub(lambda run: run[0].translate(_AS_KATAKANA), text)
    return _company_form(_digits_in(_small_kana(_dashes(_scripts(_dashes(_twins(text)))))))


def _scripts(text: str) -> str:
    """Look-alikes of two scripts by their neighbours, left to right, so that a letter decided decides the next."""
    chars = list(text)
    for index, char in enumerate(chars):
        before = chars[index - 1] if index else ""
        after = chars[index + 1] if index + 1 < len(chars) else ""
        if char in _TO_KANJI or char in _TO_KATAKANA:
            chars[index] = _script_of(char, before, after)
        elif char in _HIRAGANA_ALIKE and _among(before, after, _sure_katakana):
            chars[index] = _HIRAGANA_ALIKE[char]
        elif char in _KATAKANA_ALIKE and (_among(before, after, _is_hiragana) or _ends_word(char, before, after)):
            chars[index] = _KATAKANA_ALIKE[char]
    return "".join(chars)


def _ends_word(char: str, before: str, after: str) -> bool:
    """Whether り ends a hiragana word before katakana, as in ひまわりエンジニアリング; リー and リン go on."""
    return char == "リ" and bool(before) and _is_hiragana(before) and after in "アイウエオカキクケコサシスセソタチテト"


def _small_kana(text: str) -> str:
    """ッ in テック and ショップ, ィ in メディカル: the recogniser does not see how small they are."""
    text = re.sub(r"(?<=[ァ-ヺー])ツ(?=[クプ])", "ッ", text)
    # メディカル, ホールディングス; デイリー and デイサービス keep their large one.
    return re.sub(r"(?<=[ァ-ヺー])デイ(?=[カアオンネテ])", "ディ", text)


def _is_hiragana(char: str) -> bool:
    return "ぁ" <= char <= "ゖ" and char not in _HIRAGANA_ALIKE


def _sure_katakana(char: str) -> bool:
    """Katakana that no kanji and no hiragana looks like."""
    return _is_katakana(char) and char not in _TO_KANJI and char not in _KATAKANA_ALIKE


def _among(before: str, after: str, belongs: Callable[[str], bool]) -> bool:
    """Whether every letter beside belongs, and there is one."""
    beside = [
        char for char in (before, after) if char and (_is_katakana(char) or _is_hiragana(char) or _is_kanji(char))
    ]
    return bool(beside) and all(belongs(char) for char in beside)


def _script_of(char: str, before: str, after: str) -> str:
    kanji, katakana = _TO_KANJI.get(char, char), _TO_KATAKANA.get(char, char)
    if (after and after in _AFTER.get(kanji, "")) or (before and before in _BEFORE.get(kanji, "")):
        return kanji
    beside = [each for each in (before, after) if each and (_is_katakana(each) or _is_kanji(each))]
    if beside and all(_is_katakana(each) and each not in _TO_KANJI for each in beside):
        return katakana
    if beside and all(_is_kanji(each) and each not in _TO_KATAKANA for each in beside):
        return kanji
    # Between the two scripts the recogniser decides: ネット口座 and ユーロ交易 differ in nothing that can be seen here.
    if before and _is_katakana(before) and char in _TO_KATAKANA and before in "ーッュャョァィゥェォ":
        return katakana
    return char


def _dashes(text: str) -> str:
    """ー after katakana, 一 after kanji, - between digits and Latin letters."""
    chars = list(text)
    for index, char in enumerate(chars):
        if char not in _DASHES:
            continue
        before = chars[index - 1] if index else ""
        after = chars[index + 1] if index + 1 < len(chars) else ""
        chars[index] = _dash_of(char, before, after)
    return "".join(chars)


def _dash_of(char: str, before: str, after: str) -> str:
    if before.isascii() and before.isalnum() and after.isascii() and after.isalnum():
        return "-"
    if _is_katakana(before or " ") or _is_hiragana(before or " "):
        if char in "ー一" and after and after in _AFTER["一"]:
            return "一"
        return "ー" if _is_katakana(before) or char != "一" else char
    if char in "ー|" and before and _is_kanji(before) and (not after or _is_kanji(after)):
        return "一"
    if char == "ー" and not before:
        return "一"
    return char


def _digits_in(text: str) -> str:
    """l, I, | and O beside digits, as in 3丁目1l番, are digits."""
    text = re.sub(r"(?<=\d)[lI|](?=[\d番号丁階F-]|$)|(?<![A-Za-z\d])[lI|](?=\d)", "1", text)
    return re.sub(r"(?<=\d)[Oo](?=[\d番号丁階F-]|$)", "0", text)


# What the recogniser makes of common words whose ring or whose small kana it does not see; the other reading is no
# word. No rule for all words: ミツトヨ and ジヤトコ are companies.
_WORDS = {"グルーブ": "グループ", "ショッブ": "ショップ", "ネツト": "ネット", "マネージヤー": "マネージャー"}
# The first stroke of these forms is lost at the edge of the cell; nothing else begins like this.
_HEADLESS = re.compile("^般(?=(社団|財団)法人)")

# Corporate forms in one glyph are read as parts of their long form; no other word begins or ends like this.
_FORMS = (
    (re.compile(r"^[(（]?\s*[株㈱](?!式|主|価|券)\s*[)）]?(?=[^\s)])"), "(株)"),
    (re.compile(r"(?<=[^\s(])[(（]?株[)）]?$"), "(株)"),
    (re.compile(r"^[(（]有[)）]?(?=.)|^有[)）](?=.)"), "(有)"),
    (re.compile(r"(?<=.)[(（]有$|(?<=.)有[)）]$|(?<=[^()（）])[(（]有[)）]$"), "(有)"),
)


def _company_form(text: str) -> str:
    text = _HEADLESS.sub("一般", text)
    for misread, word in _WORDS.items():
        text = text.replace(misread, word)
    for pattern, form in _FORMS:
        text = pattern.sub(form, text)
    return text


_TWINS = (("恵", "惠"), ("高", "髙"), ("崎", "﨑"), ("柳", "栁"), ("一", "ー"), ("真", "眞"), ("広", "廣"))


def _twins(text: str) -> str:
    """A glyph that the recogniser cannot decide on is read as both, one after the other; no name has them so."""
    for plain, variant in _TWINS:
        text = text.replace(plain + variant, plain).replace(variant + plain, variant)
    return text


def _mail(text: str) -> str:
    text = text.strip(" .,;")
    if text.count("@") != 1 or re.search(r"[<>,;]", text):
        return text
    # A blank in an address is an underscore, whose thin line the recogniser takes for a gap: there are no blanks.
    local, _, domain = text.partition("@")
    local = re.sub(r"(?<=\w) (?=\w)", "_", local).replace(" ", "")
    # Names in Latin letters end in a vowel or n, numbers follow them: yamadal9, sato4l. The gate doubts all of these.
    local = re.sub(r"(?<=[aeioun])l(?=\d)|(?<=\d)l(?=$|[._-])", "1", local)
    domain = re.sub(r"\s*([.-])\s*", r"\1", domain).replace(" ", "-").replace("_", "-")
    domain = "".join(_lower(char) for char in domain)
    domain = re.sub(r"\.c0\.jp$", ".co.jp", re.sub(r"\.(co|ne|or|ac|go)[.,]?(jp|ip|j)$", r".\1.jp", domain))
    if not any(char.isupper() and char not in _CASELESS for char in local):
        local = "".join(_lower(char) for char in local)
    return f"{local}@{domain}"


# Letters whose capital is the same shape but larger; alone they do not show their case.
_CASELESS = "CIKOPSUVWXZ"


def _lower(char: str) -> str:
    return "l" if char == "I" else char.lower()


def _phone(text: str) -> str:
    text = re.sub(r"\s*-\s*", "-", text.strip())
    return re.sub(r"(?<=\d) (?=\d)", "-", text)


def _postal(text: str) -> str:
    digits = re.sub(r"\D", "", text)
    return f"{digits[:3]}-{digits[3:]}" if len(digits) == 7 else text.strip()


# A dot behind the last word, which is no abbreviation.
_DOT_OF_DUST = re.compile(r"(?<=[A-Za-z]{4})(?<!corp)(?<!intl)(?<!bros)(?<!dept)(?<!univ)[.,:]$", re.IGNORECASE)


def _english(text: str) -> str:
    words = []
    for word in _DOT_OF_DUST.sub("", text.replace("_", " ")).split(" "):
        letters = re.sub(r"(?<=[A-Z])0(?=[A-Z])|(?<=[A-Z]{2})0$", "O", word)
        letters = re.sub(r"(?<=[A-Za-z])1(?=[a-z])", "l", letters)
        capitals = sum(char.isupper() for char in letters)
        small = [char for char in letters if char.islower()]
        # QIu and SUzUKl are words in capitals with a letter whose case does not show.
        if capitals >= 2 and small and capitals > len(small) and all(char in "ciklopsuvwxz" for char in small):
            letters = letters.replace("l", "I").upper()
        letters = re.sub(r"\.{2,}$", ".", letters)
        words.append(re.sub(r"^l(?=[a-z])", "I", letters) if _begins_with_vowelless(letters) else letters)
    return " ".join(words)


def _begins_with_vowelless(word: str) -> bool:
    """An l before a consonant at the start of a word is an I: lchiro, llda; before a vowel it is an l."""
    return bool(re.match(r"l[b-df-hj-np-tv-z]", word))


# Dust and the rests of ruling lines; no date begins or ends with any of it.
_AROUND_DATES = " .,:;'`°・。、-/"


def _date(text: str) -> str:
    text = text.strip(_AROUND_DATES)
    text = re.sub(r"(?<=\d)\s*[lI|](?=\d)", "1", text)
    return re.sub(r"^[今合]和", "令和", text)


_RULES: dict[Mask, Callable[[str], str]] = {
    Mask.JAPANESE: _japanese,
    Mask.MAIL: _mail,
    Mask.PHONE: _phone,
    Mask.POSTAL: _postal,
    Mask.ENGLISH: _english,
    Mask.DATE: _date,
}
