"""What comes back: reports of mail systems in their habits, octet by octet, all made up here.

Each builder takes the letter that did not arrive, as its octets, and whom it was for. The wording follows the kind of
thing that each system writes; companies, hosts and people are invented.
"""

import base64
from email import message_from_bytes

CENTRE = "ogis-lra@lra.example"
DEAD = "hanako.yamada@aozora-denki.example"


def letter(
    body: str = "発行のお知らせ",
    *,
    message_id: str = "<00112233445566778899aabbccddeeff@lra.example>",
    recipient: str = DEAD,
) -> bytes:
    """A letter of ours as it left: Japanese in base64."""
    coded = base64.encodebytes(body.encode()).decode().replace("\n", "\r\n")
    return (
        f"From: LRA <{CENTRE}>\r\nTo: {recipient}\r\nSubject: =?utf-8?B?44GK55+l44KJ44Gb?=\r\n"
        f"Date: Wed, 01 Apr 2026 10:00:00 +0900\r\nMessage-ID: {message_id}\r\nAuto-Submitted: auto-generated\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{coded}"
    ).encode()


def headers_of(raw: bytes) -> bytes:
    return raw.partition(b"\r\n\r\n")[0] + b"\r\n"


def plain(
    text: str,
    *,
    sender: str = "MAILER-DAEMON@mx.carrier.example",
    subject: str = "failure notice",
    charset: str = "utf-8",
    to: str = CENTRE,
    fields: str = "",
) -> bytes:
    """A report in free words, without any structure."""
    head = (
        f"Return-Path: <>\r\nFrom: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <r1@mx.carrier.example>\r\n"
        f"Date: Wed, 01 Apr 2026 10:05:00 +0900\r\n{fields}MIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    )
    return head.encode(charset) + text.replace("\r\n", "\n").replace("\n", "\r\n").encode(charset, "replace")


def dsn(
    raw: bytes,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "smtp; 550 5.1.1 User unknown",
    recipient: str = f"rfc822; {DEAD}",
    envid: str = "",
    to: str = CENTRE,
    whole: bool = False,
    status_type: str = "message/delivery-status",
    report: str = "multipart/report; report-type=delivery-status",
    per_message: str = "Reporting-MTA: dns; mx.carrier.example",
    words: str = "This is the mail system at host mx.carrier.example.",
    sender: str = "Mail Delivery System <MAILER-DAEMON@mx.carrier.example>",
) -> bytes:
    """A report after RFC 3464, the header of the letter returned, or the whole of it."""
    about = per_message + (f"\r\nOriginal-Envelope-Id: {envid}" if envid else "")
    fields = f"Final-Recipient: {recipient}\r\nAction: {action}\r\nStatus: {status}\r\nDiagnostic-Code: {diagnostic}"
    returned = raw if whole else headers_of(raw)
    kind = "message/rfc822" if whole else "text/rfc822-headers"
    return (
        (
            f"Return-Path: <>\r\nFrom: {sender}\r\nTo: {to}\r\nSubject: Undelivered Mail Returned to Sender\r\n"
            "Auto-Submitted: auto-replied\r\nMessage-ID: <r2@mx.carrier.example>\r\nMIME-Version: 1.0\r\n"
            f'Content-Type: {report}; boundary="B"\r\n\r\n--B\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{words}\r\n'
            f"--B\r\nContent-Type: {status_type}\r\n\r\n{about}\r\n\r\n{fields}\r\n\r\n--B\r\nContent-Type: {kind}\r\n\r\n"
        ).encode()
        + returned
        + b"\r\n--B--\r\n"
    )


def _copy(raw: bytes) -> str:
    return raw.decode("utf-8").replace("\r\n", "\n")


def qmail(raw: bytes, whom: str = DEAD) -> bytes:
    return plain(
        "Hi. This is the qmail-send program at mx.carrier.example.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        f"<{whom}>:\n192.0.2.7 does not like recipient.\nRemote host said: 550 5.1.1 no mailbox here by that name.\n"
        "Giving up on 192.0.2.7.\n\n--- Below this line is a copy of the message.\n\n"
        f"Return-Path: <{CENTRE}>\n{_copy(raw)}"
    )


def exim(raw: bytes, whom: str = DEAD) -> bytes:
    return plain(
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be "
        f"delivered to one or more of its\nrecipients. The following address(es) failed:\n\n  {whom}\n"
        "    host mx.aozora-denki.example [192.0.2.7]\n    SMTP error from remote mail server after RCPT TO:\n"
        "    552 5.2.2 mailbox full\n\n------ This is a copy of the message, including all the headers. ------\n\n"
        f"{_copy(raw)}",
        subject="Mail delivery failed: returning message to sender",
        sender="Mail Delivery System <Mailer-Daemon@mx.carrier.example>",
        fields=f"X-Failed-Recipients: {whom}\r\nAuto-Submitted: auto-replied\r\n",
    )


def exim_delay(raw: bytes, whom: str = DEAD) -> bytes:
    return plain(
        "This message was created automatically by mail delivery software.\nA message that you sent has not yet been "
        f"delivered to one or more of its\nrecipients after more than 24 hours on the queue.\n\n  {whom}\n"
        "    Delay reason: Connection timed out\n\nNo action is required on your part. Delivery attempts will continue.\n"
        f"\nMessage-ID: {message_from_bytes(raw)['Message-ID']}\n",
        subject="Warning: message delayed 24 hours",
        fields="Auto-Submitted: auto-replied\r\n",
    )


def old_sendmail(raw: bytes, whom: str = DEAD) -> bytes:
    return plain(
        "The original message was received at Wed, 1 Apr 2026 10:00:00 +0900\n\n"
        f"   ----- The following addresses had permanent fatal errors -----\n<{whom}>\n    (reason: 550 User unknown)\n\n"
        f"   ----- Original message follows -----\n\n{_copy(raw)}",
        subject="Returned mail: see transcript for details",
    )


def yahoo(raw: bytes, whom: str = "hanako-y@mail.carrier.example") -> bytes:
    return plain(
        "Sorry, we were unable to deliver your message to the following address.\n\n"
        f"<{whom}>:\nRemote host said: 554 delivery error: dd This user doesn't have an account here [-9]\n\n"
        f"--- Below this line is a copy of the message.\n\n{_copy(raw)}",
        subject="Failure Notice",
    )


def notes(raw: bytes, whom: str = DEAD) -> bytes:
    return plain(
        f"Your message\n\n  Subject: お知らせ\n\nwas not delivered to:\n\n  {whom}\n\nbecause:\n\n"
        "  User hanako.yamada not listed in Domino Directory\n",
        subject="DELIVERY FAILURE: User not listed in Domino Directory",
        sender="Postmaster@notes.carrier.example",
        fields=f"In-Reply-To: {message_from_bytes(raw)['Message-ID']}\r\n",
    )


def docomo(raw: bytes, whom: str = "hanako..y@keitai.carrier.example") -> bytes:
    return plain(
        "Your message was not delivered to the following recipients:\n\n"
        f"    {whom}: 550 Unknown user {whom}\n\nReceived: from lra.example by mfsmax.carrier.example\n{_copy(raw)}",
        subject="Mail System Error - Returned Mail",
        charset="iso-2022-jp",
        sender="mail-daemon@keitai.carrier.example",
    )


def ezweb(raw: bytes, whom: str = "hanako.-.y@ez.carrier.example") -> bytes:
    return plain(
        "The following recipients did not receive this message:\n\n"
        f"  <{whom}>\n\nReason: The user(s) account is temporarily limited.\n\n{_copy(raw)}",
        subject="Mail System Error - Returned Mail",
        sender="Postmaster@ez.carrier.example",
    )


def softbank(raw: bytes, whom: str = "hanako@sb.carrier.example") -> bytes:
    return plain(
        f"お客さまのメールは、次の宛先へお届けできませんでした。\n\n宛先：{whom}\n"
        "理由：宛先のメールボックスの容量が一杯です。\n\n"
        f"元のメール\nMessage-ID: {message_from_bytes(raw)['Message-ID']}\n",
        subject="=?iso-2022-jp?B?GyRCRz8/LiUoJWkhPBsoQg==?=",
        charset="iso-2022-jp",
        sender="postmaster@sb.carrier.example",
    )


def mfilter(raw: bytes, whom: str = DEAD) -> bytes:
    return plain(
        f"メールを配送できませんでした。\n\n-------server message\n550 5.7.1 <{whom}>... rejected by policy\n\n"
        f"-------original message\n{_copy(raw)}",
        subject="Undeliverable mail",
        fields="X-Mailer: gateway filter 5\r\n",
    )


def active_hunter(raw: bytes, whom: str = DEAD) -> bytes:
    return plain(
        f"  ----- The following addresses had permanent fatal errors -----\n\n>>> {whom} <<<\n\n"
        "  ----- Transcript of session follows -----\n550 sorry, no mailbox here by that name (#5.1.1)\n\n"
        f"  ----- Unsent message follows -----\n{_copy(raw)}",
        subject="Message was not delivered",
        sender="MAILER-DAEMON@gateway.carrier.example",
        fields="X-AHMailID: 20260401\r\n",
    )


def exchange(raw: bytes, whom: str = DEAD) -> bytes:
    """Exchange in Japanese: the words for people in one language, the fields as ever."""
    return dsn(
        raw,
        status="5.1.10",
        diagnostic="smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        recipient=f"rfc822;{whom}",
        words="次の受信者またはグループへの配信に失敗しました:\r\n入力した電子メール アドレスが見つかりませんでした。",
        sender="MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@carrier.example",
    )


def old_exchange(raw: bytes, whom: str = DEAD) -> bytes:
    return plain(
        "次の受信者に電子メール メッセージを送信できませんでした。\n\n"
        f"      {whom} 2026/04/01 10:05\n            宛先の電子メール アドレスが存在しません。\n",
        subject="=?iso-2022-jp?B?GyRCR1s/LklURz0bKEI6IA==?=",
        charset="iso-2022-jp",
        sender="System Administrator <postmaster@carrier.example>",
        fields=f"In-Reply-To: {message_from_bytes(raw)['Message-ID']}\r\n",
    )


FREE_TEXTS = {
    "qmail": (qmail, "address", "5.1.1"),
    "exim": (exim, "full", "5.2.2"),
    "old sendmail": (old_sendmail, "address", ""),
    "yahoo": (yahoo, "address", ""),
    "notes": (notes, "address", ""),
    "docomo": (docomo, "address", ""),
    "ezweb": (ezweb, "address", ""),
    "softbank": (softbank, "full", ""),
    "mfilter": (mfilter, "refused", "5.7.1"),
    "active hunter": (active_hunter, "address", "5.1.1"),
    "old exchange": (old_exchange, "address", ""),
}
"""Each builder with the cause and the code that its text tells."""


def vacation(raw: bytes, *, fields: str = "Auto-Submitted: auto-replied\r\n") -> bytes:
    return plain(
        "ただいま不在にしております。4月6日以降にご連絡ください。\n退職した者あてのメールはお届けできませんのでご了承ください。\n",
        sender=DEAD,
        subject="=?utf-8?B?6Ieq5YuV5b+c562UOiDkuI3lnKg=?=",
        fields=f"In-Reply-To: {message_from_bytes(raw)['Message-ID']}\r\n{fields}",
    )
