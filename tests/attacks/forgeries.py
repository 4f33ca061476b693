"""Forged decisions, each as octets: one table for the pure judgement here and for real mail through the real path.

A `Forgery` says what arrives, how the approver is known (`methods`), what the world says (`keys`, `trust`) and the one
reason for which it must be refused. `attempt` is the judgement as far as it is pure: sender, proof, token, binding,
words, in the order of `daemon.replies`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from config.settings import Approver, AuthenticationSettings
from parsers.authentication import Facts, binds, judge
from parsers.mail import open_mail
from parsers.reply import Unclear, find_token, read_command
from parsers.smime_chain import Trust
from support.letters_in import AUTHSERV_ID, OFFICE, STAFF, TOKEN
from support.signed_mails import AT, CODE, NUMBER, keys, trust

TENANT = ("X-MS-Exchange-Organization-AuthAs: Internal",)
HOSTS = (".prod.outlook.example", "mx.lra.example")
SETTINGS = AuthenticationSettings(AUTHSERV_ID, tenant_headers=TENANT, tenant_hosts=HOSTS)


@dataclass(frozen=True)
class Forgery:
    """One attempt. `build` makes the mail; `code` is the reason of its refusal."""

    name: str
    build: Callable[[], bytes]
    code: str
    methods: tuple[str, ...]
    keys: Callable[[], Mapping[str, tuple[str, ...]]] = field(default=keys)
    trust: Callable[[], Trust] = field(default=trust)
    pins: tuple[str, ...] = ()


def attempt(forgery: Forgery, *, token: str = TOKEN, number: str = NUMBER, code: str = CODE) -> str:
    """`accepted`, or the reason of the refusal. The open request has this token, case number and digest code."""
    raw = forgery.build()
    mail = open_mail(raw)
    if mail.automatic is not None:
        return "automatic"
    approver = Approver(STAFF, "田中 恵子", methods=forgery.methods, certificates=forgery.pins)
    verdict = judge(raw, mail, approver, SETTINGS, Facts(AT, OFFICE, forgery.keys(), forgery.trust()))
    if not verdict.accepted:
        return verdict.code
    if find_token(mail) != token:
        return "unknown_token"
    if verdict.method == "smime" and not binds(verdict.text, number=number, code=code):
        return "signature_not_bound"
    return "unclear_reply" if isinstance(read_command(verdict.text), Unclear) else "accepted"
