"""The published CRLs: full, delta and partitioned, of any size, through crashes; judged by openssl and others."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from ca import register
from ca.checker import check
from ca.crl import CrlKind, Reason, entry_of, number_of
from ca.crl_scope import partition_of
from ca.errors import CaError
from ca.issue import new_serial, prepare
from ca.register import certificates, crls
from ca.tables import authorities
from daemon import publication
from daemon.crl_files import holds
from support.authorities import NOW, hierarchy, openssl, pem, request, reserve_one, signer
from support.revoked import fill, publishing_centre

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def centre(tmp_path, request):
    made = publishing_centre(tmp_path, **getattr(request, "param", {}))
    yield made
    made.store.close()


def issue(centre, *, case: int) -> str:
    """One certificate, as the issuer would make it with the centre's settings."""
    serial = new_serial(os.urandom)
    partition = partition_of(serial, centre.settings.crl.partitions)
    ready = prepare(request(start=NOW), hierarchy().issuing, serial, partition=partition)
    with centre.store.transaction() as tx:
        reserve_one(tx, ready, case_id=case)
        register.record_issued(tx, ready.serial, signer().sign_certificate(ready), now=NOW)
    return register.serial_text(serial)


def revoke(centre, serial, reason=Reason.SUPERSEDED):
    with centre.store.transaction() as tx:
        register.revoke(tx, serial, at=centre.clock(), reason=reason, now=centre.clock())


def hold(centre, serial, *, end=False):
    with centre.store.transaction() as tx:
        (register.unhold if end else register.hold)(tx, serial, now=centre.clock())


def published(centre, name="issuing.crl"):
    return x509.load_der_x509_crl((centre.public / name).read_bytes())


def listed(centre, name="issuing.crl"):
    return {f"{entry.serial:x}": entry.reason for entry in map(entry_of, published(centre, name))}


def faults(centre, **changes):
    def read(row):
        path = centre.public / publication.file_name(hierarchy().issuing, row.scope)
        return path.read_bytes() if path.exists() else None

    with centre.store.transaction() as tx:
        found = check(tx, authority=hierarchy().issuing, now=centre.clock(), published=read, **changes)
    return {str(fault) for fault in found}


def verify(centre, folder, serial, *options, crl_files=("issuing.crl.pem",)):
    """What openssl says about one certificate, with these CRLs and that of the root."""
    with centre.store.transaction() as tx:
        der = register.find(tx, serial).der
        root = register.latest_crl(tx, "root").der
    leaf, chain, lists = folder / "leaf.pem", folder / "chain.pem", folder / "crls.pem"
    leaf.write_bytes(pem(x509.load_der_x509_certificate(der)))
    (folder / "root.pem").write_bytes(hierarchy().root_pem)
    chain.write_bytes(hierarchy().issuing_pem)
    both = x509.load_der_x509_crl(root).public_bytes(Encoding.PEM)
    lists.write_bytes(both + b"".join((centre.public / name).read_bytes() for name in crl_files))
    at = str(int(centre.clock().timestamp()) + 1)
    done = openssl(
        *("verify", "-x509_strict", "-crl_check_all", "-attime", at, *options),
        *("-CAfile", folder / "root.pem", "-untrusted", chain, "-CRLfile", lists, leaf),
    )
    return done.stdout + done.stderr


# --- the full CRL


def test_the_published_file_is_der_and_beside_it_lies_pem(centre):
    serial = issue(centre, case=1)
    revoke(centre, serial)
    assert publication.publish(centre) is True
    assert publication.publish(centre) is False
    assert listed(centre) == {serial: Reason.SUPERSEDED}
    text = (centre.public / "issuing.crl.pem").read_bytes()
    assert x509.load_pem_x509_crl(text) == published(centre)
    assert text == published(centre).public_bytes(Encoding.PEM)
    assert faults(centre) == set()
    for path in centre.public.iterdir():
        assert path.stat().st_mode & 0o777 == 0o644


