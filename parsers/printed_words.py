"""What a printed text of an unknown form probably means: the words that Japanese application forms use for our rows.

Pure. Used once for each form, when a centre's own blank is learnt, and checked by a person afterwards: it may guess, a
reading never does. It knows words, not forms: 貴社名, 法人名 and 事業者名 all name a company, whoever printed them.
"""

import re
from collections.abc import Iterable

from config.forms import WISHED_DATE

_LANGUAGE_EN = re.compile("英|ローマ字|アルファベット|english|roman")
_LANGUAGE = re.compile("(日本語|和文|和名|漢字|英語|英文|英字|英名|ローマ字|アルファベット)(表記|名)?")
# Rows of other forms that look like ours and are none: reading aids of names, further numbers, repeated entries.
_FOREIGN = re.compile("フリガナ|ふりがな|カナ|fax|ファックス|ファクス|内線|携帯|確認用|url|ホームページ|生年月日")

_CONCEPTS = {
    "email": re.compile("メール|mail"),
    "company": re.compile("社名|法人名|事業者名|企業名|団体名|組織名|商号|勤務先"),
    "name": re.compile("氏名|名前|芳名|担当者名?$|(申請|申込|届出|利用|使用|責任|前任|後任)者名"),
    "phone": re.compile("電話|tel"),
    "postal_code": re.compile("郵便番号|^〒$"),
    "address": re.compile("住所|所在地"),
    "department": re.compile("部署|部門|所属|部課"),
    "title": re.compile("役職|肩書|職位|職名"),
}
_IN_TWO_LANGUAGES = frozenset({"company", "name"})

# In this order: 変更後の利用者 is the person after the change.
_BLOCKS = {
    "before": re.compile("変更前|前任|現在の|現行|現担当|旧"),
    "after": re.compile("変更後|後任|新しい|新担当|新任|^新"),
    "user": re.compile("利用者|使用者|ユーザ"),
    "applicant": re.compile("申請者|申込者|届出者|申請元|申込元|お客様"),
}
_SINGLES = {
    WISHED_DATE: re.compile("失効(希望|予定)?日|失効希望"),
    "application_date": re.compile("^(ご|お)?(申請|申込み?|届出|記入|提出|作成)(年月)?日$"),
    "remarks": re.compile("^(備考|通信|連絡事項|特記事項|摘要)欄?$"),
}
_TYPE = re.compile("^(ご|お)?(申請|申込み?|届出|手続き?|依頼)の?(種別|区分|種類|種目)$")
_SEAL = re.compile("社印|押印|印鑑|捺印|者印|^印$")
_LONGEST_SEAL = 15

# A statement is a sentence to agree with; labels are shorter.
_LEAST_STATEMENT = 9
_STATEMENTS = {
    "user_not_entitled": re.compile("資格.*(ない|なく|喪失|失)"),
    "revoke_unneeded": re.compile("(不要|不用).*失効"),
    "info_in_certificate": re.compile("証明書に.*(記載|記録|掲載|表示)"),
    "content_correct": re.compile("(内容|事項|記載).*(正し|相違|誤り|間違)"),
    "ogis_terms": re.compile("オージス.*(規定|規約|約款)"),
    "webec_terms": re.compile("(webec|本サービス|利用).*(規定|規約|約款)"),
}
_AGREEMENT = re.compile("確認|同意|合意|了承|承諾|承知|相違|誓約|ません|ます|こと")

# What forms print in a cell to be written over or around: 〒, 年 月 日, @, dashes, eras, boxes.
_PLACEHOLDER = re.compile(
    r"(?:〒|年|月|日|令和|平成|西暦|20|様|御中|都道府県|市区町村|[-－ー―()（）@＠.．:：/／・_＿~□☐■☑✓✔○●レ☒◯\s])*"
)


def concepts_in(folded: str) -> tuple[str, ...]:
    """The kinds of entry that a folded text names: an e-mail address, a company, a person's name, …"""
    if _FOREIGN.search(folded):
        return ()
    return tuple(name for name, words in _CONCEPTS.items() if words.search(folded))


def is_language(folded: str) -> bool:
    """Whether a folded text is only the second half of a label, naming the language of its entry."""
    return bool(_LANGUAGE.fullmatch(folded))


def block_in(folded: str) -> str | None:
    """The block that a folded text names."""
    return next((key for key, words in _BLOCKS.items() if words.search(folded)), None)


def single_of(folded: str) -> str | None:
    """The field outside of the blocks that a folded text is the label of."""
    return next((key for key, words in _SINGLES.items() if words.search(folded)), None)


def is_type_label(folded: str) -> bool:
    """Whether a folded text is the label of the request type."""
    return bool(_TYPE.search(folded))


def is_seal_label(folded: str) -> bool:
    """Whether a folded text is the label of the seal."""
    return len(folded) <= _LONGEST_SEAL and bool(_SEAL.search(folded))


def statement_of(folded: str) -> str | None:
    """The confirmation that a folded text is the statement of."""
    if len(folded) < _LEAST_STATEMENT or not _AGREEMENT.search(folded):
        return None
    return next((key for key, words in _STATEMENTS.items() if words.search(folded)), None)


def is_placeholder(text: str) -> bool:
    """Whether a text is printed to be written over or around, so that its cell still takes a value."""
    return bool(_PLACEHOLDER.fullmatch(text))


def field_in(block: str, folded: str, known: Iterable[str]) -> str | None:
    """The field of the block that a label means, among those the block has; None where it means none or several."""
    concepts = concepts_in(folded)
    if len(concepts) != 1:
        return None
    [concept] = concepts
    english = bool(_LANGUAGE_EN.search(folded))
    fields = set(known)
    if f"{block}.{concept}" in fields and not (english and concept in _IN_TWO_LANGUAGES):
        return f"{block}.{concept}"
    name = f"{block}.{concept}_{'en' if english else 'ja'}"
    return name if name in fields else None
