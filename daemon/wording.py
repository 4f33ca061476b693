"""How words are set: templates, dates, the addressee, Japanese line breaking, text that a person typed.

Pure but for reading the package's own templates. The templates are `string.Template` files: the first line is
`Subject: …`, then an empty line, then the body. `check_templates` looks at all of them at start-up, so that a slip in
a text stops the program then and not when the letter is due.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cache
from importlib import resources
from string import Template
from typing import NamedTuple

from config import request_types
from config.request_types import RequestType
from parsers.reply import PHRASES

from .draft import PASSWORD_MARKER, Auto, CaseFacts, Draft, Enclosure, LetterKind, Office
from .line_breaking import wrap
from .planning import JST

WIDTH = 72  # columns; 36 full-width characters, which Outlook and webmail show without wrapping again

REPLY_WELCOME = "※このメールにご返信いただけます。"
NO_REPLY = "※このメールには返信なさらないようお願いいたします。"

# Unicode categories of what does not show: controls, format marks, lone surrogates, private use.
_HIDDEN = ("Cc", "Cf", "Cs", "Co")

# Placeholders that every template may use. `footer` it must use.
COMMON = frozenset(
    {"site", "office", "mailbox", "form_url", "materials_url", "call_centre_phone", "call_centre_mail", "footer"}
)

# Placeholders of its own that each template must use, all of them.
PLACEHOLDERS: Mapping[LetterKind, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in {
        LetterKind.RECEIPT: "addressee number request_word arrived wish",
        LetterKind.DEFECTS: "addressee number count defects deadline",
        LetterKind.GUIDANCE: "hints events",
        LetterKind.UNREADABLE: "reasons",
        LetterKind.LOCKED_FILE: "",
        LetterKind.OFFICE_FILE: "program",
        LetterKind.PICTURE_FILE: "",
        LetterKind.DOWNLOAD_LINK: "",
        LetterKind.NOT_TAKEN: "reasons",
        LetterKind.RETURNED: "addressee number reason deadline",
        LetterKind.QUESTION: "addressee number text",
        LetterKind.ON_HOLD: "addressee number request_word arrived",
        LetterKind.REJECTION: "addressee number request_word reason",
        LetterKind.WITHDRAWN: "addressee number request_word because",
        LetterKind.ISSUE_NOTICE: "name number not_before not_after bundle_name friendly",
        LetterKind.PASSWORD: "reference password",
        LetterKind.RENEWAL_NOTICE: "name number expires_on expires not_before not_after bundle_name friendly",
        LetterKind.ISSUED_TO_APPLICANT: "addressee number request_word name not_before not_after",
        LetterKind.SCHEDULED_REVOCATION: "addressee number request_word name when",
        LetterKind.REVOKED: "addressee number name serial_tail at",
        LetterKind.REGISTRATION_CHANGED: "addressee number changed in_use",
        LetterKind.ADDRESS_CHANGED_OLD: "",
        LetterKind.CANCELLED: "addressee number user_company name at",
        LetterKind.HANDOVER_DONE: "addressee number predecessor successor revocation",
        LetterKind.HANDOVER_PREDECESSOR: "name number revocation",
        LetterKind.URGENTLY_REVOKED: "addressee number name serial_tail at form_by",
        LetterKind.REVOCATION_CALLED_OFF: "addressee number name",
        LetterKind.APPROVAL_REQUEST: "marker number request_word company_read counts token verdict links facts plan "
        "findings differences candidates notes application commands reasons",
        LetterKind.ORDER_REQUEST: "marker number request_word company_read token verdict links facts plan blocked "
        "notes commands",
        LetterKind.APPROVAL_REMINDER: "number request_word arrived asked expires",
        LetterKind.DECISION_RECORDED: "marker number request_word decision decision_short at outcome undo token_tag",
        LetterKind.DECISION_REFUSED: "number at sender reason",
        LetterKind.REPLY_UNCLEAR: "marker number line reason commands token_tag",
        LetterKind.STAFF_NOTICE: "title lines",
        LetterKind.DAILY_DIGEST: "day waiting summary sections",
    }.items()
}

_FOOTERS: Mapping[str, frozenset[str]] = {
    "footer": frozenset({"site", "office", "reply_note", "call_centre_phone", "call_centre_mail"}),
    "footer_staff": frozenset({"office"}),
}


class UnfitTextError(ValueError):
    """Text typed by staff that may not go to a customer. `reason` is a Japanese sentence for the one who typed it."""

    def __init__(self, reason: str) -> None:
        super().__init__("text typed by staff is not fit for a letter to a customer")
        self.reason = reason


class Setting(NamedTuple):
    """A template filled in."""

    subject: str
    body: str


# --- templates -----------------------------------------------------------------------------------------------------


def fill(kind: LetterKind, office: Office, values: Mapping[str, str], *, reply_note: str = "") -> Setting:
    """Fill the template of a letter and break its lines.

    `reply_note` says in the footer of a letter to a customer whether an answer is welcome. Raises ValueError when
    `values` are not exactly the template's own placeholders.
    """
    if set(values) != PLACEHOLDERS[kind]:
        odd = ", ".join(sorted(set(values) ^ PLACEHOLDERS[kind]))
        raise ValueError(f"letter {kind}: values and placeholders differ in {odd}")
    common = {
        "site": office.site,
        "office": office.name,
        "mailbox": office.address,
        "form_url": office.form_url,
        "materials_url": office.materials_url,
        "call_centre_phone": office.call_centre_phone,
        "call_centre_mail": office.call_centre_mail,
    }
    footer = _read("footer_staff" if kind.for_staff else "footer").substitute(common, reply_note=reply_note)
    whole = _read(kind.value).substitute(common, **values, footer=footer.rstrip("\n"))
    subject, body = _split(whole, kind.value)
    # A block that is empty leaves its empty lines behind; one is enough between paragraphs.
    body = re.sub(r"\n{3,}", "\n\n", body)
    lines = wrap(body, WIDTH, reads_as_command if kind.for_staff else None)
    return Setting(subject, "".join(f"{line}\n" for line in lines))


def letter(
    kind: LetterKind,
    office: Office,
    *,
    auto: Auto = "auto-generated",
    reply_note: str = REPLY_WELCOME,
    attachments: tuple[Enclosure, ...] = (),
    **values: str,
) -> Draft:
    """A letter to a customer from its template. Raises ValueError as `fill` and `Draft` do."""
    setting = fill(kind, office, values, reply_note=reply_note)
    return Draft(kind=kind, subject=setting.subject, body=setting.body, auto=auto, attachments=attachments)


def request_word(request_type: RequestType | None) -> str:
    """The type as the form prints it; 確認中 while nobody knows it."""
    return request_types.load().types[request_type].word if request_type else "確認中"


def case_word(case: CaseFacts) -> str:
    """What kind of case it is, for staff: the type of its application, or what staff themselves asked for."""
    return case.kind_word or request_word(case.request_type)


def check_templates(texts: Mapping[str, str] | None = None) -> None:
    """Check every template whole: it is there, it has a subject, and exactly the placeholders it is given.

    `texts` (file stem → text) stands in for the package's files in tests. Raises ValueError that names the file and
    the placeholder.
    """
    found = _texts() if texts is None else texts
    expected = {**{kind.value: names | {"footer"} for kind, names in PLACEHOLDERS.items()}, **_FOOTERS}
    for stem in sorted(set(found) | set(expected)):
        if stem not in found:
            raise ValueError(f"templates/{stem}.txt is missing")
        if stem not in expected:
            raise ValueError(f"templates/{stem}.txt belongs to no letter")
        template = Template(found[stem])
        if not template.is_valid():
            raise ValueError(f"templates/{stem}.txt: a $ is not followed by a placeholder")
        used = set(template.get_identifiers())
        for name in sorted(expected[stem] - used):
            raise ValueError(f"templates/{stem}.txt: placeholder {name} is missing")
        for name in sorted(used - expected[stem] - (COMMON if stem not in _FOOTERS else frozenset())):
            raise ValueError(f"templates/{stem}.txt: placeholder {name} is unknown")
        if stem not in _FOOTERS:
            _split(found[stem], stem)


def _texts() -> dict[str, str]:
    folder = resources.files("daemon.templates")
    return {
        file.name.removesuffix(".txt"): file.read_text("utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".txt")
    }


@cache
def _read(stem: str) -> Template:
    return Template(resources.files("daemon.templates").joinpath(f"{stem}.txt").read_text("utf-8"))


def _split(text: str, stem: str) -> Setting:
    head, gap, body = text.partition("\n\n")
    if not head.startswith("Subject: ") or "\n" in head or not gap:
        raise ValueError(f"templates/{stem}.txt: the first line must be the subject, the second empty")
    return Setting(head.removeprefix("Subject: ").strip(), body)


# --- dates and names -----------------------------------------------------------------------------------------------


def japanese_date(day: date) -> str:
    """A day as a Japanese business letter writes it: 2026年11月22日（日）. A datetime: `japanese_time`."""
    if isinstance(day, datetime):
        raise TypeError("a moment has a day only in a time zone; use japanese_time or jst_date")
    return f"{short_date(day)}（{'月火水木金土日'[day.weekday()]}）"


def short_date(day: date) -> str:
    """A day without its weekday, where brackets stand around it already: 2026年11月22日."""
    return f"{day.year}年{day.month}月{day.day}日"


def japanese_time(moment: datetime) -> str:
    """A moment in Japan's time: 2026年11月22日（日）18:30. ValueError for a naive datetime."""
    local = _local(moment)
    return f"{japanese_date(local.date())}{local:%H:%M}"