def test_a_streamed_crl_is_octet_for_octet_what_another_builder_makes(centre):
    fill(centre.store, 700)
    centre.time.now = datetime.now(UTC)  # certtool asks the clock of the machine
    publication.publish(centre)
    ours = published(centre)
    theirs = (
        x509.CertificateRevocationListBuilder(revoked_certificates=list(ours))
        .issuer_name(ours.issuer)
        .last_update(ours.last_update_utc)
        .next_update(ours.next_update_utc)
    )
    for extension in ours.extensions:
        theirs = theirs.add_extension(extension.value, extension.critical)
    again = theirs.sign(signer()._key._private, ours.signature_hash_algorithm)
    assert again.tbs_certlist_bytes == ours.tbs_certlist_bytes
    assert len(ours) == 700
    path = centre.public / "issuing.crl"
    (centre.public / "ca.pem").write_bytes(hierarchy().issuing_pem)
    assert "verify OK" in openssl("crl", "-in", path, "-noout", "-CAfile", centre.public / "ca.pem").stderr
    certtool = shutil.which("certtool")
    assert certtool, "gnutls-bin is missing: tools/install_packages.sh"
    given = (path.with_name("issuing.crl.pem")).read_bytes()
    command = [
        certtool,
        "--verify-crl",
        "--load-ca-certificate",
        str(centre.public / "ca.pem"),
    ]
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    assert b"Verification output: Verified." in done.stdout + done.stderr


def test_a_crl_that_only_grew_is_the_one_that_the_database_would_give(centre, monkeypatch):
    good = fill(centre.store, 60, issued=12)
    publication.publish(centre)
    read = []
    entries_for_crl = register.entries_for_crl
    monkeypatch.setattr(register, "entries_for_crl", lambda *a, **k: read.append(1) or entries_for_crl(*a, **k))
    for turn, serials in enumerate(([good[0]], good[1:4], sorted(good[4:12]))):
        centre.time.now = NOW + MINUTE * (turn + 1)
        for serial in serials:
            revoke(centre, serial)
        assert publication.publish(centre) is True
        with centre.store.transaction() as tx:
            wanted = register.revoked_for_crl(tx, "issuing-1", centre.clock())
        assert [entry_of(entry) for entry in published(centre)] == wanted
    assert not read
    assert len(listed(centre)) == 72


def test_a_hold_a_damaged_file_and_an_end_make_the_list_anew(centre, monkeypatch):
    first, second = issue(centre, case=1), issue(centre, case=2)
    revoke(centre, first)
    hold(centre, second)
    publication.publish(centre)
    assert listed(centre) == {first: Reason.SUPERSEDED, second: Reason.CERTIFICATE_HOLD}
    hold(centre, second, end=True)
    publication.publish(centre)
    assert listed(centre) == {first: Reason.SUPERSEDED}
    hold(centre, second)
    centre.time.now = NOW + MINUTE
    revoke(centre, second, Reason.KEY_COMPROMISE)
    (centre.public / "issuing.crl").write_bytes(b"broken")
    publication.publish(centre)
    assert listed(centre) == {first: Reason.SUPERSEDED, second: Reason.KEY_COMPROMISE}
    assert faults(centre) == set()


def test_a_revocation_in_the_same_instant_as_the_crl_before_it_is_published(centre):
    first, second = issue(centre, case=1), issue(centre, case=2)
    revoke(centre, first)
    publication.publish(centre)
    revoke(centre, second)
    assert publication.publish(centre) is True
    assert set(listed(centre)) == {first, second}
    assert publication.publish(centre) is False


def test_a_revocation_that_the_clock_put_into_the_future_waits_and_is_not_forgotten(centre):
    first, second = issue(centre, case=1), issue(centre, case=2)
    publication.publish(centre)
    centre.time.now = NOW + DAY
    revoke(centre, first)
    centre.time.now = NOW + MINUTE
    revoke(centre, second)
    publication.publish(centre)
    assert set(listed(centre)) == {second}
    assert publication.publish(centre) is False
    centre.time.now = NOW + DAY
    assert publication.publish(centre) is True
    assert set(listed(centre)) == {first, second}
    assert faults(centre) == set()


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("damage", [None, b"", b"\x30\x03\x02\x01\x05"])
def test_a_lost_file_comes_back_as_recorded_or_is_made_anew_where_it_was_too_large_to_keep(
    centre, monkeypatch, large, damage
):
    if large:
        monkeypatch.setattr(publication, "KEPT_WHOLE", 10)
    serial = issue(centre, case=1)
    revoke(centre, serial)
    publication.publish(centre)
    file = centre.public / "issuing.crl"
    before, number = file.read_bytes(), number_of(published(centre))
    with centre.store.transaction() as tx:
        assert (register.latest_crl(tx, "issuing-1").der is None) is large
    file.unlink()
    if damage is not None:
        file.write_bytes(damage)
    assert publication.publish(centre) is True
    assert (file.read_bytes() == before) is not large
    assert number_of(published(centre)) == number + large
    assert listed(centre) == {serial: Reason.SUPERSEDED}
    assert publication.publish(centre) is False
    assert faults(centre) == set()


