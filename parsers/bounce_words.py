"""The words by which mail systems tell in free text that a mail did not arrive, and why.

Short fragments that the common ones write (qmail, Exim, sendmail, Exchange in two languages, Notes, the gateways and
the carriers of Japan), looked for as plain substrings of text that was made NFKC, lower case and single-spaced before.
"""

from enum import StrEnum


class Cause(StrEnum):
    """Why a mail did not arrive, as far as staff act differently on it."""

    ADDRESS = "address"
    """The address does not exist, or is used no more."""
    FULL = "full"
    """The mailbox is full."""
    TOO_LARGE = "too_large"
    """The mail is larger than the other side takes."""
    REFUSED = "refused"
    """The other side did not want the mail: a filter, a policy, what it holds."""
    UNREACHABLE = "unreachable"
    """The other side could not be reached in time, or is in trouble."""
    UNKNOWN = "unknown"


# What only a final failure says; it outweighs a word about earlier delays.
_FINAL = (
    "permanent error",
    "permanent fatal error",
    "permanent failure",
    "i've given up",
    "giving up",
    "gave up",
    "no longer be retried",
    "配信を中止",
    "配送を中止",
    "配信を断念",
)

_DELAYED = (
    "will be retried",
    "will be re-tried",
    "will continue to try",
    "will keep trying",
    "still trying",
    "not yet been delivered",
    "has been delayed",
    "is delayed",
    "delivery delayed",
    "delayed mail",
    "warning message only",
    "do not need to resend",
    "no action is required on your part",
    "配信が遅れ",
    "配信が遅延",
    "配信の遅延",
    "配信遅延",
    "配送が遅れ",
    "まだ配信されていません",
    "まだ配送されていません",
    "まだ送信されていません",
    "配信を再試行します",
    "引き続き配信を試み",
    "再送を試み",
)

_FAILED = (
    "could not be delivered",
    "couldn't be delivered",
    "cannot be delivered",
    "can't be delivered",
    "unable to deliver",
    "able to deliver your message",
    "was not delivered",
    "were not delivered",
    "not be delivered",
    "undeliverable",
    "undelivered",
    "delivery failed",
    "delivery has failed",
    "delivery failure",
    "failed permanently",
    "did not receive this message",
    "did not reach the following",
    "rejected by",
    "mail system error",
    "returned mail",
    "returned to sender",
    "unknown user",
    "user unknown",
    "no such user",
    "recipient unknown",
    "配信できません",
    "配信できなかった",
    "配送できません",
    "配送できなかった",
    "送信できません",
    "送信できなかった",
    "届けできません",
    "届けできなかった",
    "届けることができません",
    "届きませんでした",
    "届いていません",
    "配信に失敗",
    "配送に失敗",
    "送信に失敗",
    "配信不能",
    "配送不能",
    "宛先不明",
    "存在しないアドレス",
    "受信を拒否",
    "受信拒否",
    "お返しします",
    "返送します",
    "返送いたします",
)

_CAUSES: tuple[tuple[Cause, tuple[str, ...]], ...] = (
    (
        Cause.FULL,
        (
            "mailbox full",
            "mailbox is full",
            "quota",
            "over the limit",
            "insufficient disk",
            "not enough space",
            "容量がいっぱい",
            "容量が一杯",
            "容量を超え",
            "容量超過",
            "空き容量",
        ),
    ),
    (
        Cause.TOO_LARGE,
        (
            "message too large",
            "message size exceeds",
            "message is too large",
            "exceeds size limit",
            "exceeds maximum",
            "サイズが大きすぎ",
            "サイズの上限",
            "サイズ制限",
        ),
    ),
    (
        Cause.ADDRESS,
        (
            "user unknown",
            "unknown user",
            "no such user",
            "no such address",
            "recipient unknown",
            "unknown address",
            "address unknown",
            "invalid recipient",
            "doesn't have a",
            "does not have a",
            "does not exist",
            "doesn't exist",
            "not listed in",
            "no mailbox here",
            "no such mailbox",
            "mailbox not found",
            "mailbox unavailable",
            "account is disabled",
            "account has been disabled",
            "account is temporarily limited",
            "not found",
            "couldn't find any host",
            "host unknown",
            "宛先不明",
            "宛先が見つかりません",
            "見つかりませんでした",
            "存在しません",
            "存在しない",
            "使われていません",
            "使用されていません",
            "登録されていません",
            "利用停止",
        ),
    ),
    (
        Cause.REFUSED,
        (
            "spam",
            "blocked",
            "blacklist",
            "policy",
            "not accepted",
            "refused",
            "access denied",
            "rejected",
            "受信を拒否",
            "受信拒否",
            "拒否され",
            "ポリシー",
            "許可されていません",
            "フィルタ",
        ),
    ),
    (
        Cause.UNREACHABLE,
        (
            "timed out",
            "timeout",
            "connection refused",
            "no route to host",
            "too old",
            "expired",
            "retry time",
            "unrouteable",
            "接続できません",
            "応答がありません",
            "期限を過ぎ",
            "期限切れ",
            "タイムアウト",
        ),
    ),
)


def action_of(text: str) -> str | None:
    """`failed`, `delayed`, or None where the text says neither."""
    if any(words in text for words in _FINAL):
        return "failed"
    if any(words in text for words in _DELAYED):
        return "delayed"
    return "failed" if any(words in text for words in _FAILED) else None


def cause_of(text: str) -> Cause:
    """Why, by the words; UNKNOWN where none of them stands there."""
    return next((cause for cause, words in _CAUSES if any(each in text for each in words)), Cause.UNKNOWN)
