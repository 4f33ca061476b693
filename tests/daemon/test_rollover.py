"""The next issuing authority: new certificates come from it, the former looks after what it issued until that is over."""

import os
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import text

from ca import register
from ca.errors import CaError, CaErrorKind
from ca.hierarchy import ISSUING_ID, ROOT_ID
from ca.issue import new_serial
from config.settings import load
from daemon import authorities, ca_watch, ceremony, own_certificates, rollover, upkeep
from daemon.authorities import Standing
from daemon.keyring import open_keys, open_service, sealed_key
from daemon.store import Store
from support.authorities import openssl
from support.centres import START
from support.command_lines import write_config
from support.requests import csr


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock(START)


@pytest.fixture
def settings(tmp_path):
    """A centre just established, its keys on P-256 for the sake of speed."""
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace("[ca]\n", '[ca]\nkey = "p-256"\n'))
    settings = load(config)
    ceremony.make_secrets(settings)
    ceremony.establish_authority(settings, now=START, cost=15)
    return settings


@pytest.fixture
def store(settings):
    store = Store(settings.database)
    yield store
    store.close()


def rolled(settings, store, now, start=None, name=""):
    made = rollover.roll_over(settings, store, now=now, start=start or now, name=name, random_bytes=os.urandom, cost=15)
    ceremony.publish_all(settings, store)
    return made


def issue(settings, clock):
    """A certificate by the authority that issues at that moment; its serial number."""
    centre = open_service(settings, clock=clock)
    try:
        made = own_certificates.issue_tls(centre, ["portal.lra.example"], csr())
        upkeep.publish_crl(centre)
    finally:
        centre.close()
    return made


def verified(settings, certificate, at, tmp_path, *options):
    public = settings.data_dir / "public"
    path = tmp_path / "leaf.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    return openssl(
        *("verify", "-x509_strict", "-purpose", "sslserver", "-attime", str(int(at.timestamp())), *options),
        *("-CAfile", public / "root.pem", "-untrusted", public / "chain.pem", path),
    )


def standings(store, now):
    with store.transaction() as tx:
        return {each.id: standing for each, standing in authorities.standings(tx, now)}


def test_both_serve_and_each_certificate_is_on_the_crl_of_its_own_authority(settings, store, clock, tmp_path):
    before = issue(settings, clock)
    clock.now += timedelta(days=100)
    made = rolled(settings, store, clock())
    assert made.id == "issuing-2"
    after = issue(settings, clock)
    assert standings(store, clock()) == {"issuing-2": Standing.CURRENT, ISSUING_ID: Standing.RETIRING}
    assert before.issuer != after.issuer == made.certificate
    for each in (before, after):
        judged = verified(settings, each.certificate, clock(), tmp_path)
        assert judged.returncode == 0, judged.stderr

    centre = open_service(settings, clock=clock)
    try:
        for each in (before, after):
            own_certificates.revoke_own(centre, each.serial, register.Reason.SUPERSEDED)
        upkeep.publish_crl(centre)
    finally:
        centre.close()
    public = settings.data_dir / "public"
    listed = {
        name: [entry.serial_number for entry in x509.load_der_x509_crl((public / name).read_bytes())]
        for name in ("issuing.crl", "issuing-2.crl")
    }
    assert listed == {
        "issuing.crl": [before.certificate.serial_number],
        "issuing-2.crl": [after.certificate.serial_number],
    }
    crls = b"".join((public / name).read_bytes() for name in ("root.crl.pem", "issuing.crl.pem", "issuing-2.crl.pem"))
    (tmp_path / "crls.pem").write_bytes(crls)
    for each in (before, after):
        judged = verified(
            settings, each.certificate, clock(), tmp_path, "-crl_check_all", "-CRLfile", tmp_path / "crls.pem"
        )
        assert "certificate revoked" in judged.stderr


def test_the_addresses_in_new_certificates_are_files_that_are_published(settings, store, clock):
    rolled(settings, store, START)
    certificate = issue(settings, clock).certificate
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    urls = [points[0].full_name[0].value, *(each.access_location.value for each in access)]
    public = settings.data_dir / "public"
    assert {url.rpartition("/")[2] for url in urls} == {"issuing-2.crl", "issuing-2.cer"}
    assert all((public / url.rpartition("/")[2]).exists() for url in urls)


