"""The service's own responder: it has a certificate before it is asked, a new one in time, and tells what is committed."""

import sqlite3
from contextlib import closing, nullcontext, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from ca import register
from ca.checker import check as check_register
from ca.crl import Reason
from ca.errors import CaError, CaErrorKind
from daemon import issuance, responders, schema, upkeep
from daemon.audit import Audit
from daemon.cabinet import Cabinet
from daemon.responder import Shelf
from daemon.store import Store
from support.responding import DAY, asking, hold, rows_of, says, with_responder


@pytest.fixture
def centre(stage):
    """A centre where one certificate is held, with a responder that was never asked to look after itself."""
    hold(stage.centre)
    return with_responder(stage.centre)


def held(centre):
    with centre.store.transaction() as tx:
        return next(row.serial for row in register.every(tx) if row.registration_id is not None)


def keys(centre):
    return sorted(path.name for path in (centre.settings.data_dir / "keys").glob("ocsp-*"))


def test_before_its_certificate_is_there_clients_try_later_and_then_they_are_told(centre):
    assert says(centre, held(centre)) == "try_later"
    assert responders.look_after(centre) == 1
    assert says(centre, held(centre)) == "good"
    assert says(centre, 0x1234) == "unknown"
    (row,) = rows_of(centre)
    assert (row.registration_id, row.case_id, row.email) == (None, None, "")
    assert keys(centre) == [f"ocsp-issuing-1-{row.serial}.key"]
    assert b"PRIVATE" not in (centre.settings.data_dir / "keys" / keys(centre)[0]).read_bytes()


def test_it_is_looked_after_by_the_calendar_and_the_rest_of_the_calendar_leaves_it_alone(centre, clock):
    upkeep.look_after(centre)
    assert len(rows_of(centre)) == 1
    clock.move(clock() + 5 * DAY)
    upkeep.look_after(centre)
    # Near its end it is renewed as a responder, never as somebody's certificate.
    clock.move(clock() + 3 * DAY)
    upkeep.look_after(centre)
    issuance.execute(centre)
    assert len(rows_of(centre)) == 2


def test_it_renews_itself_at_half_of_its_life_and_forgets_the_former_key(centre, clock):
    responders.look_after(centre)
    (first,) = rows_of(centre)
    clock.move(first.not_before + 7 * DAY - timedelta(minutes=1))
    assert responders.look_after(centre) == 0
    clock.move(first.not_before + 7 * DAY)
    assert responders.look_after(centre) == 1
    second = next(row for row in rows_of(centre) if row.serial != first.serial)
    assert keys(centre) == [f"ocsp-issuing-1-{second.serial}.key"]
    assert says(centre, held(centre)) == "good"
    assert centre.responder.signer_of("issuing-1").certificate.serial_number == int(second.serial, 16)


def test_after_an_outage_longer_than_its_life_there_is_one_again(centre, clock):
    responders.look_after(centre)
    clock.move(clock() + 40 * DAY)
    assert says(centre, held(centre)) == "try_later"
    responders.look_after(centre)
    assert says(centre, held(centre)) == "good"


def test_while_no_other_can_be_made_the_one_that_is_there_answers_on_also_after_a_restart(centre, clock, monkeypatch):
    responders.look_after(centre)
    clock.move(clock() + 8 * DAY)

    def refused(*_):
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, "the token was pulled out")

    monkeypatch.setattr(type(centre.signer), "sign_certificate", refused)
    for each in (centre, with_responder(centre)):
        for wait in (timedelta(0), timedelta(minutes=1)):
            clock.move(clock() + wait)
            # One attempt under a lease: a round a minute must not cost a serial number each.
            with pytest.raises(CaError, match="pulled out") if not wait else nullcontext():
                assert responders.look_after(each) == 0
            assert says(each, held(each)) == "good"
        clock.move(clock() + timedelta(minutes=15))
        issuance.execute(each)
    monkeypatch.undo()
    assert responders.look_after(centre) == 1
    assert len(rows_of(centre)) == 4


def test_without_any_responder_a_few_attempts_are_made_and_then_it_waits_for_their_leases(centre, monkeypatch):
    def refused(*_):
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, "the token was pulled out")

    monkeypatch.setattr(type(centre.signer), "sign_certificate", refused)
    for _ in range(5):
        with suppress(CaError):
            responders.look_after(centre)
    assert len(rows_of(centre)) == 3
    assert says(centre, held(centre)) == "try_later"
    assert told(centre) == 2  # each approver once a day


def told(centre):
    """Mails to staff about the responder."""
    with centre.store.transaction() as tx:
        rows = tx.execute(select(schema.letters.c.key).where(schema.letters.c.key.like("staff:alarm:ocsp:%")))
        return len(rows.all())


def test_staff_are_told_before_the_world_is_told_nothing_and_not_while_all_is_well(centre, clock, monkeypatch):
    responders.look_after(centre)

    def refused(*_):
        raise CaError(CaErrorKind.KEY_UNAVAILABLE, "the token was pulled out")

    monkeypatch.setattr(type(centre.signer), "sign_certificate", refused)
    for days, mails in ((8, 0), (1, 0), (2, 2), (1, 4)):
        clock.move(clock() + days * DAY)
        for _ in range(2):
            with suppress(CaError):
                responders.look_after(centre)
        assert told(centre) == mails


def test_a_restart_goes_on_with_the_certificate_that_is_there(centre):
    responders.look_after(centre)
    again = with_responder(centre)
    assert responders.look_after(again) == 0
    assert says(again, held(again)) == "good"
    assert len(rows_of(again)) == 1


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\0")])
def test_a_key_that_is_lost_or_damaged_is_replaced(centre, spoil, caplog):
    responders.look_after(centre)
    spoil(centre.settings.data_dir / "keys" / keys(centre)[0])
    again = with_responder(centre)
    assert responders.look_after(again) == 1
    assert says(again, held(again)) == "good"
    assert "another is made" in caplog.text


