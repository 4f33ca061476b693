"""Whether a mail of an applicant sounds like a wish to withdraw, pure. It only makes a hint for staff: nothing is ever
withdrawn by itself, and a sentence that denies it is told as a hint too."""

import re
import unicodedata

from .case import State
from .cases import Case

_WISH = re.compile(
    r"取り?下げ|取り?やめ|取り?止め|取り?消し?|キャンセル|撤回|中止|不要になり|見送り|withdraw|cancel|call off",
    re.IGNORECASE,
)


def sounds_like(text: str) -> bool:
    """Whether the words for withdrawing stand in a mail's own text."""
    return bool(_WISH.search(unicodedata.normalize("NFKC", text)))


def hint(case: Case, text: str) -> str:
    """What staff may do about it, in one line; empty where the mail does not sound like it."""
    if not sounds_like(text):
        return ""
    if case.state in (State.AWAITING_DECISION, State.ON_HOLD):
        return "取下げのお申し出と思われます。取り下げるには、最新の承認依頼に「却下 取下げ」とご返信ください。"
    if case.state is State.RETURNED:
        return "取下げのお申し出と思われます。差戻し中のため、再提出期限を過ぎると取下げになります。"
    return "取下げのお申し出と思われますが、この案件はすでに決定または実行されています。申請者にご連絡ください。"