def test_a_stop_between_commit_and_rename_is_made_up_for(centre, monkeypatch):
    monkeypatch.setattr(publication, "KEPT_WHOLE", 10)
    publication.publish(centre)
    revoke(centre, issue(centre, case=1))
    with monkeypatch.context() as patched:
        patched.setattr(publication, "_put_in_place", lambda *_: (_ for _ in ()).throw(RuntimeError("stopped")))
        with pytest.raises(RuntimeError):
            publication.publish(centre)
    assert len(listed(centre)) == 0
    assert publication.publish(centre) is True
    assert len(listed(centre)) == 1
    assert number_of(published(centre)) == 2
    assert not list(centre.public.glob(".*"))


def test_what_cannot_be_signed_or_recorded_leaves_number_and_files(centre, monkeypatch):
    publication.publish(centre)
    before = {path.name: path.read_bytes() for path in centre.public.iterdir()}
    revoke(centre, issue(centre, case=1))

    def failing(*_, **__):
        raise RuntimeError("no")

    for place, name in ((register, "record_crl"), (centre.audit, "append")):
        with monkeypatch.context() as patched:
            patched.setattr(place, name, failing)
            with pytest.raises(RuntimeError):
                publication.publish(centre)
    broken = SimpleNamespace(authority=hierarchy().issuing, sign_draft=failing)
    signers, centre.signers = centre.signers, (broken, *centre.signers)
    with pytest.raises(RuntimeError):
        publication.publish(centre)
    # One that fails keeps no other from its CRL.
    assert len(listed(centre)) == 1
    centre.signers = signers
    assert publication.publish(centre) is False
    assert set(before) == {path.name for path in centre.public.iterdir()}
    assert number_of(published(centre)) == 2


def test_old_lists_leave_their_digest_and_the_newest_three_their_octets(centre):
    for turn in range(6):
        centre.time.now = NOW + MINUTE * turn
        publication.publish(centre, force=True)
    with centre.store.transaction() as tx:
        kept = [row.der is not None for row in tx.execute(crls.select().where(crls.c.authority_id == "issuing-1"))]
    assert kept == [False] * 3 + [True] * 3


def test_an_entry_that_the_database_spoilt_is_never_signed(centre):
    fill(centre.store, 3)
    with centre.store.transaction() as tx:
        tx.exec_driver_sql("DROP TRIGGER certificates_change")
        tx.execute(update(certificates).values(crl_entry=b"\x30\x03\x02\x01\x05"))
    with pytest.raises(CaError, match="entry_malformed"):
        publication.publish(centre)
    assert not list(centre.public.glob("*.crl"))


def test_the_list_is_the_same_when_the_database_gives_it_row_by_row(centre, monkeypatch):
    fill(centre.store, 9_000)
    with centre.store.transaction() as tx:
        joined = list(register.entries_for_crl(tx, "issuing-1", NOW))
        monkeypatch.setattr(tx.dialect, "name", "another")
        by_row = list(register.entries_for_crl(tx, "issuing-1", NOW))
    assert len(joined) == len(by_row) == 3
    assert b"".join(joined) == b"".join(by_row)


def test_a_second_authority_has_files_of_its_own():
    other = SimpleNamespace(id="issuing-2")
    assert publication.file_name(other) == "issuing-2.crl"
    assert publication.file_name(hierarchy().issuing) == "issuing.crl"


# --- delta CRLs


@pytest.mark.parametrize("centre", [{"deltas": True}], indirect=True)
def test_a_delta_says_what_changed_since_its_base_and_openssl_agrees(centre, tmp_path):
    kept, gone, held = (issue(centre, case=number) for number in range(3))
    hold(centre, held)
    publication.publish(centre)
    assert not (centre.public / "issuing-delta.crl").exists()  # the first has nothing before it
    shutil.copy(centre.public / "issuing.crl.pem", centre.public / "base.pem")
    centre.time.now = NOW + MINUTE
    revoke(centre, gone)
    hold(centre, held, end=True)
    publication.publish(centre)
    assert listed(centre) == {gone: Reason.SUPERSEDED}
    assert listed(centre, "issuing-delta.crl") == {gone: Reason.SUPERSEDED, held: Reason.REMOVE_FROM_CRL}
    delta = published(centre, "issuing-delta.crl")
    indicator = delta.extensions.get_extension_for_class(x509.DeltaCRLIndicator)
    assert indicator.critical
    assert indicator.value.crl_number == 1
    # Made together, they have the same number and say the same (RFC 5280, 5.2.3).
    assert number_of(delta) == number_of(published(centre)) == 2
    assert faults(centre) == set()
    both = ("base.pem", "issuing-delta.crl.pem")
    assert "error 23" in verify(centre, tmp_path, gone, "-extended_crl", "-use_deltas", crl_files=both)
    for good in (kept, held):
        assert "leaf.pem: OK" in verify(centre, tmp_path, good, "-extended_crl", "-use_deltas", crl_files=both)
    # Who reads no deltas is told by the full one at once.
    assert "leaf.pem: OK" in verify(centre, tmp_path, held)
    assert "error 23" in verify(centre, tmp_path, gone)


