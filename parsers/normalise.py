"""Text of a form field: raw → display value, and the compare keys of the register (SPEC 1.4, domain notes C.2).

The display value goes onto certificates and into letters. A person's name keeps the very characters that were written:
NFC and NFKC both rewrite names. Only a compare key folds variants, and only matching uses it.
"""

import re
import unicodedata
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

from parsers import characters
from parsers.dates import DateReading, read_date

__all__ = [
    "DateReading",
    "Kind",
    "TextReading",
    "company_key",
    "display",
    "domain_of",
    "english_key",
    "english_name_key",
    "is_free_mail",
    "kind_of",
    "mail_address",
    "mail_key",
    "person_key",
    "phone",
    "read_date",
]


class Kind(StrEnum):
    """What sort of text a field holds; it decides how the display value is made."""

    NAME = "name"
    ENGLISH = "english"
    MAIL = "mail"
    PHONE = "phone"
    POSTAL_CODE = "postal_code"
    DATE = "date"
    TEXT = "text"


class TextReading(NamedTuple):
    """A display value, None where there is none; and the finding code that goes with it, None where all is well."""

    value: str | None
    code: str | None = None


_KINDS = {
    "company_en": Kind.ENGLISH,
    "name_en": Kind.ENGLISH,
    "email": Kind.MAIL,
    "phone": Kind.PHONE,
    "postal_code": Kind.POSTAL_CODE,
    "application_date": Kind.DATE,
    "wished_revocation_date": Kind.DATE,
    "name": Kind.NAME,
    "name_ja": Kind.NAME,
    "company": Kind.NAME,
    "company_ja": Kind.NAME,
}


def kind_of(key: str) -> Kind:
    """The kind of a field by its name (`user.name_en`, `application_date`)."""
    return _KINDS.get(key.rpartition(".")[2], Kind.TEXT)


def display(kind: Kind, raw: str) -> TextReading:
    """The display value of a field, with the finding code of a mail address or phone that is not in order.

    Dates need the day of receipt: use `read_date`; here they are only put on one line.
    """
    make = _DISPLAYS.get(kind)
    return make(raw) if make else _or_none(_as_written(raw))


def _or_none(text: str) -> TextReading:
    return TextReading(text or None)


def _as_written(raw: str) -> str:
    """The characters that were written, on one line; only what the extraction spoilt is mended."""
    return characters.one_line(characters.drop_invisible(characters.mend_radicals(raw)))


def _english_reading(raw: str) -> TextReading:
    return _or_none(_english(raw))


def _english(raw: str) -> str:
    """Half-width, one blank between words, plain apostrophe and hyphen (C.2). Accents stay, to be mended."""
    folded = characters.fold_width(raw).translate(_APOSTROPHES)
    return characters.one_line(unicodedata.normalize("NFC", folded))


