"""The reader of strangers' files: what it promises when all is well, and when a child is slow, broken or somebody else's."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from daemon.children import ChildLost, Nursery, ReaderUnavailable
from daemon.reader import Patience, Reader, as_png
from parsers import answers
from parsers.application import PROBLEM_SENTENCES, read
from parsers.errors import ParseError, ParseKind
from parsers.frames import Frame, FrameError, pack, picture_frame, picture_of, refusal, refusal_of, unpack
from parsers.picture import Picture
from parsers.reading import Box, Problem, Reading, Severity, to_json

DAY = date(2026, 4, 1)
ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "data" / "samples"
FORM = (SAMPLES / "cancellation.pdf").read_bytes()
ODD = str(ROOT / "support" / "odd_nursery.py")
SHORT = Patience(whole=1.5, page=1.0)


@pytest.fixture(scope="module")
def reader():
    with Reader() as opened:
        yield opened


def odd(name, patience=SHORT):
    """A reader with the real walls and other children in them."""
    return Reader(patience, program=(ODD, name))


@pytest.fixture(scope="module")
def stranger():
    """Its children do what the bytes they get name (support/odd_nursery.py)."""
    with odd("named+blank", Patience(whole=1.5, page=0.5, more_per_page=0.0)) as opened:
        yield opened


def lost(reader, data=FORM):
    with pytest.raises(ParseError) as caught:
        reader.read(data, received_on=DAY)
    assert caught.value.kind is ParseKind.TOO_COSTLY
    return str(caught.value)


# --- when all is well


@pytest.mark.parametrize("name", ["cancellation", "handover", "new_issue", "other_service", "truncated", "image_only"])
def test_a_confined_reading_is_the_reading(reader, name):
    """Nothing is lost or changed on the way, whether it is a reading or the reason why there is none."""
    data = (SAMPLES / f"{name}.pdf").read_bytes()
    assert outcome(partial(reader.read, data, pictures=False)) == outcome(partial(read, data))


def outcome(reading):
    try:
        return reading(received_on=DAY)
    except ParseError as error:
        return error.kind, error.page, str(error)


def test_seals_are_left_alone_when_asked(reader):
    assert reader.read(FORM, received_on=DAY, seal=False, pictures=False) == read(FORM, received_on=DAY, seal=False)


def test_crops_are_png_of_the_size_asked_for(reader):
    first, second = reader.crops(FORM, [(1, Box(72, 72, 144, 108)), (1, Box(0, 0, 36, 36))], dpi=144)
    with Image.open(io.BytesIO(first)) as one, Image.open(io.BytesIO(second)) as other:
        assert one.format == other.format == "PNG"
        assert abs(one.width - 144) <= 2
        assert abs(one.height - 72) <= 2
        assert abs(other.width - 72) <= 2
    page = reader.picture(FORM, 1, dpi=72)
    assert abs(page.width - 595) <= 2
    assert page.pixels.dtype == np.uint8


def test_a_page_that_is_not_there_is_an_error_of_the_file(reader):
    with pytest.raises(ParseError):
        reader.picture(FORM, 99)
    with pytest.raises(ParseError):
        reader.crops(b"no pdf", [(1, Box(0, 0, 9, 9))])


def test_every_file_has_a_child_of_its_own(reader):
    """Whoever takes over a reader by one file never sees the next applicant's."""
    seen = set()
    for _ in range(3):
        with reader._reading() as (child, _):
            seen.add(pid_of(child))
    assert len(seen) == 3
    assert not any(Path(f"/proc/{pid}").exists() for pid in seen)


def test_threads_wait_for_each_other(reader):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(reader.read(FORM, received_on=DAY, pictures=False)))
        for _ in range(3)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert found == [read(FORM, received_on=DAY)] * 3


def test_a_closed_reader_leaves_no_child_and_may_be_used_again():
    reader = Reader()
    lost_or_damaged(reader)
    nursery = reader._nursery._running[0].pid
    waiting = pid_of(reader._next)
    reader.close()
    reader.close()
    assert not Path(f"/proc/{nursery}").exists()
    assert not Path(f"/proc/{waiting}").exists()
    lost_or_damaged(reader)
    reader.close()


