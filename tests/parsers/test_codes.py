"""The code on a form: bytes and values there and back, symbols found in pictures, and code against print."""

import zlib
from dataclasses import replace
from datetime import date

import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config import forms, request_types
from config.request_types import RequestType
from daemon.form_code import drawn, signer
from daemon.keyring import public_half
from parsers import code_sheet, codes
from parsers.code_rules import CODE_RULES
from parsers.codes import CONFIRMATIONS, FIELDS, CodeContent, CodeError, CodeProblem, decode, encode, find_codes
from parsers.picture import Picture
from parsers.reading import Application, Box, FieldValue, Route, Seal, SealVerdict, Severity
from parsers.sheet import Entry, Sheet
from parsers.signatures import verifier
from parsers.subject import SURE, Subject

TABLE = request_types.load()
KEY, OTHER_KEY = b"\x07" * 32, b"\x08" * 32
SIGN, VERIFY = signer(KEY), verifier(public_half(KEY))
VALUES = {
    "request_type": "reissue",
    "applicant.company": "株式会社みなと商事",
    "user.company_ja": "株式会社みなと商事",
    "user.name_ja": "𠮷田 髙志",
    "user.name_en": "Takashi YOSHIDA",
    "user.email": "t-yoshida_l1@minato-shoji.example",
    "application_date": "2024-07-01",
    "remarks": "至急\nお願いします",
    "content_correct": True,
    "webec_terms": False,
}

texts = st.text(st.characters(codec=None), max_size=30)
some_values = st.fixed_dictionaries(
    {},
    optional={
        "request_type": st.sampled_from([*RequestType]).map(str),
        **dict.fromkeys(FIELDS, texts),
        **dict.fromkeys(CONFIRMATIONS, st.booleans() | st.none()),
    },
)


def test_the_layout_has_a_place_for_every_row_of_the_table():
    assert {row.key for row in TABLE.fields()} == set(FIELDS)
    assert len(FIELDS) == len(set(FIELDS))
    assert {row.key for row in TABLE.confirmations} == set(CONFIRMATIONS)


@given(values=some_values, version=st.sampled_from(["2024-07", "2021-04"]), signed=st.booleans())
@example(values={"remarks": "\x1b\x1f\x1bs\x1be\ud800"}, version="2024-07", signed=True)
@settings(max_examples=60, deadline=None)
def test_any_values_come_back_as_they_were(values, version, signed):
    content = decode(encode(values, version, sign=SIGN if signed else None), verify=VERIFY)
    assert content.form_version == version
    assert content.request_type == values.get("request_type")
    assert dict(content.values) == {key: values.get(key, "") for key in FIELDS}
    assert dict(content.ticks) == {key: values.get(key) for key in CONFIRMATIONS}
    assert (content.signed, content.valid) == (signed, True if signed else None)


@given(st.binary(max_size=400), st.sampled_from([b"", b"WF", codes.MAGIC + b"\0", codes.MAGIC + b"\1"]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_content_or_a_code_error(data, head):
    try:
        content = decode(head + data, verify=VERIFY)
    except CodeError as error:
        assert isinstance(error.kind, CodeProblem)  # noqa: PT017 - both ends are in order
    else:
        assert isinstance(content, CodeContent)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_signed_code_that_was_touched_is_never_valid(data):
    payload = encode(VALUES, "2024-07", sign=SIGN)
    at = data.draw(st.integers(0, len(payload) - 1))
    bit = data.draw(st.integers(0, 7))
    touched = payload[:at] + bytes([payload[at] ^ 1 << bit]) + payload[at + 1 :]
    try:
        content = decode(touched, verify=VERIFY)
    except CodeError:
        return
    assert content.valid is not True


def test_a_signature_of_another_key_is_told_and_one_without_a_key_is_not_judged():
    payload = encode(VALUES, "2024-07", sign=signer(OTHER_KEY))
    assert (decode(payload, verify=VERIFY).signed, decode(payload, verify=VERIFY).valid) == (True, False)
    assert (decode(payload, verify=None).signed, decode(payload, verify=None).valid) == (True, None)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b"https://example.com/", CodeProblem.FOREIGN),
        (b"", CodeProblem.FOREIGN),
        (b"WF\x02\x00abc", CodeProblem.DAMAGED),
        (b"WF\x01\x02abc", CodeProblem.DAMAGED),
        (b"WF\x01\x01" + b"x" * 20, CodeProblem.DAMAGED),
        (b"WF\x01\x00" + b"x" * 5000, CodeProblem.TOO_LARGE),
    ],
)
def test_what_is_no_code_of_ours_is_told_by_kind(payload, kind):
    with pytest.raises(CodeError) as caught:
        decode(payload, verify=None)
    assert caught.value.kind is kind


