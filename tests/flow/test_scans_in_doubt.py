"""A scan from its mail to the staff: doubts first, pictures beside them, nothing decided by a reading that is not sure."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from daemon import cases, schema
from daemon.assessment import SEAL_USES, assess
from daemon.demo.stage import APPROVERS
from daemon.demo.story import AOZORA, MINATO
from daemon.store import every
from parsers.reading import Application, FieldValue, SealVerdict
from support.applications import (
    HANAKO,
    NAKAMURA,
    TAKERU,
    application,
    case_of,
    deliver,
    enrol,
    flat,
)
from support.scanned import scanned

FIRST, SECOND = APPROVERS
PAPER = (Path(__file__).parents[1] / "data" / "samples" / "reissue.pdf").read_bytes()


def codes(stage, number) -> set[str]:
    with stage.centre.store.transaction() as tx:
        found = assess(tx, stage.centre, cases.find(tx, number), now=stage.clock())
    return {finding.code for finding in found.findings}


def test_a_scan_is_asked_about_like_any_application_with_its_doubts_first_and_its_pictures(stage):
    enrol(stage)
    (number,) = deliver(stage, scanned(application("cancellation"), user__name_ja=("written_over",)), document=PAPER)
    assert case_of(stage, number).state == "awaiting_decision"
    request = stage.requests()[FIRST]
    text = flat(request.text)
    assert text.index("印影や書き込みが文字に重なっています") < text.index("■申請書の内容")
    names = [attachment.name for attachment in request.attachments]
    assert names == [
        "request-type.png",
        "mail-address-applicant.png",
        "name-ja-user.png",
        "mail-address-user.png",
        "seal.png",
        "page-1.jpg",
        f"{number}.pdf",
    ]
    assert all(attachment.data for attachment in request.attachments)


def test_a_form_that_cannot_be_cut_is_asked_about_all_the_same(stage):
    enrol(stage)
    deliver(stage, scanned(application("cancellation")))  # its document is none that could be drawn
    request = stage.requests()[FIRST]
    assert "作成できませんでした" in flat(request.text)
    assert [attachment.content_type for attachment in request.attachments] == ["application/pdf"]


def test_a_form_of_nothing_but_doubts_goes_to_staff_and_never_back_to_the_applicant(stage):
    incomplete = application("new_issue", user__name_en="山田 花子", applicant__phone="03")  # a defect, were it sure
    (number,) = deliver(stage, scanned(incomplete, everything=("handwriting",)))
    assert case_of(stage, number).state == "awaiting_decision"
    assert "不備" not in "".join(letter.subject for letter in stage.letters(AOZORA))
    assert "手書きと思われます" in flat(stage.requests()[FIRST].text)


@pytest.mark.parametrize("beside", [False, True])
def test_a_picture_that_gave_neither_type_nor_person_is_held_or_shown(stage, beside):
    form = scanned(application(None, judged=False))
    kept = ("applicant.company",)
    fields = {key: value if key in kept else FieldValue(None, "", 0.3, 1) for key, value in form.fields.items()}
    numbers = deliver(stage, replace(form, fields=fields), *([application("new_issue")] if beside else []))
    assert [case_of(stage, number).state for number in numbers] == ["awaiting_decision" if beside else "held"]
    assert "ほとんど読み取れない" in "".join(flat(letter.text) for letter in stage.letters(FIRST))


def test_a_misread_address_changes_nothing_and_shows_the_registration_that_may_be_meant(stage):
    enrol(stage)
    misread = replace(HANAKO, email="hanako.yamaba@aozora-denki.example")
    (number,) = deliver(stage, scanned(application("cancellation", misread)))
    assert codes(stage, number) >= {"register_near", "no_registration"}
    text = flat(stage.requests()[FIRST].text)
    assert "登録されている値とわずかに異なります" in text
    assert HANAKO.email in text, "the nearest registration is shown"
    with stage.centre.store.transaction() as tx:
        assert cases.application(tx, cases.find(tx, number)).value("user.email") == misread.email


def test_what_the_register_confirms_needs_no_look(stage):
    enrol(stage)
    (number,) = deliver(stage, scanned(application("cancellation"), user__email=("second_opinion",)))
    assert "register_near" not in codes(stage, number)
    assert "読み取りに確信のない項目" not in stage.requests()[FIRST].text


def test_an_address_that_staff_have_typed_from_the_picture_is_in_doubt_no_more(stage):
    (number,) = deliver(stage, scanned(application("new_issue"), user__email=("look_alike",)))
    request = stage.requests()[FIRST]
    assert "要照合" in request.text
    stage.decide(FIRST, request, f"修正 利用者 メールアドレス={HANAKO.email}")
    stage.work()
    assert case_of(stage, number).version == 2
    assert "要照合" not in stage.requests()[FIRST].text


# --- one picture of a seal on many forms ---


def sealed(form: Application, mark: str) -> Application:
    return replace(form, seal=replace(form.seal, verdict=SealVerdict.PRESENT, fingerprint=mark))


def test_the_same_digital_seal_on_a_form_of_another_company_is_noted(stage):
    deliver(stage, sealed(application("new_issue"), "image:aa"))
    (number,) = deliver(stage, sealed(application("new_issue", TAKERU, applicant=NAKAMURA), "image:aa"), sender=MINATO)
    assert "seal_repeated" in codes(stage, number)
    (other,) = deliver(stage, sealed(application("new_issue", TAKERU, applicant=NAKAMURA), "image:bb"), sender=MINATO)
    assert "seal_repeated" not in codes(stage, other)


def test_one_companys_own_digital_seal_is_noted_after_several_forms_and_no_earlier_case_changes(stage):
    people = [
        replace(HANAKO, name_ja=f"山田 花{count}", email=f"h{count}@aozora-denki.example") for count in "一二三四五"
    ]
    numbers = [deliver(stage, sealed(application("new_issue", person), "image:aa"))[0] for person in people]
    noted = ["seal_repeated" in codes(stage, number) for number in numbers]
    assert noted == [False] * SEAL_USES + [True] * (len(people) - SEAL_USES)


def test_scans_of_a_stamp_are_not_compared(stage):
    for person in (HANAKO, TAKERU):
        (number,) = deliver(stage, sealed(application("new_issue", person), "shape:1234"))
    assert "seal_repeated" not in codes(stage, number)
    with stage.centre.store.transaction() as tx:
        assert {row["seal_image"] for row in every(tx, select(schema.applications))} == {""}
