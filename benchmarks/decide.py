"""How long an authenticated decision takes, from the octets of a reply to the command, with DKIM and with S/MIME.

    .venv/bin/python -P benchmarks/decide.py

The replies say each command there is and quote a whole request, as phones do. Prints the median of each way, every
reply at its fastest of a few rounds, and its ratio to the bare verification of one signature of the same kind of key,
taken in the same run; the last line sums up. Exit 1 where a median is above the bar of 15 ms (issue 5). Name servers
are not asked and CRLs are read once: that is the edge's time.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from cryptography import x509  # noqa: E402 - the path comes first
from cryptography.hazmat.primitives import hashes  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa  # noqa: E402

from ca.keys import KeyKind  # noqa: E402
from config.settings import Approver, AuthenticationSettings  # noqa: E402
from parsers.authentication import Facts, binds, judge  # noqa: E402
from parsers.mail import open_mail  # noqa: E402
from parsers.reply import Command, find_token, read_command  # noqa: E402
from support.letters_in import AUTHSERV_ID, OFFICE, STAFF, TOKEN  # noqa: E402
from support.signed_mails import (  # noqa: E402
    AT,
    CODE,
    NUMBER,
    QUOTED,
    StaffKey,
    answer,
    cms,
    detached,
    dkim_signed,
    entity,
    keys,
    opaque,
    rsa_key,
    staff,
    trust,
)
from support.written_replies import CLEAR  # noqa: E402

BAR = 15.0  # milliseconds
ROUNDS = 9
REQUEST = (ROOT / "tests" / "data" / "letters" / "approval_request.txt").read_text("utf-8")
QUOTATION = QUOTED + "".join(f"> {line}\r\n" for line in REQUEST.splitlines())
FACTS = Facts(AT, OFFICE, keys(), trust())


def decide(raw: bytes, method: str) -> Command:
    """All that is pure between a reply and its decision; anything but an accepted command is an error."""
    mail = open_mail(raw)
    approver = Approver(STAFF, "田中 恵子", methods=(method,))
    verdict = judge(raw, mail, approver, AuthenticationSettings(AUTHSERV_ID), FACTS)
    if not verdict.accepted or find_token(mail) != TOKEN:
        raise ValueError(verdict.code)
    if method == "smime" and not binds(verdict.text, number=NUMBER, code=CODE):
        raise ValueError("not bound")
    command = read_command(verdict.text)
    if not isinstance(command, Command):
        raise TypeError("not understood")
    return command


def fastest(work: Callable[[], object]) -> float:
    """Milliseconds of the fastest round: what the work costs when nothing disturbs it."""
    spent = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return min(spent) * 1000


def bare(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Callable[[], object]:
    """The floor: one signature of this key over a few octets, verified."""
    message, public = b"x" * 300, key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return lambda: public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    signature = key.sign(message, ec.ECDSA(hashes.SHA256()))
    return lambda: public.verify(signature, message, ec.ECDSA(hashes.SHA256()))


def ways() -> Iterator[tuple[str, str, Callable[[str, str], bytes], rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey]]:
    """Name, method, how a reply of these words over this quotation is signed, the key."""
    p256, rsa3072 = staff(), staff(kind=KeyKind.RSA_3072)

    def signed(
        words: str, quoted: str, *, who: tuple[x509.Certificate, StaffKey] = p256, **how: bool
    ) -> tuple[bytes, bytes]:
        part = entity(words, quoted=quoted)
        return part, cms(part, who=who, **how)

    yield "DKIM, RSA-2048", "dkim", _by_dkim, rsa_key()
    yield "S/MIME detached, P-256", "smime", lambda *said: detached(*signed(*said)), p256[1]
    yield "S/MIME opaque BER, P-256", "smime", lambda *said: opaque(*signed(*said, inside=True, ber=True)), p256[1]
    yield "S/MIME detached, RSA-3072", "smime", lambda *said: detached(*signed(*said, who=rsa3072)), rsa3072[1]


def _by_dkim(words: str, quoted: str) -> bytes:
    return dkim_signed(answer(words, quoted=quoted))


def main() -> int:
    slowest, most = 0.0, 0.0
    for name, method, sign, key in ways():
        floor = fastest(bare(key))
        spent, size = [], 0
        for words, _ in CLEAR:
            raw = sign(words.replace("\n", "\r\n"), QUOTATION)
            size = max(size, len(raw))
            spent.append(fastest(lambda raw=raw, method=method: decide(raw, method)))
        middle = statistics.median(spent)
        print(f"{name:26} {size:6} octets {middle:6.2f} ms  bare verification {floor:5.3f} ms  x{middle / floor:.0f}")
        slowest, most = max(slowest, middle), max(most, middle / floor)
    print(f"slowest median {slowest:.1f} ms (bar {BAR:g}), at most {most:.0f} times a bare signature verification")
    return 0 if slowest <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