_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u201b\u02bc\u2032`", "'"))


# --- mail ---------------------------------------------------------------------------------------------------------

_SCHEME = re.compile("mailto:", re.IGNORECASE)
_ANGLE = re.compile(r"<([^<>]*@[^<>]*)>")
_ADDRESSES = re.compile(r"[^\s,;、，<>()\[\]\"']+@[^\s,;、，<>()\[\]\"']+")


def mail_address(raw: str) -> TextReading:
    """One mail address out of a field: half-width, domain in lower case. `code` is `mail_address_invalid` or
    `mail_address_several`, both without a value: a certificate must never go to an address that we made up.

    ASCII only and no DNS (C.2): the SAN of the certificate takes no other (RFC 5280 4.2.1.6, IA5String).
    """
    text = characters.fold_width(raw).strip()
    if not text:
        return TextReading(None)
    # ー and 。 are what a Japanese keyboard gives for - and . in full-width mode.
    text = _SCHEME.sub("", text.replace("ー", "-").replace("。", "."))
    angles = _ANGLE.findall(text)
    if len(angles) == 1 and text.count("@") == 1:
        text = angles[0]
    if text.count("@") > 1:
        return _several(text)
    return _checked(characters.drop_spaces(text).strip("\"'<>()[].,;:、"))


def _several(text: str) -> TextReading:
    """Two addresses are a defect, but one address written twice, as 「x <x>」 does, is one address."""
    found = {mail.value for candidate in _ADDRESSES.findall(text) if (mail := _checked(candidate)).value}
    if len(found) == 1 and len(_ADDRESSES.findall(text)) == text.count("@"):
        return TextReading(found.pop())
    return TextReading(None, "mail_address_several" if len(found) > 1 else "mail_address_invalid")


def _checked(address: str) -> TextReading:
    if not address.isascii():
        return TextReading(None, "mail_address_invalid")
    try:
        # test_environment lets .test and .example through; whether a domain exists shows when the mail is sent.
        validate_email(address, check_deliverability=False, allow_smtputf8=False, test_environment=True, strict=True)
    except EmailNotValidError:
        return TextReading(None, "mail_address_invalid")
    local, _, domain = address.rpartition("@")
    return TextReading(f"{local}@{domain.lower()}")


def mail_key(text: str) -> str:
    """The compare key of a mail address: the local part, too, without regard to case (C.2)."""
    return (mail_address(text).value or characters.drop_spaces(characters.fold_width(text))).casefold()


def domain_of(address: str) -> str:
    """The domain of a display address; empty where there is no @."""
    return address.rpartition("@")[2].lower() if "@" in address else ""


# Public mailboxes that anybody can open; an EDI user normally has the company's own domain (C.2).
FREE_MAIL_DOMAINS = frozenset(
    {
        "gmail.com",
        "googlemail.com",
        "yahoo.co.jp",
        "ymail.ne.jp",
        "yahoo.com",
        "outlook.com",
        "outlook.jp",
        "hotmail.com",
        "hotmail.co.jp",
        "live.jp",
        "live.com",
        "msn.com",
        "icloud.com",
        "me.com",
        "mac.com",
        "aol.com",
        "aol.jp",
        "proton.me",
        "protonmail.com",
        "gmx.com",
        "mail.com",
        "docomo.ne.jp",
        "ezweb.ne.jp",
        "au.com",
        "softbank.ne.jp",
        "i.softbank.jp",
        "excite.co.jp",
        "goo.jp",
        "infoseek.jp",
        "zoho.com",
    }
)


def is_free_mail(address: str) -> bool:
    """Whether the address is at a public mail service."""
    return domain_of(address) in FREE_MAIL_DOMAINS


# --- phone and post code ------------------------------------------------------------------------------------------

_EXTENSION = re.compile(r"[(\[]?\s*(?:内線|ext\.?|EXT\.?)[:\s]*(\d+)\s*[)\]]?")
_PHONE_WORDS = re.compile(r"TEL|電話番号|電話|携帯|直通|代表番号|代表|\(代\)|[:]", re.IGNORECASE)
# Katakana ー and kanji 一 between digits are dashes that somebody typed or a recogniser saw.
_DASH_BETWEEN = re.compile(r"(?<=\d)\s*[-ー一~.]\s*(?=\d)")


def phone(raw: str) -> TextReading:
    """A phone number as 03-6712-1274, the grouping as written; `phone_invalid` where it is not a Japanese number.

    A number whose leading 0 a spreadsheet ate gets it back, with `phone_invalid`: staff see that it was mended. An
    invalid number keeps its text as value, because nothing is issued by it.
    """
    text = characters.one_line(characters.fold_width(raw))
    if not text:
        return TextReading(None)
    extension = _EXTENSION.search(text)
    number = _PHONE_WORDS.sub("", _EXTENSION.sub("", text)).strip()
    number = _DASH_BETWEEN.sub("-", number)
    number = re.sub(r"\s*[()]\s*", "-", number).strip("- ")
    number = re.sub(r"[\s-]+", "-", number)
    number = re.sub(r"^\+81-?(?:0-?)?", "0", number)
    digits = number.replace("-", "")
    if not (digits.isascii() and digits.isdecimal()):
        return TextReading(text, "phone_invalid")
    lost_zero = not digits.startswith("0") and _is_number("0" + digits)
    if lost_zero:
        number, digits = "0" + number, "0" + digits
    if not _is_number(digits):
        return TextReading(text, "phone_invalid")
    shown = _grouped(digits) if "-" not in number else number
    suffix = f" 内線{extension[1]}" if extension else ""
    return TextReading(shown + suffix, "phone_invalid" if lost_zero else None)


def _is_number(digits: str) -> bool:
    """Ten digits for fixed and toll-free lines, eleven for mobile, IP and 0800 numbers (Japanese numbering plan)."""
    if re.fullmatch(r"0[5789]0\d{8}|0800\d{7}", digits):
        return True
    return bool(re.fullmatch(r"0[1-9]\d{8}", digits)) and not re.fullmatch(r"0[789]0\d{7}", digits)


def _grouped(digits: str) -> str:
    """Dashes where the numbering plan leaves no choice; other area codes differ in length and stay as they are."""
    for pattern in (r"(0[5789]0)(\d{4})(\d{4})", r"(0120|0570)(\d{3})(\d{3})", r"(0[36])(\d{4})(\d{4})"):
        match = re.fullmatch(pattern, digits)
        if match:
            return "-".join(match.groups())
    return digits


def _postal_code(raw: str) -> TextReading:
    text = characters.one_line(characters.fold_width(raw)).replace("ー", "-").removeprefix("〒").strip()
    match = re.fullmatch(r"(\d{3})-?(\d{4})", characters.drop_spaces(text))
    return TextReading(f"{match[1]}-{match[2]}" if match else text or None)


_DISPLAYS: dict[Kind, Callable[[str], TextReading]] = {
    Kind.ENGLISH: _english_reading,
    Kind.MAIL: mail_address,
    Kind.PHONE: phone,
    Kind.POSTAL_CODE: _postal_code,
}


# --- compare keys -------------------------------------------------------------------------------------------------

_CORPORATE = {
    "株": ("株式会社", "(株)", "株)", "(株", "カ)", "(カ)", "(カ"),
    "有": ("有限会社", "(有)", "有)", "(有", "ユ)", "(ユ)"),
    "合": ("合同会社", "(合)", "(同)", "ド)", "(ド)"),
    "資": ("合資会社", "(資)", "シ)", "(シ)"),
    "名": ("合名会社", "(名)", "メ)", "(メ)"),
    "一社": ("一般社団法人", "(一社)"),
    "公社": ("公益社団法人", "(公社)"),
    "一財": ("一般財団法人", "(一財)"),
    "公財": ("公益財団法人", "(公財)"),
    "特非": ("特定非営利活動法人", "(特非)", "NPO法人"),
    "医": ("医療法人社団", "医療法人財団", "医療法人", "(医)"),
    "学": ("学校法人", "(学)"),
    "福": ("社会福祉法人", "(福)"),
    "協": ("事業協同組合", "協同組合", "(協)"),
}
_FORMS = sorted(
    ((form, token) for token, forms in _CORPORATE.items() for form in forms), key=lambda pair: -len(pair[0])
)
_BRANCH = re.compile(r"(?:支店|支社|営業所|事業部|事業所|工場|本社|本店|出張所)$")


def company_key(text: str) -> str:
    """The compare key of a Japanese company name: width, variants, spaces and branch names folded.

    The corporate form becomes a token that keeps its position: 株式会社○○ and ○○株式会社 are two companies in law.
    """
    folded = characters.one_line(characters.fold_variants(text))
    words = folded.split(" ")
    if len(words) > 1 and _BRANCH.search(words[-1]):
        words = words[:-1]
    name = re.sub(r"[\s・･.,\-]", "", "".join(words)).casefold()
    for form, token in _FORMS:
        before, found, after = name.partition(form.casefold())
        if not found:
            continue
        if not before and after:
            return f"{token}|{after}"
        if before and (not after or _BRANCH.search(after)):
            return f"{before}|{token}"
    return name


def person_key(text: str) -> str:
    """The compare key of a person's name in Japanese: width, spaces and variants folded; 斎 and 斉 stay two names."""
    return characters.drop_spaces(characters.fold_variants(text)).casefold()


_ENGLISH_FORMS = (
    (("CO", "LTD"), "COLTD"),
    (("COMPANY", "LIMITED"), "COLTD"),
    (("CO", "LIMITED"), "COLTD"),
    (("COMPANY", "LTD"), "COLTD"),
    (("COLTD",), "COLTD"),
    (("KABUSHIKI", "KAISHA"), "KK"),
    (("K", "K"), "KK"),
    (("KK",), "KK"),
    (("INCORPORATED",), "INC"),
    (("INC",), "INC"),
    (("CORPORATION",), "CORP"),
    (("CORP",), "CORP"),
    (("LIMITED",), "LTD"),
    (("LTD",), "LTD"),
    (("LLC",), "LLC"),
)


def english_key(text: str) -> str:
    """The compare key of a company's English name: case, punctuation, spaces folded, the corporate form as a token."""
    words = _english_words(text)
    for form, token in _ENGLISH_FORMS:
        if len(words) > len(form) and tuple(words[-len(form) :]) == form:
            return f"{''.join(words[: -len(form)])}|{token}"
    return "".join(words)


def english_name_key(text: str) -> str:
    """The compare key of a person's name in English: the order of the names does not matter (notes B.3)."""
    return " ".join(sorted(_english_words(text)))


def _english_words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", _english(text))
    plain = "".join(char for char in plain if not unicodedata.combining(char)).upper().replace("'", "")
    return [word for word in re.split(r"[^0-9A-Z]+", plain) if word]
