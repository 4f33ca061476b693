"""Forgeries that only a centre with cases can be shown: genuine pieces in the wrong place.

Each sender here holds more than a forger should: a token, a mail of ours, a signed reply, a login of his own.
"""

from collections.abc import Callable
from dataclasses import dataclass

from attacks.besieged import COLLEAGUE, LEFT, Besieged
from daemon import cli
from daemon.demo.story import AOZORA, STRANGER
from support.command_lines import write_config
from support.letters_in import OFFICE, STAFF, stamped
from support.signed_mails import answer, detached, dkim_signed, entity, reported, showing


@dataclass(frozen=True)
class Arrival:
    """`send` lets the mail in; `outcome` is what the ledger says of it, None where it knew the octets already.

    `methods` are the ways in which the approver is known, `without` is an approver whom the settings name no more.
    """

    name: str
    send: Callable[[Besieged], None]
    outcome: str | None
    methods: tuple[str, ...] = ("smime",)
    without: str = ""


def signed(answers: Callable[[Besieged], object], quotes: Callable[[Besieged], object] | None = None, words="承認"):
    """The approver's own S/MIME reply with the token of one request, holding number and code of another one."""

    def send(centre: Besieged) -> None:
        quoted = (quotes or answers)(centre).quoted
        with showing(answers(centre)):
            centre.by_smtp(detached(entity(words, quoted=quoted)))

    return send


def without_token(word: str, words: str = "承認"):
    """The approver's own signed reply to a letter of ours that carries no token, holding number and code of the target."""

    def send(centre: Besieged) -> None:
        letter = next(each for each in reversed(centre.mails(STAFF)) if word in each.subject)
        assert not letter.reply_to
        fields = [("In-Reply-To", f"<{letter.message_id.strip('<>')}>")]
        with showing(centre.request(centre.target)):
            centre.by_smtp(detached(entity(words), to=OFFICE, subject="Re:", fields=fields))

    return send


def from_outside(words: str = "承認", *, sender: str = STAFF, **more):
    """A reply to the target's request without login."""
    return lambda centre: centre.say(sender, centre.mail(centre.target), words, login=False, **more)


def submitted(sender: str, asked: str, words: str = "承認"):
    """An approver with a login of his own answers the target's request to `asked`."""
    return lambda centre: centre.say(sender, centre.mail(centre.target, asked), words)


def replayed(**changed):
    """The signed reply that decided once, again; S/MIME signs no header, so whoever has it may write another one."""

    def send(centre: Besieged) -> None:
        raw = centre.genuine
        for old, new in changed.get("lines", ()):
            assert old in raw
            raw = raw.replace(old, new, 1)
        centre.by_smtp(raw)

    return send


def replayed_elsewhere(centre: Besieged) -> None:
    """The signed reply that decided once, under the token of the target."""
    held, wanted = centre.request(centre.half).token, centre.request(centre.target).token
    assert held.encode() in centre.genuine
    centre.by_smtp(centre.genuine.replace(held.encode(), wanted.encode()))


def same_octets(centre: Besieged) -> None:
    """As a restored mailbox shows it: under another UID, octet for octet."""
    found = next(each.content for each in centre.stage.deliveries if centre.genuine in each.content)
    centre.stage.server.append(OFFICE, found)


def imported(build: Callable[[], bytes]):
    """The operator takes in a file in which somebody wrote the header of our server (`ogis-lra import`)."""

    def send(centre: Besieged) -> None:
        with showing(centre.request(centre.target)):
            raw = build()
        folder = centre.stage.folder
        path = folder / f"{len(list(folder.glob('*.eml')))}.eml"
        path.write_bytes(b"X-File: " + path.name.encode() + b"\r\n" + raw)
        config = write_config(folder, centre.stage.server)
        assert cli.main(["import", "--config", str(config), str(path)], clock=centre.stage.clock) == 0

    return send


def out_of_office(centre: Besieged) -> None:
    with showing(centre.request(centre.target)):
        centre.by_smtp(detached(fields=[("Auto-Submitted", "auto-replied")]))


TARGET = lambda centre: centre.request(centre.target)  # noqa: E731 - a name for a column of the table
COLLEAGUES = lambda centre: centre.request(centre.target, COLLEAGUE)  # noqa: E731
OTHER = lambda centre: centre.request(centre.other)  # noqa: E731
EARLIER = lambda centre: centre.earlier  # noqa: E731
CORRECTED = lambda centre: centre.request(centre.corrected)  # noqa: E731
OWN = lambda centre: centre.request(centre.own, COLLEAGUE)  # noqa: E731
RECALL = lambda centre: centre.request(centre.half, STAFF, "判断を承りました")  # noqa: E731
FIELD = b"Message-ID: <1@aozora-denki.example>"
LOGIN = ("login",)

