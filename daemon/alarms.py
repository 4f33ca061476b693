"""What only the operator can mend is told to staff, once a day for each cause, besides the line in the log.

`failures` says which errors are such (Consequence.ALARM). An error that nobody foresaw stays in the log: its cause is
not known, and staff could do nothing about it. Trouble with the mail server is told when it is over, if at all, since
the alarm is a letter.
"""

import logging
from collections.abc import Mapping
from types import MappingProxyType

from . import post
from .centre import Centre
from .failures import TABLE, Consequence, Kind, kind_of
from .guard import attempt
from .planning import JST

_log = logging.getLogger(__name__)

# Only what staff can understand and pass on; the sentence says what it means for applicants.
_WORDS: Mapping[Kind, tuple[str, str]] = MappingProxyType(
    {
        Kind.MAILBOX_LOGIN: (
            "メールボックスにログインできません",
            "新しいメールを受け付けられません。メールはサーバーに残っています。",
        ),
        Kind.MAILBOX_CERTIFICATE: (
            "メールサーバーの証明書を確認できません",
            "新しいメールを受け付けられません。メールはサーバーに残っています。",
        ),
        Kind.MAILBOX_FOLDER: (
            "メールボックスのフォルダーを開けません",
            "メールの受付、または処理済みフォルダーへの移動ができません。",
        ),
        Kind.KEY_UNAVAILABLE: (
            "認証局の鍵を使用できません",
            "証明書の発行と失効リスト（CRL）の更新ができません。鍵の装置（HSM）が戻ると自動で再開します。",
        ),
        Kind.DISK_FULL: (
            "ディスクの空き容量が不足しています",
            "新しいメールの受付を止めています。メールはサーバーに残っており、空きができれば自動で再開します。",
        ),
    }
)


def sound(centre: Centre, step: str, error: Exception) -> None:
    """Tell staff about a step that failed, where that is for them to know. Never raises: the log has it already."""
    kind = kind_of(error)
    if TABLE[kind].consequence is Consequence.ALARM and kind in _WORDS:
        attempt(f"alarm {kind.value}", lambda: _tell(centre, step, kind))


def _tell(centre: Centre, step: str, kind: Kind) -> None:
    now = centre.clock()
    subject, meaning = _WORDS[kind]
    key = f"alarm:{kind.value}:{now.astimezone(JST):%Y%m%d}"
    with centre.store.transaction() as tx:
        lines = (meaning, "システム担当者にご連絡ください（ogis-lra check で原因を確認できます）。")
        if post.notify_once(tx, centre, key=key, subject=subject, lines=lines, now=now):
            _log.error("staff are told: %s (%s)", kind.value, step)