def test_a_bomb_costs_no_more_than_the_largest_form():
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = codes.MAGIC + b"\0" + packer.compress(b"a" * 2_000_000) + packer.flush()
    assert len(bomb) < 2331
    with pytest.raises(CodeError):
        decode(bomb, verify=None)


def test_values_too_long_for_a_code_and_unknown_keys_are_refused():
    noise = np.random.default_rng(1).integers(0x4E00, 0x9000, 4000)
    with pytest.raises(CodeError) as caught:
        encode({"remarks": "".join(map(chr, noise))}, "2024-07", sign=None)
    assert caught.value.kind is CodeProblem.TOO_LARGE
    with pytest.raises(ValueError, match=r"user\.nickname"):
        encode({"user.nickname": "x"}, "2024-07", sign=None)
    with pytest.raises(ValueError, match=r"user\.name_ja"):
        encode({"user.name_ja": True}, "2024-07", sign=None)


# --- pictures


def page(payload, dpi, *, module_mm=0.4, grey=255):
    """An A4 page of some text-like lines with the symbol in its lower right, and the place of the symbol in points."""
    modules = np.array(drawn(payload))
    pixels = max(1, round(module_mm / 25.4 * dpi))
    symbol = np.where(np.kron(modules, np.ones((pixels, pixels), dtype=bool)), 0, grey).astype(np.uint8)
    sheet = np.full((round(11.69 * dpi), round(8.27 * dpi)), grey, dtype=np.uint8)
    for top in range(dpi, 7 * dpi, dpi // 4):
        cv2.putText(sheet, "WebEC application 0123456789", (dpi // 2, top), cv2.FONT_HERSHEY_SIMPLEX, dpi / 250, 40, 2)
    side = len(symbol)
    top, left = sheet.shape[0] - side - dpi, sheet.shape[1] - side - dpi
    sheet[top : top + side, left : left + side] = symbol
    box = Box(*(edge * 72 / dpi for edge in (left, top, left + side, top + side)))
    return cv2.cvtColor(sheet, cv2.COLOR_GRAY2RGB), box


def worn(picture, seed, *, angle=1.5, blur=0.6, noise=6, quality=70):
    """What a scanner makes of it: turned a little, blurred, noisy, packed as JPEG."""
    chance = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), chance.uniform(-angle, angle), 1)
    bent = cv2.warpAffine(picture, turn, (width, height), borderValue=(255, 255, 255))
    soft = cv2.GaussianBlur(bent, (0, 0), blur).astype(np.int16) + chance.integers(-noise, noise + 1, picture.shape)
    _, packed = cv2.imencode(".jpg", soft.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(packed, cv2.IMREAD_COLOR)


@pytest.mark.parametrize("turns", [1, 2])
@pytest.mark.parametrize(("dpi", "blur", "quality"), [(200, 0.45, 85), (200, 0.9, 50), (300, 0.9, 50)])
def test_a_code_is_read_from_worn_and_turned_scans(dpi, blur, quality, turns):
    payload = encode(VALUES, "2024-07", sign=SIGN)
    sheet, _ = page(payload, dpi)
    scan = np.ascontiguousarray(np.rot90(worn(sheet, turns, blur=blur, quality=quality), turns))
    ((found, _),) = find_codes(Picture(scan, float(dpi)))
    assert found == payload
    assert decode(found, verify=VERIFY).valid


@pytest.mark.parametrize("dpi", [200, 300])
def test_the_place_of_a_code_is_told_in_points(dpi):
    sheet, box = page(encode(VALUES, "2024-07", sign=None), dpi)
    ((_, found),) = find_codes(Picture(sheet, float(dpi)))
    assert found == pytest.approx(box, abs=2)


def test_a_code_that_the_first_look_cannot_read_is_read_at_a_second_one():
    payload = encode(VALUES, "2024-07", sign=SIGN)
    sheet, _ = page(payload, 200)
    blurred = worn(sheet, 3, blur=1.5)
    grey = cv2.cvtColor(blurred, cv2.COLOR_RGB2GRAY)
    assert not zxingcpp.read_barcodes(grey)
    assert [found for found, _ in find_codes(Picture(blurred, 200.0))] == [payload]


def test_a_page_without_a_code_gives_none_and_odd_pictures_too():
    sheet, _ = page(encode(VALUES, "2024-07", sign=None), 150)
    assert find_codes(Picture(sheet[: sheet.shape[0] // 2], 150.0)) == []
    for shape in ((1, 1, 3), (40, 3, 3), (3, 5000, 3)):
        assert find_codes(Picture(np.zeros(shape, dtype=np.uint8), 200.0)) == []


def test_two_forms_on_one_page_give_two_codes():
    upper, lower = encode(VALUES, "2024-07", sign=SIGN), encode(VALUES | {"user.name_ja": "別人"}, "2024-07", sign=SIGN)
    both = np.vstack([page(upper, 150)[0], page(lower, 150)[0]])
    assert [payload for payload, _ in find_codes(Picture(both, 150.0))] == [upper, lower]


# --- code and print

SEAL = Seal(SealVerdict.PRESENT, 1.0, 1)
BOX = Box(1, 2, 3, 4)
PRINT = {
    "applicant.company": "株式会社みなと商事",
    "user.company_ja": "株式会社みなと商事",
    "user.name_ja": "𠮷田 髙志",
    "user.name_en": "Takashi YOSHIDA",
    "user.email": "t-yoshida_l1@minato-shoji.example",
    "application_date": "2024年7月1日",
    "remarks": "至急お願いします",
}


def printed(route=Route.SCAN, *, confidence=0.7, kind="再発行", ticks=None, **changes):
    raws = dict.fromkeys(FIELDS, "") | PRINT | {key.replace("__", "."): raw for key, raw in changes.items()}
    entries = {key: Entry(raw, confidence, BOX) for key, raw in raws.items() if raw is not None}
    ticks = {"content_correct": True, "webec_terms": False} | (ticks or {})
    return Sheet("2024-07", route, (1,), Entry(kind, confidence, BOX), entries, ticks, SEAL)


def merged(sheet, *, sign=SIGN, verify=VERIFY, values=VALUES, version="2024-07"):
    return code_sheet.merge(decode(encode(values, version, sign=sign), verify=verify), sheet)


@pytest.mark.parametrize("route", [Route.SCAN, Route.TEXT])
@pytest.mark.parametrize("sign", [SIGN, None])
def test_where_code_and_print_agree_every_field_is_sure_and_keeps_its_place(route, sign):
    sheet = merged(printed(route), sign=sign)
    assert sheet.route is Route.CODE
    assert {entry.confidence for entry in sheet.entries.values()} == {1.0}
    assert {entry.box for entry in sheet.entries.values()} == {BOX}
    assert sheet.entries["user.name_ja"].raw == "𠮷田 髙志"
    assert sheet.kind.raw == "再発行"
    assert sheet.seal is SEAL
    assert sheet.notes == (() if sign else ("code_unsigned",))


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("user.name_ja", "吉田 高志"),  # variants
        ("user.name_ja", "𠮷 田髙志"),
        ("remarks", "至急お顧いします"),  # one character wrong, and the recogniser was not sure
        ("application_date", "2024/07/01"),
        ("user.email", "ｔ－ｙｏｓｈｉｄａ＿ｌ１＠ｍｉｎａｔｏ－ｓｈｏｊｉ．ｅｘａｍｐｌｅ"),
    ],
)
def test_what_a_recogniser_may_mistake_is_no_difference(key, raw):
    entry = merged(printed(**{key.replace(".", "__"): raw})).entries[key]
    assert (entry.raw, entry.confidence, entry.doubts) == (VALUES[key], 1.0, ())


@pytest.mark.parametrize(
    ("key", "raw", "confidence"),
    [
        ("user.email", "t-yoshida_11@minato-shoji.example", 0.99),  # a mail address is never a guess
        ("remarks", "至急お顧いします", 0.99),  # the recogniser was sure
        ("user.name_en", "", 0.99),  # erased after printing
        ("applicant.title", "社長", 0.99),  # written in after printing
    ],
)
def test_a_difference_is_a_doubt_that_shows_the_print(key, raw, confidence):
    sheet = merged(printed(confidence=confidence, **{key.replace(".", "__"): raw}))
    entry = sheet.entries[key]
    assert entry.confidence < SURE
    assert entry.doubts == ("code_differs",)
    assert entry.raw == (raw or VALUES[key])
    assert all(other.confidence == 1.0 for name, other in sheet.entries.items() if name != key)


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("user.email", "t-yoshida_11@minato-shoji.example"),
        ("user.name_ja", "山田 花子"),
        ("application_date", "2024年7月11日"),
    ],
)
def test_print_that_could_hardly_be_read_yields_to_the_code_and_stays_a_doubt(key, raw):
    entry = merged(printed(confidence=0.5, **{key.replace(".", "__"): raw})).entries[key]
    assert entry.confidence < SURE
    assert entry.doubts == ("code_differs",)
    assert entry.raw == VALUES[key]


def test_a_field_whose_cell_was_not_found_is_not_sure():
    entry = merged(printed(user__name_ja=None)).entries["user.name_ja"]
    assert (entry.raw, entry.doubts) == ("𠮷田 髙志", ("code_unseen",))
    assert entry.confidence < SURE
    assert "applicant.title" not in merged(printed(applicant__title=None)).entries


def test_another_type_or_tick_or_form_is_told():
    other_type = merged(printed(kind="解約・失効"))
    assert other_type.kind.raw == "解約・失効"
    assert other_type.kind.confidence < SURE
    assert "code_differs_type" in other_type.notes
    unreadable = merged(printed(kind=""))
    assert (unreadable.kind.raw, unreadable.kind.doubts) == ("再発行", ("code_unseen",))
    other_tick = merged(printed(ticks={"webec_terms": True}))
    assert other_tick.ticks["webec_terms"] is None
    assert "code_differs_ticks" in other_tick.notes
    assert merged(printed(ticks={"content_correct": None})).ticks["content_correct"] is True
    assert "code_differs_form" in merged(printed(), version="2021-04").notes
    assert merged(printed(kind=""), values={}).kind.raw == ""


def test_a_code_with_a_wrong_signature_changes_nothing_but_a_note():
    sheet = printed(user__name_ja="別人")
    assert merged(sheet, sign=signer(OTHER_KEY)) == replace(sheet, notes=("code_invalid",))


def findings_of(sheet):
    """The findings of the code's rules on an application made of the sheet."""
    keys = forms.newest().field_keys(TABLE)
    fields = {key: FieldValue(None, "") for key in keys} | {
        key: FieldValue(entry.raw or None, entry.raw, entry.confidence, doubts=entry.doubts)
        for key, entry in sheet.entries.items()
    }
    application = Application(
        RequestType.REISSUE, sheet.version, sheet.route, (1,), fields, sheet.ticks, SEAL, notes=sheet.notes
    )
    subject = Subject(application, TABLE, date(2024, 7, 2))
    return {(each.code, each.severity, each.field) for rule in CODE_RULES for each in rule(subject)}


def test_differences_become_doubts_for_staff_and_a_missing_signature_a_note():
    assert findings_of(merged(printed())) == set()
    assert findings_of(merged(printed(), sign=None)) == {("code_unsigned", Severity.NOTE, "code")}
    assert findings_of(merged(printed(), sign=signer(OTHER_KEY))) == {("code_invalid", Severity.DOUBT, "code")}
    changed = printed(kind="解約・失効", user__email="x@y.example", ticks={"webec_terms": True})
    assert findings_of(merged(changed)) == {
        ("code_differs", Severity.DOUBT, "request_type"),
        ("code_differs", Severity.DOUBT, "user.email"),
        ("code_differs", Severity.DOUBT, "webec_terms"),
        # Neither side says anything about these boxes, so nobody can tell which of them was meant.
        *(("code_differs", Severity.DOUBT, key) for key, ticked in merged(changed).ticks.items() if ticked is None),
    }