def jst_date(moment: datetime) -> date:
    """The day in Japan at that moment. ValueError for a naive datetime."""
    return _local(moment).date()


def _local(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return moment.astimezone(JST)


def addressee(case: CaseFacts) -> str:
    """The 宛名 of a letter: company and person on two lines, or the general form where they are unknown.

    Both stood on a form that anybody may send with anybody's address as sender, so a name that could carry a message
    of its own (an address, a link, a whole sentence) is left out rather than echoed (domain notes D.0).
    """
    company, person = _harmless(case.company), _harmless(case.person)
    if company and person:
        return f"{company}\n{person} 様"
    if company:
        return f"{company}\nご担当者様"
    return f"{person} 様" if person else "申請ご担当者様"


def _harmless(name: str) -> str:
    shown = one_line(name)
    folded = unicodedata.normalize("NFKC", shown).lower()
    suspicious = len(shown) > 60 or any(sign in folded for sign in ("@", "://", "www.", "http", "〓", "{{"))
    return "" if suspicious else shown


def one_line(text: str) -> str:
    """Foreign text made fit for one line: line ends become ／, hidden characters a visible 〓, so that nobody is fooled
    by what does not show (bidirectional marks, zero-width spaces)."""
    folded = re.sub(r"\s*[\r\n\v\f\x85\u2028\u2029]+\s*", " ／ ", text.strip()).replace("\t", " ")
    return "".join("〓" if unicodedata.category(char) in _HIDDEN else char for char in folded)


def reads_as_command(line: str) -> bool:
    """Whether a line begins with a word of staff's commands (SPEC 2.1), whatever follows. Replies quote our letters to
    staff, so none of their lines may, whatever stood on a form or in a mail."""
    first = re.split(r"[\s:=、。,.!]", unicodedata.normalize("NFKC", line).lstrip("> \t"), maxsplit=1)[0]
    return any(first.casefold() in phrase.words for phrase in PHRASES)


def fault_in(text: str) -> str:
    """Why text typed by staff may not go to a customer, as a Japanese sentence; empty when it may (domain notes D.0).

    Links, mail addresses and tokens are refused: they are how an internal thing, or a stranger's, would slip out.
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    hidden = any(unicodedata.category(char) in _HIDDEN for char in text.replace("\n", ""))
    faults = {
        "申請者にお送りする文がありません。": not text.strip(),
        "申請者にお送りする文は600文字以内でご記入ください。": len(text) > 600,
        "表示されない文字が含まれているため、申請者にはお送りできません。": hidden,
        "URLを含む文は、申請者にはお送りできません。": "://" in folded or "www." in folded,
        "メールアドレスを含む文は、申請者にはお送りできません。": "@" in folded,
        "社内用の記号が含まれているため、申請者にはお送りできません。": any(
            mark in folded for mark in ("[#", "▲▲▲", PASSWORD_MARKER.lower())
        ),
    }
    return next((sentence for sentence, found in faults.items() if found), "")


def staff_text(text: str) -> str:
    """Text typed by staff for a customer, indented by one full-width space. Raises UnfitTextError with the reason."""
    fault = fault_in(text)
    if fault:
        raise UnfitTextError(fault)
    return indent(line.strip() for line in text.strip().split("\n"))


def indent(lines: Iterable[str]) -> str:
    """Lines set in by one full-width space, joined."""
    return "\n".join(f"　{line}" for line in lines)
