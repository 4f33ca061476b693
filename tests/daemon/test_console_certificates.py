"""`certs`, `cert`, `crl`, `verify`: what was issued and published, and that every planted fault is found."""

import subprocess
from datetime import timedelta

import pytest
from cryptography import x509
from sqlalchemy import create_engine, text

from support.command_lines import CommandLine, write_credential


def change(folder, *statements, unguarded=False):
    """Change rows; `unguarded` first takes away the triggers, as somebody with the file in hand can."""
    engine = create_engine(f"sqlite:///{folder / 'demo.sqlite'}")
    with engine.begin() as connection:
        if unguarded:
            names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in names:
                connection.execute(text(f'DROP TRIGGER "{name}"'))
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.fixture
def serials(lra):
    """The revoked and the living certificate."""
    rows = lra("certs", "--json").document
    return {row["state"]: row["serial"] for row in rows}


def at(lra, **later):
    """The same command line, later."""
    return CommandLine(lra.config, lambda: lra.clock() + timedelta(**later), lra._capsys)


def test_certs_lists_every_certificate_with_person_company_and_state(lra, serials):
    answered = lra("certs")
    assert answered.code == 0
    head, *lines = answered.out.splitlines()
    assert head.split() == ["シリアル番号", "状態", "有効期限", "登録番号", "氏名", "会社"]
    assert len(lines) == 2
    assert lines[0].startswith(serials["revoked"])
    assert "失効" in lines[0]
    assert "有効" in lines[1]
    assert all("Hanako YAMADA" in line and "Aozora Electric Co., Ltd." in line and "W000001" in line for line in lines)


def test_certs_that_end_soon_are_the_living_ones_only(lra, serials):
    assert lra("certs", "--expiring", "30").out == "該当する証明書はありません。\n"
    assert [row["serial"] for row in lra("certs", "--expiring", "800", "--json").document] == [serials["issued"]]


@pytest.mark.parametrize("days", ["-1", "soon", "999999999999"])
def test_a_senseless_number_of_days_is_a_wrong_use(lra, days):
    answered = lra("certs", f"--expiring={days}")
    assert answered.code == 2
    assert "--expiring" in answered.err


def test_an_expired_certificate_is_called_so(lra, serials):
    later = at(lra, days=800)
    assert "期限切れ" in later("certs").out
    answered = later("cert", serials["issued"])
    assert answered.code == 1
    assert "期限切れ" in answered.out


def test_cert_tells_everything_about_one(lra, serials, finished):
    answered = lra("cert", serials["issued"])
    assert answered.code == 0
    for expected in (serials["issued"], "有効", "Hanako YAMADA", "W000001", finished.reissued, "～"):
        assert expected in answered.out
    document = lra("cert", serials["issued"], "--json").document
    assert document["case"] == finished.reissued
    assert document["subscriber_id"] == "W000001"


def test_a_revoked_certificate_is_not_in_order(lra, serials, finished):
    answered = lra("cert", serials["revoked"])
    assert answered.code == 1
    assert "失効  " in answered.out
    document = lra("cert", serials["revoked"], "--json").document
    assert document["reason"] in ("superseded", "keyCompromise", "unspecified", "cessationOfOperation")
    assert document["case"] == finished.issued


def test_a_serial_number_is_found_however_a_tool_prints_it(lra, serials):
    serial = serials["issued"]
    padded = serial.zfill(len(serial) + len(serial) % 2)
    printed = ":".join(padded[index : index + 2] for index in range(0, len(padded), 2)).upper()
    assert lra("cert", printed).code == 0


def test_cert_as_pem_is_the_certificate_itself(lra, serials, tmp_path):
    answered = lra("cert", serials["issued"], "--pem")
    certificate = x509.load_pem_x509_certificate(answered.out.encode())
    assert f"{certificate.serial_number:x}" == serials["issued"]
    assert lra("cert", serials["issued"], "--pem", "--json").document["pem"] == answered.out
    (tmp_path / "cert.pem").write_text(answered.out)
    subprocess.run(["openssl", "x509", "-in", tmp_path / "cert.pem", "-noout"], check=True, capture_output=True)


def test_an_unknown_serial_number_is_a_wrong_use(lra):
    assert lra("cert", "abcdef").code == 2
    answered = lra("cert", "not-hex")
    assert answered.code == 2
    assert "write it in hexadecimal" in answered.err


def test_a_number_that_never_became_a_certificate_has_no_pem(lra, copied, serials):
    change(
        copied,
        f"UPDATE certificates SET state = 'abandoned', der = NULL, issued_at = NULL, reason = 'unspecified', "
        f"crl_entry = x'30', crl_change = 9, revoked_at = reserved_at, recorded_at = reserved_at WHERE serial = '{serials['issued']}'",
        unguarded=True,
    )
    answered = lra("cert", serials["issued"], "--pem")
    assert answered.code == 2
    assert "never became a certificate" in answered.err
    assert "発行中止" in lra("cert", serials["issued"]).out


def test_crl_tells_the_newest_and_whether_it_is_fresh(lra):
    answered = lra("crl")
    assert answered.code == 0
    document = lra("crl", "--json").document
    assert document["fresh"] is True
    assert document["entries"] == 1
    assert document["file"].endswith("public/issuing.crl")
    stale = at(lra, days=8)("crl")
    assert stale.code == 1
    assert "EXPIRED" in stale.out
    assert "crl --publish" in stale.out