def lost_or_damaged(reader):
    with pytest.raises(ParseError):
        reader.read(b"%PDF-1.7", received_on=DAY)


def pid_of(child):
    told = Path(f"/proc/self/fdinfo/{child.handle}").read_text()
    return int(told.partition("Pid:")[2].split()[0])


# --- when the machine is in trouble


def test_a_nursery_that_was_killed_is_replaced_without_a_word():
    with Reader() as reader:
        expected = read(FORM, received_on=DAY)
        assert reader.read(FORM, received_on=DAY, pictures=False) == expected
        reader._nursery._running[0].kill()
        reader._nursery._running[0].wait()
        assert reader.read(FORM, received_on=DAY, pictures=False) == expected


def test_a_child_killed_while_it_waits_costs_no_document():
    with Reader() as reader:
        lost_or_damaged(reader)
        waiting = pid_of(reader._next)
        os.kill(waiting, signal.SIGKILL)
        assert gone([waiting])
        assert reader.read(FORM, received_on=DAY, pictures=False) == read(FORM, received_on=DAY)


def test_without_a_nursery_nothing_is_read_and_nothing_is_lost():
    """An OSError: the mail's attempt does not count, and it is read when the machine is well again."""
    with Reader(program=("-c", "raise SystemExit(1)")) as reader, pytest.raises(ReaderUnavailable):
        reader.read(FORM, received_on=DAY)
    with Reader(program=("-m", "no_such_module_anywhere")) as reader, pytest.raises(OSError, match="confined"):
        reader.read(FORM, received_on=DAY)


def test_children_that_never_get_ready_are_the_machines_fault():
    with odd("never-ready") as reader, pytest.raises(ReaderUnavailable):
        reader.read(FORM, received_on=DAY)


def test_the_nursery_takes_no_orders_but_ours():
    with Nursery(time.monotonic) as nursery, pytest.raises(ReaderUnavailable):
        nursery.hire("root")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_costs_no_document(number):
    """systemd signals every process of the unit; the service ends its children itself, after the mail in hand."""
    with Reader() as reader:
        lost_or_damaged(reader)
        os.kill(reader._nursery._running[0].pid, number)
        os.kill(pid_of(reader._next), number)
        assert reader.read(FORM, received_on=DAY, pictures=False) == read(FORM, received_on=DAY)


def test_a_service_that_is_killed_leaves_no_child_behind():
    """However it ends: the nursery ends with its socket, the children with the nursery."""
    script = (
        "import sys, time\n"
        "from datetime import date\n"
        "from daemon.reader import Reader\n"
        "from parsers.errors import ParseError\n"
        "reader = Reader()\n"
        "try:\n    reader.read(b'%PDF-1.7', received_on=date(2026, 4, 1))\n"
        "except ParseError:\n    pass\n"
        "told = open(f'/proc/self/fdinfo/{reader._next.handle}').read()\n"
        "print(reader._nursery._running[0].pid, told.partition('Pid:')[2].split()[0], flush=True)\n"
        "time.sleep(600)\n"
    )
    service = subprocess.Popen([sys.executable, "-P", "-c", script], stdout=subprocess.PIPE, text=True)
    with service:
        children = service.stdout.readline().split()
        assert len(children) == 2
        service.kill()
    assert gone(children), children


def gone(pids, within=20.0):
    ends = time.monotonic() + within
    while any(_lives(pid) for pid in pids):
        if time.monotonic() > ends:
            return False
        threading.Event().wait(0.05)
    return True