ARRIVALS = [
    Arrival("a token of another case over the words of this one", signed(OTHER, TARGET), "refused_signature_not_bound"),
    Arrival("this token over the words of another case", signed(TARGET, OTHER), "refused_signature_not_bound"),
    Arrival("the code of a colleague's request about the same case", signed(TARGET, COLLEAGUES), "refused_signature_not_bound"),
    Arrival("a colleague's token, signed", signed(COLLEAGUES), "refused_token_of_another"),
    Arrival("a colleague's token, logged in", submitted(COLLEAGUE, STAFF), "refused_token_of_another", LOGIN),
    Arrival("my token from a colleague's login", submitted(LEFT, STAFF), "refused_token_of_another", LOGIN),
    Arrival("the request before a correction", signed(EARLIER), "refused_token_void"),
    Arrival("the request before a correction, the words of the new one", signed(EARLIER, CORRECTED), "refused_signature_not_bound"),
    Arrival("the new request, the words of the one before a correction", signed(CORRECTED, EARLIER), "refused_signature_not_bound"),
    Arrival("the same octets again", same_octets, None),
    Arrival("the same reply on another way", replayed(), "refused_token_used"),
    Arrival("the same reply with a new Message-ID", replayed(lines=[(FIELD, b"Message-ID: <2@evil.example>")]), "refused_token_used"),
    Arrival("the same reply with a new subject", replayed(lines=[(b"Subject: Re:", b"Subject: Fw:")]), "refused_token_used"),
    Arrival("the same reply under the token of another case", replayed_elsewhere, "refused_signature_not_bound"),
    Arrival("an application of the approver's own", signed(OWN), "refused_token_of_another"),
    Arrival("a rejection of the approver's own application", signed(OWN, words="却下 対象外"), "refused_token_of_another"),
    Arrival("a token of 取消 that approves", signed(RECALL), "unclear_reply"),
    Arrival("a token of 取消 that rejects", signed(RECALL, words="却下 対象外"), "unclear_reply"),
    Arrival("a token of a request that takes back", signed(TARGET, words="取消"), "unclear_reply"),
    Arrival("an approval of the daily digest", without_token("日報"), "unclear_reply"),
    Arrival("an approval of a reminder", without_token("再通知"), "unclear_reply"),
    Arrival("a 取消 of a reminder", without_token("再通知", "取消"), "unclear_reply"),
    Arrival("a token stolen by the applicant", from_outside(sender=AOZORA), "refused_not_an_approver"),
    Arrival("a token stolen by the applicant under the approver's name", from_outside(sender=AOZORA, name="田中 恵子"), "refused_not_an_approver"),
    Arrival("a token stolen by a stranger", from_outside(sender=STRANGER), "refused_not_an_approver"),
    Arrival("至急失効 by the applicant with a stolen token", from_outside("至急失効 W000001 紛失", sender=AOZORA), "refused_not_an_approver"),
    Arrival("至急失効 under the approver's address", from_outside("至急失効 W000001 紛失"), "refused_not_authenticated"),
    Arrival("至急失効 under the approver's address that answers nothing", from_outside("至急失効 W000001 紛失", to=OFFICE, subject="お願い"), "refused_not_authenticated"),
    Arrival("至急失効 under the approver's address, known by login", from_outside("至急失効 W000001 紛失"), "refused_not_authenticated", LOGIN),
    Arrival("不在 under the approver's address", from_outside("不在 2026-07-02〜2026-07-31"), "refused_not_authenticated"),
    Arrival("引継ぎ under the approver's address", from_outside(f"引継ぎ {LEFT}"), "refused_not_authenticated"),
    Arrival("修正 under the approver's address", from_outside("修正 利用者 メールアドレス=x@evil.example"), "refused_not_authenticated"),
    Arrival("一覧 under the approver's address", from_outside("一覧"), "refused_not_authenticated"),
    Arrival("照会 under a stranger's address with a stolen token", from_outside("照会 W000001", sender=STRANGER), "refused_not_an_approver"),
    Arrival("an approver whom the settings name no more", submitted(LEFT, LEFT), "refused_not_an_approver", LOGIN, without=LEFT),
    Arrival("至急失効 by an approver whom the settings name no more", submitted(LEFT, LEFT, "至急失効 W000001 紛失"), "refused_not_an_approver", LOGIN, without=LEFT),
    Arrival("an imported file with a stamp of a login", imported(lambda: stamped(answer())), "refused_not_authenticated", LOGIN),
    Arrival("an imported file with a report of DKIM", imported(lambda: reported(dkim_signed(answer()))), "refused_not_authenticated", ("results",)),
    Arrival("an out-of-office reply that is signed", out_of_office, "automatic_command"),
]  # fmt: skip
