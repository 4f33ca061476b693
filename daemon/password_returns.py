"""A password of ours comes back, quoted by a bounce or by a person: its certificate is taken back (SPEC 2.2).

Does: compares everything of the shape of our passwords in a mail with the keyed hashes kept since they were queued;
where one is known, revokes what it opens as long as that may not have been fetched yet, tells staff, and asks the
ledger to forget the mail's bytes.
Trusts: nobody. Who can send us the password has it, and the certificate must not be used then, whoever that is; who
does not have it (128 bits) can kill nothing, however well the bounce is forged.
Promises: the password is stored nowhere, neither here nor in what staff are shown.
Weak: a password inside a PDF or a picture is not seen. Until the download page knows what was fetched, the fetch window
(`policy.fetch_days`) stands for it. What the mail server's own backups keep is beyond us.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, select
from sqlalchemy.engine import RowMapping

from ca import register
from ca.crl import Reason
from ca.register import CertificateState
from parsers.mail import Mail
from parsers.returned import holds_password, own_text, passwords

from . import cases, completion, ledger, post, schema
from .centre import Centre
from .despatch import LetterEvent, LetterState, allows
from .referral import Delivery
from .store import every

_letters = schema.letters

# Values in one IN (...): SQLite takes 32,766, older ones 999.
_AT_ONCE = 500


def take_back(tx: Connection, centre: Centre, delivery: Delivery, *, now: datetime) -> Delivery | None:
    """The mail without what must not be kept, when it holds a password of ours; None for every other mail.

    Then its certificate is revoked where it may not have been fetched yet, staff are told, and the bytes of the mail
    are forgotten after the commit, here and on the mail server.
    """
    letters = _letters_of(tx, centre, delivery.mail)
    if not letters:
        return None
    for letter in letters:
        _take_back(tx, centre, letter, delivery.row.id, now)
    ledger.ask_erasure(tx, delivery.row.id, now=now)
    kept = []
    for opened in delivery.opened:
        if holds_password(opened.attachment):
            # Before the commit, since nothing is lost by it: a mail that is read again gives it again.
            centre.blobs.erase(opened.digest)
        else:
            kept.append(opened)
    # A returned mail in the text may be in base64, where `without_passwords` sees nothing.
    return replace(delivery, opened=tuple(kept), mail=replace(delivery.mail, text=own_text(delivery.mail)))


def _letters_of(tx: Connection, centre: Centre, mail: Mail) -> list[RowMapping]:
    hashes = sorted(post.fingerprint(centre.token_key, word) for word in passwords(mail))
    return [
        row
        for start in range(0, len(hashes), _AT_ONCE)
        for row in every(tx, select(_letters).where(_letters.c.secret_hash.in_(hashes[start : start + _AT_ONCE])))
    ]


def _take_back(tx: Connection, centre: Centre, letter: RowMapping, mail_id: int, now: datetime) -> None:
    if allows(LetterState(letter["state"]), LetterEvent.STOPPED):
        # Its outcome was unknown: it did arrive, and its repetition would arrive too late.
        post.move(tx, letter, LetterEvent.STOPPED, error="the password came back", raw=None, sealed=None)
    since = letter["sent_at"] or letter["created_at"]
    # The download page of a later stage knows what was fetched; until then the fetch window stands for it.
    unfetched = now < since + timedelta(days=centre.settings.policy.fetch_days)
    serials = _revoke(tx, centre, letter, now) if unfetched else []
    centre.audit.append(
        tx,
        "password_returned",
        at=now,
        actor="system",
        case_id=letter["case_id"],
        letter=letter["id"],
        mail=mail_id,
        revoked=len(serials),
    )
    key = f"password-returned:{letter['id']}"
    if post.told(tx, key):
        return
    number = cases.get(tx, letter["case_id"]).number if letter["case_id"] else ""
    post.notify(
        tx,
        centre,
        key=key,
        subject=f"パスワードが返ってきました {number}".strip(),
        lines=[
            f"受付番号：{number or 'なし'}",
            f"宛先：{letter['recipient']}",
            "お送りしたパスワードが、不達の知らせや返信に引用されて、センターに戻ってきました。",
            "パスワードが第三者の目に触れたおそれがあります。",
            *_what_was_done(serials, unfetched=unfetched),
            "戻ってきたメールの原本は、メールサーバーからも消去します。",
        ],
        now=now,
        case_id=letter["case_id"],
    )


def _what_was_done(serials: list[str], *, unfetched: bool) -> list[str]:
    if serials:
        tails = "、".join(f"…{serial[-4:]}" for serial in serials)
        return [
            f"この証明書を失効しました（シリアル番号の末尾 {tails}）。",
            "利用者にご連絡のうえ、新しい証明書をお渡しください（再発行のお申し込み）。",
        ]
    if unfetched:
        return ["この証明書は、すでに失効しています。"]
    return ["受け取りの期間を過ぎているため、証明書は失効していません。失効が必要かどうか、ご判断ください。"]


def _revoke(tx: Connection, centre: Centre, letter: RowMapping, now: datetime) -> list[str]:
    """Revoke what this password opens: the certificate of the letter's case."""
    if letter["case_id"] is None:
        return []
    table = register.certificates
    live = select(table.c.serial).where(
        table.c.case_id == letter["case_id"],
        table.c.state.in_([CertificateState.ISSUED.value, CertificateState.HELD.value]),
    )
    return [
        row["serial"]
        for row in every(tx, live)
        if completion.revoke_one(
            tx,
            centre,
            row["serial"],
            reason=Reason.KEY_COMPROMISE,
            case_id=letter["case_id"],
            actor="system",
            now=now,
        )
    ]
