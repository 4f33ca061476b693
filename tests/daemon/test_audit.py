"""The audit log: a keyed chain in which no event can be changed, taken out or put in unseen."""

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemon import audit, checkpoints, schema
from daemon.audit import Audit, Entry
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


def test_many_events_at_once_are_chained_like_single_ones(written):
    entries = [Entry("mail_read", START + timedelta(microseconds=n), "承認者", n or None, {"n": n}) for n in range(9)]
    with written.store.transaction() as tx:
        assert written.audit.extend(tx, entries) == 14
        assert written.audit.extend(tx, []) == 14
        assert written.audit.append(tx, "note", at=START, actor="system") == 15
    assert faults(written) == []
    with written.store.transaction() as tx:
        assert [record.detail for record in audit.records(tx)][5:14] == [{"n": n} for n in range(9)]


def test_details_that_an_older_version_spelt_otherwise_are_still_right(written):
    loose = json.dumps({"mail": 3}, indent=1)
    with written.store.transaction() as tx:
        tx.exec_driver_sql("UPDATE events SET detail = ? WHERE seq = 3", (loose,))
    assert faults(written) == []
    with written.store.transaction() as tx:
        tx.exec_driver_sql("UPDATE events SET detail = ? WHERE seq = 3", (loose.replace("3", "4"),))
        tx.exec_driver_sql("UPDATE events SET detail = '{' WHERE seq = 4")
    assert len(faults(written)) == 2


# --- checkpoints


def kept(centre):
    with centre.store.transaction() as tx:
        return audit.checkpoint(tx)


def against(centre, *texts):
    with centre.store.transaction() as tx:
        return list(audit.kept_faults(tx, audit.checkpoints_in("\n".join(map(str, texts)))))


def test_a_checkpoint_is_read_back_however_a_person_writes_it(written):
    line = kept(written)
    for text in (str(line), f"・{line}", str(line).lower(), f"控え: {line}。", f"2026-12-01T00:00:00Z {line}"):
        assert audit.checkpoints_in(text) == [line]
    assert audit.checkpoints_in("5-AAAAA-BBBBB 2026-12-01 WEBEC-20260401-0001") == []
    assert against(written, line) == []


def test_an_end_that_was_cut_off_shows_against_a_kept_checkpoint_and_against_nothing_else(written):
    line = kept(written)
    with written.store.transaction() as tx:
        tx.execute(sa.delete(EVENTS).where(EVENTS.c.seq >= 4))
    assert faults(written) == []
    assert against(written, line) == [
        f"audit: the log ends at event 3, before the kept checkpoint {line}: its end was cut off"
    ]


def test_a_log_that_was_written_anew_with_the_right_key_shows_against_a_kept_checkpoint(written):
    line = kept(written)
    with written.store.transaction() as tx:
        tx.execute(sa.delete(EVENTS))
        for number in range(1, 9):
            written.audit.append(tx, "mail_read", at=START, actor="system", case_id=number, mail=number + (number == 2))
    assert faults(written) == []
    assert against(written, line) == [
        f"audit: event 5 is not the one of the kept checkpoint {line}: the log was written anew"
    ]
    with written.store.transaction() as tx:
        tx.execute(sa.delete(EVENTS).where(EVENTS.c.seq == 5))
    assert against(written, line) == [f"audit: event 5 of the kept checkpoint {line} is missing"]


def test_an_exported_log_is_the_whole_log_one_line_of_json_an_event(written):
    with written.store.transaction() as tx:
        lines = [json.loads(line) for line in audit.export(tx)]
        records = audit.records(tx)
    assert [(line["seq"], line["detail"], line["mac"]) for line in lines] == [
        (record.seq, record.detail, record.mac) for record in records
    ]


def test_the_file_of_checkpoints_grows_by_the_hour_and_only_with_the_log(written):
    written.settings.data_dir.mkdir(exist_ok=True)
    assert checkpoints.keep(written) == 1
    assert checkpoints.keep(written) == 0
    first = kept(written)
    written.clock.move(START + timedelta(hours=2))
    assert checkpoints.keep(written) == 0
    with written.store.transaction() as tx:
        written.audit.append(tx, "note", at=START, actor="system")
    assert checkpoints.keep(written) == 1
    text = (written.settings.data_dir / checkpoints.FILE).read_text()
    assert audit.checkpoints_in(text) == [first, kept(written)]
    assert against(written, text) == []
    written.clock.time = START  # a clock that was put back stops nothing
    with written.store.transaction() as tx:
        written.audit.append(tx, "note", at=START, actor="system")
    assert checkpoints.keep(written) == 1
