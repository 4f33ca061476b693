"""Certificates of a former CA: tied to registrations, and their revocation there blocks the completion of a case."""

from datetime import UTC, date, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from daemon import audit, former, former_import
from daemon.case import State
from daemon.demo.stage import APPROVERS
from daemon.importing import ImportRefused
from support.applications import HANAKO, TAKERU, application, case_of, certificates, deliver, enrol, flat, register_of
from support.centres import START

FIRST = next(iter(APPROVERS))


def foreign(mail=HANAKO.email, *, serial=0xABCDEF12, in_subject=False):
    """A certificate of some other authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.NameAttribute(x509.NameOID.COMMON_NAME, "Hanako YAMADA")]
    if in_subject and mail:
        names.append(x509.NameAttribute(x509.NameOID.EMAIL_ADDRESS, mail))
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(names))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Former CA")]))
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(2025, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
    )
    if mail and not in_subject:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(mail)]), critical=False)
    return builder.sign(key, hashes.SHA256())


def pem(*found):
    return b"".join(each.public_bytes(Encoding.PEM) for each in found)


def take_in(stage, data):
    with stage.centre.store.transaction() as tx:
        return former_import.certificates(tx, data, now=stage.clock())


def refusals(stage, data):
    with pytest.raises(ImportRefused) as refused:
        take_in(stage, data)
    with stage.centre.store.transaction() as tx:
        assert former.every_one(tx) == []
    return [(each.line, each.column, each.reason) for each in refused.value.refusals]


def states(stage):
    with stage.centre.store.transaction() as tx:
        return [each.state for each in former.every_one(tx)]


def report_revoked(stage, number=1):
    with stage.centre.store.transaction() as tx:
        former.revoked_there(tx, stage.centre.audit, number, now=stage.clock(), actor="operator")


def accept(stage):
    stage.approve(2)
    stage.work()


def test_certificates_are_tied_to_the_registration_of_their_mail_address_once(stage):
    hanako, _ = enrol(stage, HANAKO), enrol(stage, TAKERU)
    two = (foreign(), foreign(TAKERU.email, serial=5, in_subject=True))
    assert take_in(stage, pem(*two)) == (2, 0)
    assert take_in(stage, two[0].public_bytes(Encoding.DER)) == (0, 1)
    with stage.centre.store.transaction() as tx:
        first, second = former.every_one(tx)
        assert [each.id for each in former.living(tx, hanako.id, START)] == [first.id]
        assert former.living(tx, hanako.id, datetime(2027, 1, 2, tzinfo=UTC)) == []
    assert (first.serial, first.issuer, second.serial) == ("abcdef12", "CN=Former CA", "5")


def test_a_line_of_csv_names_the_registration_and_needs_no_certificate(stage):
    enrol(stage)
    head = "subscriber_id,issuer,serial,subject,not_after\n"
    assert take_in(stage, (head + 'w000001,"CN=Former CA, C=JP",0A:BC,,2027-03-31\n').encode()) == (1, 0)
    with stage.centre.store.transaction() as tx:
        (found,) = former.every_one(tx)
    assert (found.serial, found.not_after) == ("abc", datetime(2027, 3, 31, 14, 59, 59, tzinfo=UTC))


def test_what_cannot_be_tied_is_refused_whole_and_named(stage):
    enrol(stage)
    ours = stage.centre.signer.authority.certificate
    assert [line for line, _, _ in refusals(stage, pem(foreign(), foreign("nobody@else.example"), foreign("")))] == [
        2,
        3,
    ]
    assert "no mail address" in refusals(stage, pem(foreign("")))[0][2]
    assert "issued by this CA" in refusals(stage, pem(ours))[0][2] or "mail" in refusals(stage, pem(ours))[0][2]
    assert refusals(stage, b"\x30\x82\x01\x00nonsense")[0][2] == "holds something that is no certificate"
    head = "subscriber_id,issuer,serial,subject,not_after\n"
    assert {column for _, column, _ in refusals(stage, (head + "W9,,xyz,,soon\n").encode())} == {
        *("subscriber_id", "issuer", "serial", "not_after")
    }


def test_a_cancellation_is_complete_only_when_staff_have_revoked_there(stage):
    enrol(stage)
    take_in(stage, pem(foreign()))
    (number,) = deliver(stage, application("cancellation"))
    asked = stage.requests()
    assert "旧認証局の証明書：abcdef12" in flat(asked[FIRST].text)
    stage.decide(FIRST, asked[FIRST], "承認")
    stage.work()
    assert case_of(stage, number).state is State.EXECUTING
    assert states(stage) == ["wanted"]
    assert certificates(stage) == [(HANAKO.email, "live")]
    (told,) = [mail for mail in stage.letters(FIRST) if "旧認証局での失効" in mail.subject]
    assert "abcdef12" in told.text
    stage.pass_time(minutes=30)
    assert not [mail for mail in stage.letters(FIRST) if "旧認証局での失効" in mail.subject]
    report_revoked(stage)
    stage.work()
    assert states(stage) == ["gone"]
    assert case_of(stage, number).state in (State.FULFILLED, State.CLOSED)
    assert certificates(stage)[0][1] != "live"
    assert [row[1] for row in register_of(stage)] == ["closed"]
    case_id = case_of(stage, number).id
    with stage.centre.store.transaction() as tx:
        kinds = [record.kind for record in audit.records(tx, case_id)]
    assert kinds.index("former_wanted") < kinds.index("former_revoked") < kinds.index("case_done")
    with pytest.raises(ValueError, match="before"):
        report_revoked(stage)
    with pytest.raises(KeyError):
        report_revoked(stage, 9)


def test_a_revocation_of_a_later_day_asks_for_it_on_that_day(stage):
    enrol(stage)
    take_in(stage, pem(foreign()))
    (number,) = deliver(stage, application("cancellation", wished=date(2026, 4, 3)))
    accept(stage)
    assert states(stage) == ["live"]
    stage.pass_time(days=3)
    assert states(stage) == ["wanted"]
    assert certificates(stage) == [(HANAKO.email, "live")]
    report_revoked(stage)
    stage.work()
    assert certificates(stage)[0][1] != "live"
    assert case_of(stage, number).state in (State.FULFILLED, State.CLOSED)


def test_what_has_expired_there_and_what_is_somebody_elses_holds_up_nothing(stage):
    enrol(stage, HANAKO)
    enrol(stage, TAKERU)
    take_in(stage, pem(foreign(TAKERU.email)))
    (number,) = deliver(stage, application("cancellation"))
    accept(stage)
    assert case_of(stage, number).state in (State.FULFILLED, State.CLOSED)
    assert states(stage) == ["live"]


def test_the_command_line_imports_lists_and_takes_the_word_of_the_operator(lra, tmp_path):
    path = tmp_path / "former.csv"
    subscriber = next(
        row["subscriber_id"] for row in lra("registrations", "list", "--json").document if row["state"] == "live"
    )
    path.write_text(f"subscriber_id,issuer,serial,subject,not_after\n{subscriber},CN=Former CA,AB,,2099-01-01\n")
    assert lra("former", "list").out.startswith("旧認証局の証明書は登録されていません")
    assert lra("former", "import", str(path)).out == "1 new, 0 known already\n"
    assert lra("former", "import", str(path), "--json").document == {"new": 0, "known": 1}
    (row,) = lra("former", "list", "--json").document
    assert (row["serial"], row["state"]) == ("ab", "live")
    assert lra("former", "revoked", "1").code == 0
    assert "失効済み" in lra("former", "list").out
    for words in (("revoked", "1"), ("revoked", "7"), ("revoked", "x"), ("revoked",), ("import",)):
        assert lra("former", *words).code == 2, words
    path.write_text("subscriber_id,issuer,serial,subject,not_after\nW9,,,,\n")
    refused = lra("former", "import", str(path))
    assert refused.code == 1
    assert "line 2, subscriber_id: is no live registration" in refused.out
    assert lra("verify").code == 0