def _lives(pid):
    """A process that ended and that nobody has waited for yet lives no more; here they may fall to the test itself."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- when a child is slow, broken, or somebody else's


@pytest.mark.parametrize("name", ["hang", "burn", "drip", "ask-for-ever"])
def test_a_child_that_takes_too_long_costs_its_time_and_no_more(stranger, name):
    lost(stranger, b"die")  # so that everything runs before the clock does
    began = time.monotonic()
    lost(stranger, name.encode())
    assert 1.0 < time.monotonic() - began < 10


@pytest.mark.parametrize("name", ["eat", "die", "crash"])
def test_a_child_that_dies_or_eats_is_an_item_for_staff(stranger, name):
    lost(stranger, name.encode())
    lost(stranger, name.encode())


@pytest.mark.parametrize(
    "name",
    [
        "other-protocol",
        "huge-json",
        "huge-blob",
        "no-json",
        "deep-json",
        "not-utf-8",
        "no-object",
        "nan",
        "long-number",
        "other-kind",
        "unknown-key",
        "no-lists",
        "many-forms",
        "empty-form",
        "form-of-lists",
        "unknown-problem",
        "problem-of-page-zero",
        "unknown-refusal",
        "refusal-without-words",
    ],
)
def test_a_child_that_lies_is_not_believed(stranger, name):
    lost(stranger, name.encode())


@pytest.mark.parametrize("name", ["picture-of-other-size", "picture-huge", "picture-of-words", "other-kind"])
def test_a_picture_that_is_none_is_not_believed(stranger, name):
    with pytest.raises(ParseError) as caught:
        stranger.picture(name.encode(), 1)
    assert caught.value.kind is ParseKind.TOO_COSTLY


def test_a_fault_of_ours_is_told_by_its_line_and_not_by_its_words(stranger, caplog):
    said = lost(stranger, b"bug")
    assert "ZeroDivisionError" in said
    assert "a value of the form" not in said + caplog.text


@pytest.mark.parametrize("how", ["die", "hang", "other-protocol", "bug"])
def test_a_lost_recogniser_costs_the_page_and_not_the_mail(how):
    with odd(f"ask-once+{how}", Patience(whole=20.0, page=0.5)) as reader:
        found = reader.read(FORM, received_on=DAY)
        assert found == Reading((), (Problem("no_text_layer", PROBLEM_SENTENCES["no_text_layer"], 1),))
        assert reader._recogniser is None


@pytest.mark.parametrize("how", ["draft-and-hang", "draft-and-die", "draft-and-draft", "draft-and-refuse"])
def test_a_form_keeps_its_text_however_its_reader_is_lost_over_the_picture(how):
    with odd(f"{how}+blank") as reader:
        assert_text_alone(reader.read(FORM, received_on=DAY))


@pytest.mark.parametrize(("how", "patience"), [("die", Patience()), ("hang", Patience(page=0.3))])
def test_a_form_keeps_its_text_when_the_recogniser_is_lost_to_its_page(how, patience):
    with odd(f"real+{how}", patience) as reader:
        assert_text_alone(reader.read(FORM, received_on=DAY))


def test_a_form_keeps_its_text_when_looking_takes_all_the_time_of_the_file():
    with odd("real+hang", Patience(whole=4.0, page=60.0)) as reader:
        assert_text_alone(reader.read(FORM, received_on=DAY))


def assert_text_alone(found):
    """All that the text says, and a doubt that nobody has compared it with the picture."""
    (expected,), (form,) = read(FORM, received_on=DAY).applications, found.applications
    assert form.notes == (*expected.notes, "picture_unread")
    (told,) = set(form.findings) - set(expected.findings)
    assert (told.code, told.severity) == ("picture_unread", Severity.DOUBT)
    assert replace(form, notes=expected.notes, findings=expected.findings) == expected
    assert found.problems == ()


def test_a_draft_that_is_none_costs_the_document():
    with odd("draft-of-nonsense+blank") as reader:
        lost(reader)


def test_a_recogniser_is_kept_and_the_words_of_a_child_are_not(stranger):
    for _ in range(2):
        found = stranger.read(b"ask-once", received_on=DAY)
        assert found.problems == (Problem("blank_page", PROBLEM_SENTENCES["blank_page"], 1),)
        kept = stranger._recogniser
    assert stranger._recogniser is kept
    assert kept.is_alive()


def test_findings_are_made_by_the_rules_and_not_by_the_child():
    told = to_json(read(FORM, received_on=DAY))
    for each in told["applications"]:
        each["findings"] = [{"code": "x", "severity": "defect", "field": "seal", "message": "Pay at evil.example"}]
    found = answers.reading_from_child(Frame("reading", told), received_on=DAY)
    assert found == read(FORM, received_on=DAY)


# --- the wire


@pytest.fixture(scope="module")
def honest():
    return json.dumps(to_json(read(FORM, received_on=DAY)))


_ODD_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(), st.text(max_size=5), st.just([]), st.just({})
)


@settings(max_examples=200, deadline=None)
@given(choice=st.randoms(use_true_random=False), value=_ODD_VALUES, way=st.sampled_from(["replace", "remove", "add"]))
def test_one_odd_value_anywhere_is_refused_or_harmless(honest, choice, value, way):
    """Whatever comes through has the types that the rest of the program relies on."""
    told = json.loads(honest)
    place = told["applications"][0]
    while True:
        key = choice.choice(sorted(place) if isinstance(place, dict) else range(len(place)))
        if not place[key] or not isinstance(place[key], dict | list) or choice.random() < 0.2:
            break
        place = place[key]
    if way == "replace":
        place[key] = value
    elif way == "remove":
        del place[key]
    elif isinstance(place, dict):
        place["odd"] = value
    try:
        found = answers.reading_from_child(Frame("reading", told), received_on=DAY)
    except FrameError:
        return
    for form in found.applications:
        assert all(isinstance(field.value, str | None) and 0 <= field.confidence <= 1 for field in form.fields.values())
        assert all(isinstance(field.raw, str) for field in form.fields.values())
        assert all(ticked in (True, False, None) for ticked in form.confirmations.values())
        json.dumps(to_json(found), allow_nan=False)


def taken_from(data):
    stream = io.BytesIO(data)

    def take(count):
        got = bytearray(stream.read(count))
        if len(got) < count:
            raise EOFError
        return got

    return take


@given(st.binary(max_size=300))
def test_any_bytes_are_a_frame_or_an_error(data):
    for each in (data, b"LRA1" + data, b"LRA1" + (2).to_bytes(4) + (0).to_bytes(4) + data):
        try:
            unpack(taken_from(each))
        except (FrameError, EOFError):
            continue


@given(
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.integers(-(2**60), 2**60), st.text(max_size=9))),
    st.binary(max_size=50),
)
def test_a_frame_comes_out_as_it_went_in(kind, body, blob):
    frame = Frame(kind, body, blob)
    found = unpack(taken_from(pack(frame) + blob))
    assert (found.kind, found.body, bytes(found.blob)) == (kind, body, blob)


def test_a_frame_that_is_too_large_is_never_sent():
    with pytest.raises(FrameError):
        pack(Frame("x", {"a": "b" * 5_000_000}))


def test_a_picture_comes_out_as_it_went_in():
    picture = Picture(np.arange(60, dtype=np.uint8).reshape(4, 5, 3), 200.0)
    found = picture_of(picture_frame("x", picture, page=1))
    assert (found.pixels == picture.pixels).all()
    assert found.dpi == 200.0
    with Image.open(io.BytesIO(as_png(found))) as png:
        assert (np.asarray(png) == picture.pixels).all()


def test_a_refusal_comes_out_as_it_went_in_but_fit_for_a_log():
    error = refusal_of(refusal(ParseError(ParseKind.ENCRYPTED, "asks\nfor \x1b[31ma password" + "!" * 999, page=3)))
    assert (error.kind, error.page) == (ParseKind.ENCRYPTED, 3)
    assert str(error).startswith("asksfor [31ma password!")
    assert len(str(error)) <= 200


def test_a_lost_child_is_no_error_of_the_machine():
    assert not issubclass(ChildLost, OSError)
