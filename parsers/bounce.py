"""Mail to delivery report: what a mail system says became of a mail of ours, or None when it says nothing of the kind.

Reads the reports of RFC 3464 (and RFC 6533, their UTF-8 sister) wherever in the mail they stand, and the free texts of
systems that do not write them (`parsers.bounce_words`). Everything in a report is its sender's word; that it is about
a letter of ours is shown by `parsers.returned`, never by this.
Promises: never raises; every scan is linear in the size of the mail. A delay is no failure, and neither is an
out-of-office answer, a read report or a complaint (RFC 8098, RFC 5965).
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from parsers import bounce_words, charsets
from parsers.attachments import Attachment
from parsers.bounce_words import Cause
from parsers.headers import first_token, read_parameter
from parsers.mail import Mail
from parsers.returned import own_text

__all__ = ["Action", "Cause", "DeliveryReport", "cause_of", "read_report"]

# The words of a mail system stand at the top; what follows is the returned mail.
_LONGEST_TEXT = 20_000
# Octets of a status part, and how many parts and recipients are looked at. One letter of ours has one recipient.
_LARGEST_STATUS = 256 * 1024
_MOST_RECIPIENTS = 100


class Action(StrEnum):
    """What became of the mail (RFC 3464 section 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    EXPANDED = "expanded"
    RELAYED = "relayed"
    DELIVERED = "delivered"


# The worst first: one report may speak of several recipients.
_BY_WEIGHT = tuple(Action)


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """One report about one recipient, the one it went worst for.

    `recipient` may be empty or another address than the one we wrote to (a forward); `status` is the enhanced code of
    RFC 3463 or empty; `envid` the envelope identifier that we gave (RFC 3461), or empty; `form` says how it was read.
    """

    action: Action
    cause: Cause
    recipient: str = ""
    status: str = ""
    envid: str = ""
    form: str = "text"


def read_report(mail: Mail) -> DeliveryReport | None:
    """The delivery report that a mail is, None for every other mail. Never raises."""
    kind = _report_type(mail)
    if kind not in ("", "delivery-status"):
        return None
    return _structured(mail) or _by_words(mail)


def _report_type(mail: Mail) -> str:
    for value in mail.header("content-type")[:1]:
        if first_token(value) == "multipart/report":
            found = read_parameter(value, "report-type")
            return found.text.strip().lower() if found else ""
        if first_token(value) == "message/disposition-notification":
            return "disposition-notification"
    return ""


# --- RFC 3464 ------------------------------------------------------------------------------------------------------


def _structured(mail: Mail) -> DeliveryReport | None:
    """The report in fields: in a part of its own, in one of another name, or in the text of a broken report."""
    robot = mail.automatic is not None
    for attachment in mail.attachments[:_MOST_RECIPIENTS]:
        if _may_hold_status(attachment) and (robot or not attachment.forwarded):
            report = _read_status(_status_text(attachment), "rfc3464")
            if report is not None and (robot or attachment.content_type == "message/delivery-status"):
                return report
    # Somebody may quote a report by hand: only a robot's own text counts.
    return _read_status(mail.text[:_LONGEST_TEXT], "fields_in_text") if robot else None


def _may_hold_status(attachment: Attachment) -> bool:
    kind = attachment.content_type
    return kind.startswith(("message/", "text/")) or kind == "application/octet-stream"


def _status_text(attachment: Attachment) -> str:
    data = attachment.data[:_LARGEST_STATUS]
    if b":" not in data:
        # RFC 3464 section 2.1 wants 7bit; a status part in base64 happens, and the MIME reader leaves it as it is.
        try:
            data = base64.b64decode(data)
        except (binascii.Error, ValueError):
            return ""
    # Before anything that takes longer: a mail may have hundreds of texts.
    if b"-recipient" not in data.lower():
        return ""
    return data.decode("utf-8", "replace")


def _read_status(text: str, form: str) -> DeliveryReport | None:
    about, recipients = _groups(text)
    reports = [report for group in recipients if (report := _of_recipient(group, form)) is not None]
    if not reports:
        return None
    worst = min(reports, key=lambda report: _BY_WEIGHT.index(report.action))
    return DeliveryReport(
        worst.action, worst.cause, worst.recipient, worst.status, _xtext(about.get("original-envelope-id", "")), form
    )


def _groups(text: str) -> tuple[Mapping[str, str], Sequence[Mapping[str, str]]]:
    """The fields about the mail, and those about each recipient; a report without blank lines is read all the same."""
    about: dict[str, str] = {}
    recipients: list[dict[str, str]] = []
    group = about
    for name, value in _fields(text):
        opens = name in ("final-recipient", "original-recipient", "action") and (group is about or name in group)
        if opens:
            if len(recipients) == _MOST_RECIPIENTS:
                break
            group = {}
            recipients.append(group)
        group.setdefault(name, value)
    return about, recipients


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Every `Name: value` with its continuation lines; lines that are neither are passed over."""
    name, value = "", ""
    for line in text.splitlines():
        if name and line[:1] in (" ", "\t"):
            value = f"{value} {line.strip()}"[:2000]
            continue
        if name:
            yield name, value
        head, colon, rest = line.partition(":")
        name, value = (head.strip().lower(), rest.strip()[:2000]) if colon and _FIELD.fullmatch(head) else ("", "")
    if name:
        yield name, value


_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,60}[ \t]?")
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
_REPLY = re.compile(r"(?<![\d.])([45])\d\d(?=[ \-]|$)")


def _of_recipient(group: Mapping[str, str], form: str) -> DeliveryReport | None:
    diagnostic = group.get("diagnostic-code", "")
    code = _STATUS.search(group.get("status", "")) or _STATUS.search(diagnostic)
    status = ".".join(code.groups()) if code else ""
    action = _action(group.get("action", ""), status, diagnostic)
    recipient = _address(group.get("final-recipient", "") or group.get("original-recipient", ""))
    # A few lines of a mail may look like one of these fields; a report has the recipient and what became of it.
    if action is None or not ("final-recipient" in group or "original-recipient" in group):
        return None
    cause = cause_of(status, f"{diagnostic} {group.get('status', '')}")
    return DeliveryReport(action, cause, recipient, status, form=form)


def _action(word: str, status: str, diagnostic: str) -> Action | None:
    token = first_token(word)
    if token in set(Action):
        return Action(token)
    # Without a known word the class of the status decides; a class 4 alone may still arrive (RFC 3463 section 3.1).
    reply = _REPLY.search(diagnostic)
    digit = status[:1] or (reply[1] if reply else "")
    return {"5": Action.FAILED, "4": Action.DELAYED, "2": Action.DELIVERED}.get(digit)


_ESCAPE = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


def _address(value: str) -> str:
    """The address behind `rfc822;` or `utf-8;`, with the escapes of RFC 6533 section 3 undone."""
    kind, semicolon, address = value.partition(";")
    text = (address if semicolon else kind).strip().strip("<>")
    if kind.strip().lower() == "utf-8":
        text = _ESCAPE.sub(lambda found: _character(found[1]), text)
    return charsets.clean_line(text)[:320]


def _character(digits: str) -> str:
    code = int(digits, 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else charsets.REPLACEMENT


_HEX = re.compile(r"\+([0-9A-F]{2})")


def _xtext(value: str) -> str:
    """RFC 3461 section 4: `+` and two digits stand for an octet."""
    return _HEX.sub(lambda found: chr(int(found[1], 16)), value.strip())[:100]


# --- free text -----------------------------------------------------------------------------------------------------

_DAEMON = re.compile(
    r"(?:mailer-?daemon|postmaster|mail-?daemon|mdaemon|mail-?delivery.{0,30}|mailadmin|administrator|"
    r"bounces?|exchange.{0,40}|microsoftexchange.{0,60})",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"\s*(?:failure notice|undeliver|returned mail|mail delivery|delivery (?:failure|status|report|failed)|"
    r"mail system error|message status|warning: (?:message|could not)|non-?deliver|delayed mail|"
    r"配信不能|配信できません|配信に失敗|配送不能|配送できません|配送エラー|送信できません|不達|宛先不明|エラー通知|"
    r"メール(?:配信|送信)?エラー|受信拒否|配信の遅延|配信遅延)",
    re.IGNORECASE,
)


def _by_words(mail: Mail) -> DeliveryReport | None:
    """What a report in free words says. A mail system must have written it, and its own words must say so."""
    if mail.automatic is None:
        return None
    failed = mail.header("x-failed-recipients")
    daemon = any(_DAEMON.fullmatch(sender.address.rpartition("@")[0]) for sender in mail.senders)
    if not (daemon or failed or _SUBJECT.match(mail.subject)):
        return None
    text = f"{mail.subject}\n{own_text(mail)}"[:_LONGEST_TEXT]
    folded = " ".join(unicodedata.normalize("NFKC", text).lower().split())
    action = bounce_words.action_of(folded)
    if action is None:
        return None
    found = _STATUS.search(folded)
    status = ".".join(found.groups()) if found else ""
    named = next((value for field in failed for value in _addresses(field)), "")
    ours = {address.address.lower() for address in mail.recipients}
    recipient = named or next((each for each in _addresses(text) if each.lower() not in ours), "")
    return DeliveryReport(Action(action), cause_of(status, folded), recipient, status)


_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


def _addresses(text: str) -> Iterator[str]:
    return (found[0] for found in _ADDRESS.finditer(text))


# --- why -----------------------------------------------------------------------------------------------------------

# RFC 3463 sections 3.2 to 3.8: the subject of the code, and the few details that mean something else.
_SUBJECTS: Mapping[str, Cause] = MappingProxyType(
    {
        "1": Cause.ADDRESS,
        "2": Cause.ADDRESS,
        "3": Cause.UNREACHABLE,
        "4": Cause.UNREACHABLE,
        "6": Cause.REFUSED,
        "7": Cause.REFUSED,
    }
)
_DETAILS: Mapping[str, Cause] = MappingProxyType(
    {
        # About the sender's address, not the recipient's.
        "1.7": Cause.REFUSED,
        "1.8": Cause.REFUSED,
        "2.2": Cause.FULL,
        "2.3": Cause.TOO_LARGE,
        "3.4": Cause.TOO_LARGE,
        "3.1": Cause.FULL,
    }
)


def cause_of(status: str, text: str) -> Cause:
    """Why a mail did not arrive, by its enhanced code (RFC 3463, may be empty) or, where that is vague, the words."""
    detail = status[2:]
    found = _DETAILS.get(detail) or _SUBJECTS.get(detail.partition(".")[0])
    # x.0.0 and 5.5.x say that something went wrong and not what; the words know more.
    return found or bounce_words.cause_of(unicodedata.normalize("NFKC", text).lower())