def test_one_that_begins_later_is_published_now_and_issues_then(settings, store, clock):
    start = START + timedelta(days=30)
    rolled(settings, store, START, start)
    assert standings(store, START)["issuing-2"] is Standing.COMING
    chain = x509.load_pem_x509_certificates((settings.data_dir / "public" / "chain.pem").read_bytes())
    assert len(chain) == 3
    first = issue(settings, clock)
    clock.now = start
    second = issue(settings, clock)
    names = [each.issuer.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value for each in (first, second)]
    assert names == ["WebEC Client CA 01", "WebEC Client CA 02"]


def test_the_former_retires_when_its_last_certificate_and_one_more_crl_are_over(settings, store, clock):
    last = issue(settings, clock).certificate.not_valid_after_utc
    rolled(settings, store, START)
    assert standings(store, last)[ISSUING_ID] is Standing.RETIRING
    clock.now = last + timedelta(days=1)
    assert standings(store, clock())[ISSUING_ID] is Standing.RETIRING
    centre = open_service(settings, clock=clock)
    try:
        assert [each.authority.id for each in centre.signers] == ["issuing-2", ISSUING_ID]
        upkeep.publish_crl(centre, force=True)
    finally:
        centre.close()
    assert standings(store, clock())[ISSUING_ID] is Standing.RETIRED
    # Its key may go now: nobody asks for it any more.
    sealed_key(settings).unlink()
    assert [each.authority.id for each in open_keys(settings, clock=clock).signers] == ["issuing-2"]


def test_without_the_roots_key_nothing_is_made(settings, store):
    sealed_key(settings, ROOT_ID).unlink()
    with pytest.raises(CaError, match="bring it back") as raised:
        rolled(settings, store, START)
    assert raised.value.kind is CaErrorKind.KEY_UNAVAILABLE
    assert standings(store, START) == {ISSUING_ID: Standing.CURRENT}
    assert not sealed_key(settings, "issuing-2").exists()


def test_a_second_is_not_made_before_the_first_has_begun_and_no_name_is_given_twice(settings, store):
    rolled(settings, store, START, START + timedelta(days=30))
    with pytest.raises(CaError, match="begins on"):
        rolled(settings, store, START)
    with pytest.raises(CaError, match="called"):
        rolled(settings, store, START + timedelta(days=31), name="WebEC Client CA 01")


def test_a_stop_before_the_register_knew_it_is_taken_up_by_the_next_run(settings, store, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(register, "record_authority", stop)
        with pytest.raises(KeyboardInterrupt):
            rolled(settings, store, START)
    assert standings(store, START) == {ISSUING_ID: Standing.CURRENT}
    open_keys(settings)
    rolled(settings, store, START)
    assert standings(store, START) == {"issuing-2": Standing.CURRENT, ISSUING_ID: Standing.RETIRED}
    open_keys(settings)


@pytest.mark.parametrize(
    ("name", "following"),
    [
        ("WebEC Client CA 01", "WebEC Client CA 02"),
        ("WebEC Client CA 09", "WebEC Client CA 10"),
        ("CA 99", "CA 100"),
        ("Client CA", "Client CA 2"),
    ],
)
def test_names_are_counted_on(name, following):
    assert rollover.next_name(name) == following


def test_an_authority_that_ends_before_the_certificate_issues_none_and_staff_are_told_before(settings, store, clock):
    with store.transaction() as tx:
        ends = authorities.last_full_day(settings, tx)
    clock.now = ends - ca_watch.WARNING - timedelta(hours=1)
    centre = open_service(settings, clock=clock)
    try:
        assert ca_watch.watch(centre) == 0
        clock.now = ends - ca_watch.WARNING
        assert (ca_watch.watch(centre), ca_watch.watch(centre)) == (1, 0)
        # The portal's certificate lives for a shorter time than a subscriber's.
        clock.now = ends + timedelta(days=400)
        with pytest.raises(CaError, match="validity_outside_issuer"):
            own_certificates.issue_tls(centre, ["portal.lra.example"], csr())
        with centre.store.transaction() as tx:
            told = tx.execute(text("SELECT count(*) FROM letters WHERE key LIKE 'staff:alarm:ca-ends:%'")).scalar_one()
            assert told == len(settings.approvers)
            assert register.find(tx, new_serial(os.urandom)) is None
    finally:
        centre.close()
    rolled(settings, store, clock())
    assert issue(settings, clock).certificate.not_valid_after_utc > clock() + timedelta(days=390)