@pytest.mark.parametrize("centre", [{"deltas": True}], indirect=True)
def test_the_base_of_deltas_stays_while_more_than_half_of_its_life_is_left(centre):
    bases = []
    for turn in range(6):
        centre.time.now = NOW + DAY * turn
        publication.publish(centre, force=True)
        if turn:
            with centre.store.transaction() as tx:
                bases.append(register.latest_crl(tx, "issuing-1", kind=CrlKind.DELTA).base_number)
            assert faults(centre) == set()
    assert bases == [1, 1, 1, 2, 3]


# --- partitioned CRLs


@pytest.mark.parametrize("centre", [{"partitions": 2}], indirect=True)
def test_each_certificate_is_judged_by_the_partition_that_it_names(centre, tmp_path):
    serials = [issue(centre, case=number) for number in range(8)]
    of = {serial: partition_of(int(serial, 16), 2) for serial in serials}
    gone = next((serial for serial in serials if of[serial] == 1), serials[0])
    part = of[gone]
    revoke(centre, gone)
    publication.publish(centre)
    mine, other = f"issuing-p{part}.crl", f"issuing-p{3 - part}.crl"
    assert listed(centre) == listed(centre, mine) == {gone: Reason.SUPERSEDED}
    assert listed(centre, other) == {}
    point = published(centre, mine).extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    assert point.critical
    assert point.value.full_name[0].value == f"http://pki.lra.example/{mine}"
    assert "error 23" in verify(centre, tmp_path, gone, "-extended_crl", crl_files=(f"{mine}.pem",))
    assert "error 44" in verify(centre, tmp_path, gone, "-extended_crl", crl_files=(f"{other}.pem",))
    assert faults(centre) == set()
    # What happens in one partition touches the file of no other.
    before = (centre.public / other).stat().st_mtime_ns
    again = next((serial for serial in serials if of[serial] == part and serial != gone), None)
    if again:
        centre.time.now = NOW + MINUTE
        revoke(centre, again)
        publication.publish(centre)
        assert set(listed(centre, mine)) == {gone, again}
        assert (centre.public / other).stat().st_mtime_ns == before


@pytest.mark.parametrize("centre", [{"partitions": 2}], indirect=True)
def test_partitions_that_certificates_name_are_published_when_no_new_one_does(centre):
    serials = [issue(centre, case=number) for number in range(8)]
    object.__setattr__(centre.settings.crl, "partitions", 0)
    publication.publish(centre)
    highest = max(partition_of(int(serial, 16), 2) for serial in serials)
    assert (centre.public / f"issuing-p{highest}.crl").exists()
    assert faults(centre) == set()


# --- other judges