def test_crl_publish_makes_a_new_one_that_openssl_reads(lra, copied):
    before = lra("crl", "--json").document
    later = at(lra, hours=1)
    answered = later("crl", "--publish", "--json")
    assert answered.code == 0
    assert answered.document["number"] == before["number"] + 1
    assert answered.document["this_update"] > before["this_update"]
    path = copied / "centre" / "public" / "issuing.crl"
    shown = subprocess.run(["openssl", "crl", "-in", path, "-noout", "-crlnumber"], check=True, capture_output=True)
    assert int(shown.stdout.decode().strip().partition("=")[2], 16) == answered.document["number"]
    assert later("verify").code == 0


def test_without_a_crl_there_is_a_next_step(lra, copied):
    change(copied, "DELETE FROM crls WHERE authority_id != 'root'", unguarded=True)
    change(copied, "DELETE FROM crls WHERE authority_id LIKE 'issuing%'", unguarded=True)
    answered = lra("crl")
    assert answered.code == 1
    assert "crl --publish" in answered.out
    assert lra("crl", "--json").document is None


def test_verify_finds_a_sound_centre_in_order(lra):
    answered = lra("verify")
    assert answered.code == 0
    assert "in order: 2 certificates" in answered.out
    document = lra("verify", "--json").document
    assert document["faults"] == []
    assert document["certificates"] == 2
    assert document["audit_events"] > 20


PLANTED = {
    "an audit event was changed": ("UPDATE events SET actor = 'nobody' WHERE seq = 5", "event 5 does not match"),
    "an audit event was taken out": ("DELETE FROM events WHERE seq = 5", "event 5 is missing"),
    "a detail of an event was changed": (
        "UPDATE events SET detail = '{}' WHERE kind = 'crl_published'",
        "does not match its chain value",
    ),
    "a revocation was taken back": (
        """UPDATE certificates SET state = 'issued', revoked_at = NULL, recorded_at = NULL, reason = NULL,
        crl_entry = NULL WHERE state = 'revoked'""",
        "crl_lists_unrevoked",
    ),
    "a revocation was made up": (
        """UPDATE certificates SET state = 'revoked', revoked_at = issued_at, recorded_at = issued_at,
        reason = 'unspecified', crl_entry = x'30', crl_change = 1 WHERE state = 'issued'""",
        "crl_lacks_revoked",
    ),
    "the entry of a revocation was changed": (
        "UPDATE certificates SET crl_entry = x'3000' WHERE state = 'revoked'",
        "entry_differs",
    ),
    "the digest of a CRL was changed": (
        "UPDATE crls SET digest = '00' WHERE authority_id LIKE 'issuing%'",
        "crl_differs",
    ),
    "the count of entries was changed": ("UPDATE crls SET size = 9 WHERE authority_id LIKE 'issuing%'", "crl_differs"),
    "a subject was changed": (
        "UPDATE certificates SET subject = 'CN=Mallory' WHERE state = 'issued'",
        "subject_differs",
    ),
    "an end was changed": (
        "UPDATE certificates SET not_after = not_before WHERE state = 'issued'",
        "not_after_differs",
    ),
    "a certificate was exchanged": (
        "UPDATE certificates SET der = (SELECT der FROM certificates WHERE state = 'revoked') WHERE state = 'issued'",
        "serial_differs",
    ),
    "a certificate was damaged": ("UPDATE certificates SET der = x'3000' WHERE state = 'issued'", "undecodable"),
    "a CRL was damaged": ("UPDATE crls SET der = x'3000' WHERE authority_id LIKE 'issuing%'", "crl_undecodable"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_verify_finds(lra, copied, what):
    statement, fault = PLANTED[what]
    change(copied, statement, unguarded=True)
    answered = lra("verify")
    assert answered.code == 1
    assert fault in answered.out
    assert any(fault in each for each in lra("verify", "--json").document["faults"])


@pytest.mark.parametrize(
    ("name", "command"),
    [("issuing.crl", "crl --publish"), ("root.crl", "init"), ("chain.pem", "init"), ("issuing.cer", "init")],
)
def test_verify_finds_a_published_file_that_is_missing_or_replaced(lra, copied, name, command):
    path = copied / "centre" / "public" / name
    path.write_bytes(path.read_bytes()[:-1])
    answered = lra("verify")
    assert answered.code == 1
    assert f"{name} is not what the register holds; run `ogis-lra {command}`" in answered.out
    path.unlink()
    assert f"{name} is missing; run `ogis-lra {command}`" in lra("verify").out
    at(lra, minutes=1)(*command.split())
    assert at(lra, minutes=1)("verify").code == 0


def test_verify_names_the_next_step_for_a_crl_that_ran_out(lra):
    answered = at(lra, days=8)("verify")
    assert answered.code == 1
    assert "issuing-1: crl_not_fresh: run the service or `ogis-lra crl --publish`" in answered.out
    assert "root: crl_not_fresh: bring the root key back" in at(lra, days=400)("verify").out


def test_verify_with_another_audit_key_trusts_no_event(lra, copied):
    write_credential(copied, "audit-key", "00" * 32)
    assert "event 1 does not match" in lra("verify").out


@pytest.mark.parametrize(
    ("value", "sentence"), [("zz" * 32, "is not the hexadecimal key"), ("00" * 8, "is too short for a key")]
)
def test_a_spoilt_audit_key_is_named_and_not_shown(lra, copied, value, sentence):
    write_credential(copied, "audit-key", value)
    answered = lra("verify")
    assert answered.code == 2
    assert sentence in answered.err
    assert value not in answered.err
