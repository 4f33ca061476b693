"""The audit log: a keyed chain in which no event can be changed, taken out or put in unseen."""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon import audit, schema
from daemon.audit import Audit
from support.centres import START
from support.rooms import bare_centre

EVENTS = schema.events


@pytest.fixture
def centre(tmp_path):
    opened = bare_centre(tmp_path)
    yield opened
    opened.store.close()


@pytest.fixture
def written(centre):
    with centre.store.transaction() as tx:
        for number in range(1, 6):
            assert centre.audit.append(tx, "mail_read", at=START, actor="system", case_id=number, mail=number) == number
    return centre


def faults(centre, key=None):
    with centre.store.transaction() as tx:
        return list((centre.audit if key is None else Audit(key)).faults(tx))


def test_a_whole_chain_has_no_faults(written):
    assert faults(written) == []
    with written.store.transaction() as tx:
        assert audit.count(tx) == 5
        assert [record.detail for record in audit.records(tx, 3)] == [{"mail": 3}]


def test_an_empty_log_is_whole(centre):
    assert faults(centre) == []


@pytest.mark.parametrize(
    "values",
    [
        {"at": START.replace(year=2027)},
        {"case_id": 9},
        {"case_id": None},
        {"kind": "mail_held"},
        {"actor": "applicant"},
        {"detail": {"mail": 4}},
        {"detail": {"mail": "3"}},
        {"mac": "0" * 64},
        {"seq": 17},
    ],
    ids=lambda values: next(iter(values)),
)
def test_a_change_of_any_column_is_found(written, values):
    with written.store.transaction() as tx:
        tx.execute(sa.update(EVENTS).where(EVENTS.c.seq == 3).values(values))
    assert faults(written)


@pytest.mark.parametrize("seq", [1, 2, 4])
def test_an_event_taken_out_is_found(written, seq):
    with written.store.transaction() as tx:
        tx.execute(sa.delete(EVENTS).where(EVENTS.c.seq == seq))
    assert f"audit: event {seq} is missing" in faults(written)


def test_closing_the_gap_does_not_hide_it(written):
    with written.store.transaction() as tx:
        tx.execute(sa.delete(EVENTS).where(EVENTS.c.seq == 3))
        tx.execute(sa.update(EVENTS).where(EVENTS.c.seq == 4).values(seq=3))
        tx.execute(sa.update(EVENTS).where(EVENTS.c.seq == 5).values(seq=4))
    assert faults(written)


def test_events_that_changed_places_are_found(written):
    with written.store.transaction() as tx:
        for old, new in ((2, 99), (3, 2), (99, 3)):
            tx.execute(sa.update(EVENTS).where(EVENTS.c.seq == old).values(seq=new))
    assert len(faults(written)) >= 2


def test_nobody_without_the_key_can_write_an_event(written):
    with written.store.transaction() as tx:
        Audit(b"guessed").append(tx, "case_approved", at=START, actor="kobayashi@lra.example", case_id=1)
    assert faults(written) == ["audit: event 6 does not match its chain value"]
    assert len(faults(written, b"another")) >= 5
    assert "k" * 32 not in repr(written.audit)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1),
        st.none() | st.booleans() | st.text(st.characters(codec="utf-8")) | st.integers(),
    )
)
def test_any_detail_is_read_back_as_it_was_chained(centre, detail):
    with centre.store.transaction() as tx:
        centre.audit.append(tx, "note", at=START, actor="system", **{f"x{key}": value for key, value in detail.items()})
    assert faults(centre) == []


def test_an_event_that_cannot_be_written_takes_its_deed_with_it(centre):
    with centre.store.transaction() as tx:
        tx.execute(sa.text("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'full'); END"))

    def do():
        with centre.store.transaction() as tx:
            tx.execute(sa.insert(schema.counters).values(name="deed", value=1))
            centre.audit.append(tx, "deed", at=START, actor="system")

    with pytest.raises(sa.exc.IntegrityError):
        do()
    with centre.store.transaction() as tx:
        assert tx.execute(sa.select(schema.counters)).all() == []