def lint(path: Path) -> str:
    """What pkilint finds above a notice; a program of its own, since it is slow and warns about its own parts."""
    command = [str(Path(sys.executable).parent / "lint_crl"), "lint", "-t", "CRL", "-p", "PKIX", "-s", "NOTICE"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr if done.returncode or done.stdout.strip() else ""


@pytest.mark.parametrize("centre", [{"partitions": 1, "deltas": True}], indirect=True)
def test_pkilint_finds_nothing_in_any_kind_of_crl(centre):
    serials = [issue(centre, case=number) for number in range(3)]
    hold(centre, serials[0])
    publication.publish(centre)
    centre.time.now = NOW + MINUTE
    with centre.store.transaction() as tx:
        register.revoke(tx, serials[1], at=NOW, reason=Reason.KEY_COMPROMISE, now=NOW, invalidity_date=NOW - DAY)
    hold(centre, serials[0], end=True)
    publication.publish(centre)
    for name in ("issuing.crl", "issuing-delta.crl", "issuing-p1.crl"):
        assert len(listed(centre, name)) >= 1
        assert lint(centre.public / name) == ""


def test_nss_takes_the_crl_into_its_database(centre, tmp_path):
    serial = issue(centre, case=1)
    revoke(centre, serial, Reason.KEY_COMPROMISE)
    publication.publish(centre)
    for tool in ("certutil", "crlutil"):
        assert shutil.which(tool), "libnss3-tools is missing: tools/install_packages.sh"
    database = f"sql:{tmp_path}"

    def run(*command: str | Path) -> str:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    run("certutil", "-N", "-d", database, "--empty-password")
    for name, data, trust in (("Root", hierarchy().root_pem, "C,,"), ("Issuing", hierarchy().issuing_pem, ",,")):
        (tmp_path / name).write_bytes(data)
        run("certutil", "-A", "-d", database, "-n", name, "-t", trust, "-a", "-i", tmp_path / name)
    run("crlutil", "-I", "-d", database, "-i", centre.public / "issuing.crl", "-B")
    shown = run("crlutil", "-L", "-d", database, "-n", "Issuing")
    assert serial.lstrip("0") in "".join(shown.split()).replace(":", "").lower()


# --- what the checker finds


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        ("DELETE FROM crls WHERE kind = 'delta'", "crl_none (delta)"),
        ("DELETE FROM crls WHERE kind = 'partition'", "crl_none (p1)"),
        ("UPDATE crls SET base_number = 7, number = 8 WHERE kind = 'delta'", "crl_none (delta)"),
        ("UPDATE crls SET base_number = 77 WHERE kind = 'delta'", "crl_base_unknown (delta)"),
        ("UPDATE crls SET der = NULL, digest = 'aa' WHERE kind = 'delta'", "crl_differs (delta)"),
        ("UPDATE crls SET next_update = '2027-01-01T00:00:00.000000Z' WHERE kind = 'partition'", "crl_differs (p1)"),
        ("UPDATE crls SET change = 0 WHERE kind = 'full' AND number = 1", "crl_lacks_revoked"),
        (
            "UPDATE crls SET der = (SELECT max(der) FROM crls WHERE kind = 'full' AND number = 3) WHERE number = 4",
            "crl_lint:issuing_distribution_point_missing (p1)",
        ),
        (
            "UPDATE crls SET der = (SELECT der FROM crls WHERE kind = 'full' AND number = 3) WHERE kind = 'delta'",
            "crl_lint:delta_indicator_missing (delta)",
        ),
        ("UPDATE certificates SET crl_partition = 0 WHERE state = 'issued'", "lint:crl_distribution_points_wrong"),
        ("UPDATE certificates SET crl_partition = 2 WHERE state = 'revoked'", "crl_lists_unrevoked"),
        ("UPDATE certificates SET unheld_at = NULL", "crl_lists_unrevoked"),
        ("UPDATE certificates SET crl_entry = x'30' WHERE state = 'revoked'", "entry_differs"),
        ("UPDATE certificates SET revoked_at = '2020-01-01T00:00:00.000000Z' WHERE state = 'revoked'", "(delta"),
    ],
)
@pytest.mark.parametrize("centre", [{"partitions": 1, "deltas": True}], indirect=True)
def test_the_checker_finds_what_is_wrong_with_a_delta_or_a_partition(centre, statement, wanted):
    serials = [issue(centre, case=number) for number in range(3)]
    hold(centre, serials[0])
    revoke(centre, issue(centre, case=9))
    publication.publish(centre)
    centre.time.now = NOW + MINUTE
    hold(centre, serials[0], end=True)
    revoke(centre, serials[1])
    publication.publish(centre)
    assert faults(centre) == set()
    with centre.store.transaction() as tx:
        for name in ("certificates_change", "certificates_delete", "authorities_number"):
            tx.exec_driver_sql(f"DROP TRIGGER {name}")
        tx.exec_driver_sql("PRAGMA ignore_check_constraints=ON")
        tx.exec_driver_sql(statement)
    assert any(wanted in fault for fault in faults(centre)), faults(centre)


def test_the_checker_misses_a_file_that_the_register_does_not_keep(centre, monkeypatch):
    monkeypatch.setattr(publication, "KEPT_WHOLE", 10)
    publication.publish(centre)
    assert faults(centre) == set()
    (centre.public / "issuing.crl").unlink()
    assert faults(centre) == {"crl_missing"}


def test_a_file_holds_a_crl_or_it_does_not(centre, tmp_path):
    publication.publish(centre)
    with centre.store.transaction() as tx:
        row = register.latest_crl(tx, "issuing-1")
    assert holds(centre.public / "issuing.crl", row, hierarchy().issuing)
    assert not holds(tmp_path / "none", row, hierarchy().issuing)
    (tmp_path / "other").write_bytes(b"\x30" + (centre.public / "issuing.crl").read_bytes()[1:-1] + b"x")
    assert not holds(tmp_path / "other", row, hierarchy().issuing)


def test_the_count_of_changes_never_goes_back(centre):
    fill(centre.store, 2)
    with pytest.raises(IntegrityError, match="never goes back"), centre.store.transaction() as tx:
        tx.execute(update(authorities).values(crl_change=0))