def test_a_revoked_responder_is_replaced_and_does_not_answer_on(centre):
    responders.look_after(centre)
    (row,) = rows_of(centre)
    with centre.store.transaction() as tx:
        register.revoke(tx, row.serial, at=centre.clock(), reason=Reason.KEY_COMPROMISE, now=centre.clock())
    assert responders.look_after(centre) == 1
    assert centre.responder.signer_of("issuing-1").certificate.serial_number != int(row.serial, 16)


@pytest.mark.parametrize("place", ["keep", "sign", "record"])
def test_a_stop_at_any_point_is_made_good_by_the_next_round(centre, monkeypatch, clock, place):
    class Stopped(BaseException):
        pass

    def stop(*_, **__):
        raise Stopped

    with monkeypatch.context() as patch:
        target = {"keep": (Cabinet, "keep"), "sign": (type(centre.signer), "sign_certificate")}
        patch.setattr(*target.get(place, (register, "record_issued")), stop)
        with pytest.raises(Stopped):
            responders.look_after(centre)
    again = with_responder(centre)
    assert responders.look_after(again) == 1
    assert says(again, held(again)) == "good"
    assert len(keys(again)) == 1
    clock.move(clock() + DAY)
    issuance.execute(again)  # gives the reserved serial number up
    states = sorted(row.state.value for row in rows_of(again))
    assert states == (["issued"] if place == "keep" else ["abandoned", "issued"])
    for row in rows_of(again):
        assert says(again, row.serial) == ("good" if row.state.value == "issued" else "revoked")


def test_its_certificates_are_in_order_for_the_checker_and_the_audit_log(centre):
    responders.look_after(centre)
    upkeep.publish_crl(centre)
    with centre.store.transaction() as tx:
        assert check_register(tx, authority=centre.signer.authority, now=centre.clock()) == ()
        assert list(centre.audit.faults(tx)) == []


def test_a_revocation_that_another_process_commits_is_told_at_once(centre, clock):
    """The promise: never `good` after a revocation, not even from an answer signed before it."""
    responders.look_after(centre)
    serial = held(centre)
    assert says(centre, serial) == "good"
    with closing(sqlite3.connect(centre.store.engine.url.database)) as other:
        other.execute(
            "UPDATE certificates SET state = 'revoked', revoked_at = :at, recorded_at = :at, reason = 'key_compromise',"
            " crl_entry = x'00', crl_change = 1 WHERE serial = :serial",
            {"at": clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "serial": serial},
        )
        assert says(centre, serial) == "good"
        other.commit()
        assert says(centre, serial) == "revoked"


def test_asking_waits_for_no_writer(centre):
    responders.look_after(centre)
    serial = held(centre)
    with centre.store.transaction() as tx:
        tx.execute(update(register.certificates).values(listed_until=None))
        assert says(centre, serial) == "good"


def test_a_register_that_cannot_be_read_is_a_reason_to_try_later_and_a_fault_of_ours_is_named_so(centre, monkeypatch):
    responders.look_after(centre)

    def broken(error):
        def reading(_):
            raise error

        return reading

    monkeypatch.setattr(Store, "reading", broken(OperationalError("SELECT", {}, sqlite3.OperationalError("disk"))))
    assert says(centre, held(centre)) == "try_later"
    monkeypatch.setattr(Store, "reading", broken(RuntimeError("a bug")))
    assert says(centre, held(centre)) == "internal_error"


def test_answers_kept_do_not_fill_the_memory(centre):
    shelf = Shelf(most=3)
    for number in range(5):
        shelf[bytes([number])] = number
    assert list(shelf) == [b"\x02", b"\x03", b"\x04"]
    shelf[b"\x03"] = 9
    assert list(shelf.values()) == [2, 9, 4]
    responders.look_after(centre)
    for serial in range(1, 30):
        centre.responder.answer(asking(centre, serial, nonce=b"n" * 16))
    assert len(centre.responder._kept) == 0


def test_without_a_responder_in_the_configuration_nothing_is_made(stage):
    assert responders.look_after(stage.centre) == 0
    assert rows_of(stage.centre) == []


def test_verify_asks_the_responder_and_finds_what_is_wrong(centre, clock):
    def faults():
        with centre.store.transaction() as tx:
            return responders.faults(tx, centre.settings, centre.store, clock())

    assert "no responder" in faults()[0]
    responders.look_after(centre)
    assert faults() == []
    (centre.settings.data_dir / "keys" / keys(centre)[0]).write_bytes(b"damaged")
    assert "run the service" in faults()[0]
    off = replace(centre.settings, ocsp=replace(centre.settings.ocsp, url=""))
    with centre.store.transaction() as tx:
        assert responders.faults(tx, off, centre.store, clock()) == []
    assert isinstance(centre.audit, Audit)


def test_verify_finds_a_certificate_that_the_responder_may_not_have(centre, clock):
    """A key on the disk that is not the one of the recorded certificate."""
    responders.look_after(centre)
    name = keys(centre)[0].removesuffix(".key")
    clock.move(clock() + 7 * DAY)
    responders.look_after(centre)
    newer = keys(centre)[0].removesuffix(".key")
    path = centre.settings.data_dir / "keys" / f"{name}.key"
    path.write_bytes((centre.settings.data_dir / "keys" / f"{newer}.key").read_bytes())
    row = next(row for row in rows_of(centre) if name.endswith(row.serial))
    with pytest.raises(CaError, match="does not belong"):
        responders.signer_from(centre.cabinet, centre.signer.authority, row)
