"""Each way of knowing an approver, through the real path: mail on loopback, keys from a name server, our own CA."""

import os
import smtplib
from dataclasses import replace

import dns.rcode
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select, update

from ca import register
from ca.bundle import make_key
from ca.crl import Entry, plan
from ca.issue import IssuanceRequest, new_serial, prepare
from ca.keys import KeyKind
from ca.names import Subject
from ca.profiles import load_profiles
from daemon import proof, schema
from daemon.demo.stage import APPROVERS, AUTHSERV_ID, CENTRE
from daemon.demo.story import AOZORA
from daemon.store import every
from support.applications import application, case_of, deliver, enrol
from support.letters_in import header, letter
from support.names import name_server
from support.signed_mails import KEY_NAME, cms, detached, dkim_signed, entity, opaque, record

FIRST, SECOND = APPROVERS
TENANT = ("X-MS-Exchange-Organization-AuthAs: Internal",)


def known_by(stage, *methods, **settings):
    """The same centre whose approvers are known in these ways."""
    old = stage.centre.settings
    approvers = tuple(replace(each, methods=methods) for each in old.approvers)
    new = replace(old, approvers=approvers, authentication=replace(old.authentication, **settings))
    stage.centre = replace(stage.centre, settings=new)


def begin(stage):
    enrol(stage)
    (number,) = deliver(stage, application("cancellation"))
    stage.letters(AOZORA)
    return number, stage.requests()[FIRST]


def quoted(request):
    return "\r\n\r\n" + "\r\n".join(f"> {line}" for line in request.text.splitlines())


def address(request):
    return {"sender": FIRST, "to": request.reply_to[0].address, "subject": f"Re: {request.header('subject')[0][-30:]}"}


def answer(request, words="承認", **settings):
    return letter(words + quoted(request), **{**address(request), "subject": "Re:", **settings})


def send(stage, raw):
    with smtplib.SMTP(stage.server.host, stage.server.smtp_port, "client.example", timeout=20) as client:
        client.sendmail(FIRST, [CENTRE], raw)
    stage.work()


def outcome(stage):
    with stage.centre.store.transaction() as tx:
        return every(tx, schema.mails.select().order_by(schema.mails.c.id))[-1]["outcome"]


def decision(stage):
    with stage.centre.store.transaction() as tx:
        (row,) = every(tx, select(schema.decisions))
        return row


def state(stage, number):
    return case_of(stage, number).state.value


@pytest.fixture
def names():
    with name_server() as running:
        running.records[KEY_NAME] = (record(),)
        yield running


def test_a_reply_signed_by_dkim_decides_and_its_key_is_kept_as_evidence(stage, names):
    known_by(stage, "dkim", resolvers=(names.address,))
    number, request = begin(stage)
    send(stage, dkim_signed(answer(request), at=stage.clock()))
    assert outcome(stage) == "decision_approve"
    assert state(stage, number) == "closed"
    evidence = decision(stage)["evidence"]
    assert (evidence["method"], evidence["identity"], evidence["key_name"]) == ("dkim", "lra.example", KEY_NAME)
    assert evidence["key_record"] == record()
    assert names.asked == [KEY_NAME]


def test_without_a_signature_the_same_reply_is_refused_logged_and_told(stage, names):
    known_by(stage, "dkim", resolvers=(names.address,))
    number, request = begin(stage)
    send(stage, answer(request))
    assert outcome(stage) == "refused_not_authenticated"
    assert state(stage, number) == "awaiting_decision"
    with stage.centre.store.transaction() as tx:
        told = [row["detail"] for row in every(tx, select(schema.events)) if row["kind"] == "decision_refused"]
    assert [each["detail"] for each in told] == ["dkim_missing"]
    assert any("DKIM署名がありません" in mail.text.replace("\n", "") for mail in stage.letters(SECOND))


def test_a_reply_waits_for_its_key_while_no_name_server_answers(stage, names):
    known_by(stage, "dkim", resolvers=(names.address,))
    number, request = begin(stage)
    names.rcode = dns.rcode.SERVFAIL
    for _ in range(4):
        send(stage, dkim_signed(answer(request), at=stage.clock())) if not names.asked else stage.pass_time(minutes=2)
        assert state(stage, number) == "awaiting_decision"
    names.rcode = dns.rcode.NOERROR
    stage.pass_time(minutes=2)
    assert state(stage, number) == "closed"


def staff_certificate(stage):
    """A certificate for the first approver by the centre's own CA."""
    profile = replace(load_profiles()["staff_smime"], key=KeyKind.P_256)
    key = make_key(profile)
    who = Subject("OGIS-RI Co., Ltd.", "Keiko KOBAYASHI", "STAFF01", FIRST)
    wanted = IssuanceRequest(who, key.public_key(), profile, *profile.period(stage.clock()))
    signer = stage.centre.signer
    prepared = prepare(wanted, signer.authority, new_serial(os.urandom))
    return x509.load_der_x509_certificate(signer.sign_certificate(prepared)), key


def signed(stage, request, who, words="承認", *, inside=False, quote=None):
    part = entity(words, quoted=quoted(request) if quote is None else quote)
    structure = cms(part, who=who, inside=inside, at=stage.clock(), certificates=(who[0],))
    if inside:
        return opaque(structure=structure, **{**address(request), "subject": "Re:"})
    return detached(part, structure, **{**address(request), "subject": "Re:"})


