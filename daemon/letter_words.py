"""What people read for the kinds and states of letters: in `queue` and `show`, and in the letters to staff."""

from collections.abc import Mapping

from .despatch import LetterState
from .draft import LetterKind

LETTER_STATES: Mapping[LetterState, str] = {
    LetterState.QUEUED: "送信待ち",
    LetterState.SENDING: "送信中",
    LetterState.UNKNOWN: "送信結果不明",
    LetterState.SENT: "送信済み",
    LetterState.FAILED: "送信失敗",
    LetterState.BOUNCED: "不達",
}
LETTER_WORDS: Mapping[LetterKind, str] = {
    LetterKind.RECEIPT: "受付",
    LetterKind.DEFECTS: "不備",
    LetterKind.GUIDANCE: "案内",
    LetterKind.UNREADABLE: "読取不可",
    LetterKind.LOCKED_FILE: "パスワード付き",
    LetterKind.OFFICE_FILE: "Excel・Word",
    LetterKind.PICTURE_FILE: "画像",
    LetterKind.DOWNLOAD_LINK: "リンク",
    LetterKind.NOT_TAKEN: "一部のファイル",
    LetterKind.RETURNED: "差戻し",
    LetterKind.QUESTION: "照会",
    LetterKind.ON_HOLD: "保留中",
    LetterKind.REJECTION: "却下",
    LetterKind.WITHDRAWN: "取下げ",
    LetterKind.ISSUE_NOTICE: "発行通知",
    LetterKind.PASSWORD: "パスワード",
    LetterKind.RENEWAL_NOTICE: "更新通知",
    LetterKind.ISSUED_TO_APPLICANT: "発行完了",
    LetterKind.SCHEDULED_REVOCATION: "失効予約",
    LetterKind.REVOKED: "失効完了",
    LetterKind.REGISTRATION_CHANGED: "登録変更完了",
    LetterKind.ADDRESS_CHANGED_OLD: "変更前アドレスへの連絡",
    LetterKind.CANCELLED: "解約完了",
    LetterKind.HANDOVER_DONE: "担当変更完了",
    LetterKind.HANDOVER_PREDECESSOR: "前任者への連絡",
    LetterKind.URGENTLY_REVOKED: "至急失効の連絡",
    LetterKind.REVOCATION_CALLED_OFF: "失効予約の取消",
    LetterKind.APPROVAL_REQUEST: "承認依頼",
    LetterKind.ORDER_REQUEST: "承認依頼（申請書なし）",
    LetterKind.APPROVAL_REMINDER: "承認依頼の催促",
    LetterKind.DECISION_RECORDED: "判断の確認",
    LetterKind.DECISION_REFUSED: "返信の不受理",
    LetterKind.REPLY_UNCLEAR: "返信の問い返し",
    LetterKind.STAFF_NOTICE: "センターへのお知らせ",
    LetterKind.DAILY_DIGEST: "日報",
}
