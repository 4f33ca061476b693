"""The audit log for people outside: checkpoints, export, what `verify` finds, and what is searched for and chosen."""

import base64
import json
import sqlite3
from contextlib import closing

import pytest

from config.settings import load
from daemon.audit import Audit, checkpoints_in
from daemon.keyring import AUDIT_KEY, key_bytes
from daemon.store import Store


def run(folder, *statements):
    """Statements past every guard, as whoever owns the file can run them."""
    with closing(sqlite3.connect(folder / "demo.sqlite", isolation_level=None)) as database:
        for name in ("certificates_change", "certificates_claim", "certificates_delete"):
            database.execute(f"DROP TRIGGER {name}")
        database.execute("PRAGMA ignore_check_constraints=ON")
        for statement in statements:
            database.execute(statement)


def test_a_kept_checkpoint_is_held_against_the_log(lra, copied, tmp_path):
    line = lra("log", "--checkpoint").out.strip()
    assert [str(each) for each in checkpoints_in(line)] == [line]
    assert lra("verify", "--checkpoint", line).code == 0
    kept = tmp_path / "kept.txt"
    kept.write_text(f"2026-12-01T00:00:00Z {line}\n")
    assert lra("verify", "--checkpoint", str(kept)).code == 0
    mail = tmp_path / "digest.eml"
    mail.write_bytes(
        b"From: lra@lra.example\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(f"・{line}\n".encode())
    )
    assert lra("verify", "--checkpoint", str(mail)).code == 0
    seq = int(line.partition("-")[0])
    run(copied, f"DELETE FROM events WHERE seq > {seq - 3}")
    assert lra("verify").code == 0
    for given in (line, str(kept), str(mail)):
        answered = lra("verify", "--checkpoint", given)
        assert answered.code == 1
        assert f"before the kept checkpoint {line}: its end was cut off" in answered.out
    assert lra("verify", "--checkpoint", "nonsense").code == 2


def test_a_log_written_anew_by_somebody_with_the_key_is_found(lra, copied):
    line = lra("log", "--checkpoint").out.strip()
    settings = load(lra.config)
    run(copied, "DELETE FROM events")
    store, audit = Store(settings.database), Audit(key_bytes(settings, AUDIT_KEY))
    with store.transaction() as tx:
        for _ in range(int(line.partition("-")[0]) + 2):
            audit.append(tx, "mail_read", at=lra.clock(), actor="system")
    store.close()
    assert lra("verify").code == 0
    answered = lra("verify", "--checkpoint", line, "--json")
    assert answered.code == 1
    assert "written anew" in answered.document["faults"][0]


def test_the_whole_log_is_written_to_a_new_file_that_only_its_owner_reads(lra, tmp_path):
    path = tmp_path / "log.jsonl"
    answered = lra("log", "--export", str(path), "--json")
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert answered.document["events"] == len(lines) == lines[-1]["seq"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert lra("log", "--export", str(path)).code == 2
    assert lra("log", "--export", str(tmp_path / "no" / "folder")).code == 2
    assert lra("log").code == 2
    assert lra("log", "--checkpoint", "--export", str(path)).code == 2


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE certificates SET der = x'3000' WHERE state = 'issued'", "undecodable"),
        ("UPDATE certificates SET email = 'x@lra.example' WHERE state = 'issued'", "email_differs"),
        ("UPDATE certificates SET profile = 'staff_smime' WHERE state = 'issued'", "lint:"),
        ("UPDATE certificates SET state = 'issued' WHERE state = 'revoked'", "crl_lists_unrevoked"),
        ("UPDATE certificates SET reason = 'key_compromise' WHERE state = 'revoked'", "crl_entry_differs"),
        ("DELETE FROM certificates WHERE state = 'revoked'", "crl_lists_unrevoked"),
        ("UPDATE crls SET der = x'3000'", "crl_undecodable"),
        ("UPDATE crls SET number = number + 100", "crl_differs"),
        ("UPDATE authorities SET crl_url = 'http://x.example/a.crl'", "lint:crl_distribution_points_wrong"),
        ("UPDATE events SET actor = 'x' WHERE seq = 3", "audit: event 3 does not match its chain value"),
        ("DELETE FROM events WHERE seq = 3", "audit: event 3 is missing"),
    ],
    ids=lambda value: value if " " not in value else None,
)
def test_verify_finds_a_fault_of_each_kind(lra, copied, statement, fault):
    run(copied, statement)
    answered = lra("verify")
    assert answered.code == 1
    assert fault in answered.out


def test_certificates_are_found_by_any_part_of_what_is_known(lra):
    everything = lra("certs", "--json").document
    assert len(everything) > 1
    one = everything[0]
    name = one["subject"].partition("CN=")[2].partition(",")[0]
    for words in (
        (one["serial"][4:12],),
        (":".join(one["serial"][i : i + 2] for i in range(0, 8, 2)),),
        (one["email"].upper(),),
        (name.lower(),),
        (*name.split(),),
        (one["subscriber_id"],),
    ):
        found = lra("certs", *words, "--json").document
        assert one["serial"] in {row["serial"] for row in found}, words
    assert lra("certs", "100%", "--json").document == []
    assert lra("certs", one["serial"], "no-such-word", "--json").document == []
    for state in ("issued", "revoked", "reserved", "abandoned", "expired"):
        found = lra("certs", "--state", state, "--json").document
        assert {row["serial"] for row in found} == {row["serial"] for row in everything if row["state"] == state}
    japanese = next(row for row in lra("registrations", "list", "--json").document if row["state"] == "live")
    assert lra("certs", japanese["name_ja"], "--json").document


def test_the_kind_of_file_is_chosen_for_one_subscriber(lra):
    person = next(row for row in lra("registrations", "list", "--json").document if row["state"] == "live")
    subscriber = person["subscriber_id"]
    assert person["bundle"] == ""
    assert lra("registrations", "set", subscriber, "--bundle", "legacy").code == 0
    assert "legacy" in lra("registrations", "show", subscriber).out
    assert lra("registrations", "set", subscriber, "--bundle", "default").code == 0
    assert lra("registrations", "show", subscriber, "--json").document["bundle"] == ""
    for words in (("set", subscriber), ("set", "W999999", "--bundle", "legacy"), ("set",)):
        assert lra("registrations", *words).code == 2
    assert lra("registrations", "set", subscriber, "--bundle", "rc2").code == 2