@pytest.mark.parametrize("inside", [False, True])
def test_a_signed_reply_decides_by_a_certificate_of_our_own_authority(stage, inside):
    known_by(stage, "smime")
    number, request = begin(stage)
    who = staff_certificate(stage)
    send(stage, signed(stage, request, who, inside=inside))
    assert outcome(stage) == "decision_approve"
    assert state(stage, number) == "closed"
    assert decision(stage)["evidence"]["serial"] == f"{who[0].serial_number:x}"


def test_a_signed_reply_that_does_not_name_this_request_decides_nothing(stage):
    known_by(stage, "smime")
    number, request = begin(stage)
    who = staff_certificate(stage)
    for quote in ("", f"\r\n\r\n> {number}\r\n", f"\r\n\r\n> {number} ABCD-EFGH-IJKL-MNOP\r\n"):
        send(stage, signed(stage, request, who, quote=quote))
        assert outcome(stage) == "refused_signature_not_bound"
    assert state(stage, number) == "awaiting_decision"


def revoke(stage, certificate):
    """The next CRL of our authority lists it."""
    authority, now = stage.centre.signer.authority, stage.clock()
    with stage.centre.store.transaction() as tx:
        number = register.next_crl_number(tx, authority.id) + 100
    made = plan(authority, number, [Entry(certificate.serial_number, now)], now, now.replace(year=now.year + 1))
    pem = x509.load_der_x509_crl(stage.centre.signer.sign_crl(made)).public_bytes(Encoding.PEM)
    (stage.centre.public / "other.crl").write_bytes(pem)


def test_a_revoked_certificate_decides_nothing_not_even_what_it_signed_before(stage):
    known_by(stage, "smime")
    number, request = begin(stage)
    who = staff_certificate(stage)
    policy = replace(stage.centre.settings.policy, cancel_minutes=5)
    stage.centre = replace(stage.centre, settings=replace(stage.centre.settings, policy=policy))
    send(stage, signed(stage, request, who))
    assert state(stage, number) == "approved"
    revoke(stage, who[0])
    stage.pass_time(minutes=6)
    assert state(stage, number) == "on_hold"
    again = stage.requests()[FIRST]
    send(stage, signed(stage, again, who))
    assert outcome(stage) == "refused_not_authenticated"


def trace(*more):
    hop = ("Received", f"from a.lra.example by {AUTHSERV_ID} with ESMTPS; Wed, 01 Apr 2026 10:00:00 +0900")
    return header([*more, hop])


def test_a_report_of_our_own_server_about_dkim_decides(stage):
    known_by(stage, "results")
    number, request = begin(stage)
    raw = dkim_signed(answer(request), at=stage.clock())
    stage.server.append(
        CENTRE, trace(("Authentication-Results", f"{AUTHSERV_ID}; spf=pass smtp.mailfrom={FIRST}")) + raw
    )
    stage.work()
    assert outcome(stage) == "refused_not_authenticated"
    stage.server.append(
        CENTRE, trace(("Authentication-Results", f"{AUTHSERV_ID}; dkim=pass header.d=lra.example")) + raw
    )
    stage.work()
    assert outcome(stage) == "decision_approve"
    assert state(stage, number) == "closed"
    assert decision(stage)["evidence"]["method"] == "results"


def test_mail_that_never_left_the_tenant_decides(stage):
    known_by(stage, "tenant", tenant_headers=TENANT, tenant_hosts=(".lra.example",))
    number, request = begin(stage)
    stage.server.append(CENTRE, trace(("X-MS-Exchange-Organization-AuthAs", "Anonymous")) + answer(request))
    stage.work()
    assert outcome(stage) == "refused_not_authenticated"
    stage.server.append(CENTRE, trace(("X-MS-Exchange-Organization-AuthAs", "Internal")) + answer(request))
    stage.work()
    assert state(stage, number) == "closed"
    assert decision(stage)["evidence"]["headers"] == list(TENANT)


def test_the_issuer_believes_the_mail_and_not_the_row(stage, names):
    """Whatever a writer of the database changes, the approval stands or falls with the octets that were received."""
    known_by(stage, "dkim", resolvers=(names.address,))
    _, request = begin(stage)
    send(stage, dkim_signed(answer(request, "保留 確認中"), at=stage.clock()))
    row = decision(stage)

    def carried(**values):
        return proof.again(tx, stage.centre, {**row, **values}, now=stage.clock()) is not None

    with stage.centre.store.transaction() as tx:
        assert carried()
        assert not carried(verb="approve")
        assert not carried(approver=SECOND)
        assert not carried(approver="nobody@lra.example")
        assert not carried(mail_id=999)
        assert not carried(evidence={**row["evidence"], "method": "login"})
        assert not carried(evidence={**row["evidence"], "identity": "evil.example"})
        assert not carried(evidence={**row["evidence"], "key_record": "v=DKIM1; p="})
        assert not carried(evidence={})
        tx.execute(update(schema.mails).where(schema.mails.c.id == row["mail_id"]).values(digest="0" * 64))
        assert not carried()


def test_a_file_of_roots_or_a_list_that_cannot_be_read_trusts_nobody(stage, caplog, tmp_path):
    (tmp_path / "broken.crl").write_bytes(b"no list")
    known_by(stage, "smime", smime_roots=str(tmp_path / "none.pem"), smime_crls=str(tmp_path))
    trust = proof.trust_of(stage.centre)
    assert trust.roots == ()
    assert len(trust.crls) == len(list(stage.centre.public.glob("*.crl")))
    assert "broken.crl" in caplog.text
