"""What an approval would do: every kind of plan, every reason why there is none, every reason for a second approver."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import approval_rules
from config.request_types import RequestType
from daemon import planning
from daemon.matching import Match
from daemon.planning import TaskKind, end_of_day
from parsers.reading import FieldValue, Finding, SealVerdict, Severity
from support.applications import (
    HANAKO,
    HANAKO_MARRIED,
    ICHIRO,
    TABLE,
    TODAY,
    application,
    certificate,
    facts,
    registration,
)
from support.scanned import scanned

REGISTERED = registration()
FOUR_EYES = approval_rules.load().findings
FOUND = {"match": Match((REGISTERED,), ()), "target": REGISTERED, "live": (certificate("0A1B"), certificate("0A1C"))}
AFTER = {"handover": ICHIRO, "registration_change": HANAKO_MARRIED}
WITH_TARGET = ("reissue", "registration_change", "handover", "cancellation")


def plan(kind, *, form=None, findings=(), **known):
    form = form or application(kind, HANAKO, AFTER.get(kind))
    known = (FOUND if kind in WITH_TARGET else {}) | known
    return planning.make(form, facts(**known), form.findings + tuple(findings), TABLE)


def tasks(made):
    return [(task.kind.value, task.registration_id, task.serials, task.wished) for task in made.tasks]


def test_a_new_issue_only_issues_to_a_registration_still_to_be_made():
    made = plan("new_issue")
    assert tasks(made) == [("issue", None, (), None)]
    assert made.tasks[0].detail["email"] == HANAKO.email
    assert made.sentences == (
        "発行：Hanako YAMADA（山田 花子）の証明書を発行し、hanako.yamada@aozora-denki.example へ送付します。",
    )
    assert made.quorum == 1


def test_a_reissue_issues_to_the_same_registration_and_revokes_exactly_the_certificates_shown():
    made = plan("reissue")
    assert tasks(made) == [("issue", 1, (), None), ("revoke", 1, ("0A1B", "0A1C"), None)]
    assert [sentence for sentence in made.sentences if "0A1B" in sentence and "承認後ただちに" in sentence]
    assert not [sentence for sentence in made.sentences if "終了" in sentence]


@pytest.mark.parametrize("wished", [None, date(2026, 4, 20)])
def test_a_reissue_where_nothing_is_live_revokes_nothing_and_so_never_the_new_one(wished):
    assert tasks(plan("reissue", form=application("reissue", wished=wished), live=())) == [("issue", 1, (), None)]


def test_a_reissue_carries_what_is_registered_and_not_what_stands_on_the_form():
    married = registration(1, HANAKO_MARRIED)
    made = plan("reissue", target=married)
    assert made.tasks[0].detail["name_en"] == "Hanako TAKAHASHI"


def test_a_change_of_registration_neither_issues_nor_revokes():
    made = plan("registration_change")
    assert tasks(made) == [("change", 1, (), None)]
    assert made.tasks[0].detail["name_ja"] == "髙橋 花子"
    assert "次回の発行分から" in made.sentences[0]


def test_a_handover_issues_to_the_successor_and_ends_the_predecessor():
    made = plan("handover")
    assert tasks(made) == [("issue", None, (), None), ("revoke", 1, (), None), ("close", 1, (), None)]
    assert made.tasks[0].detail["email"] == ICHIRO.email
    assert (made.quorum, made.quorum_reasons) == (2, ("担当変更",))


def test_a_cancellation_revokes_whatever_is_live_then_and_ends_the_registration():
    made = plan("cancellation")
    assert tasks(made) == [("revoke", 1, (), None), ("close", 1, (), None)]
    assert made.tasks[0].detail == {"reason": "affiliation_changed"}


def test_without_a_living_certificate_the_plan_says_so():
    assert "失効：現在有効な証明書はありません。" in plan("cancellation", live=()).sentences


@pytest.mark.parametrize("kind", ["reissue", "handover", "cancellation"])
def test_a_wished_date_dates_the_revocation_and_never_the_certificate(kind):
    wished = date(2026, 4, 20)
    made = plan(kind, form=application(kind, HANAKO, AFTER.get(kind), wished=wished))
    assert {task.wished for task in made.tasks if task.kind in (TaskKind.REVOKE, TaskKind.CLOSE)} == {wished}
    assert {task.wished for task in made.tasks if task.kind is TaskKind.ISSUE} <= {None}
    assert any("2026-04-20 の終わり（日本時間24時）に" in sentence for sentence in made.sentences)


@pytest.mark.parametrize("kind", ["new_issue", "registration_change"])
def test_a_wished_date_in_a_grey_cell_is_not_obeyed(kind):
    form = application(kind, HANAKO, AFTER.get(kind), wished=date(2026, 4, 20))
    assert {task.wished for task in plan(kind, form=form).tasks} == {None}


@given(st.dates(min_value=date(2000, 1, 1), max_value=date(2200, 1, 1)))
def test_the_end_of_a_day_is_midnight_in_japan(day):
    end = end_of_day(day)
    assert end == datetime(day.year, day.month, day.day, 15, tzinfo=UTC)
    assert end.astimezone(planning.JST).date() > day
    assert datetime.fromtimestamp(end.timestamp() - 1, planning.JST).date() == day


@pytest.mark.parametrize(
    ("kind", "known", "word"),
    [
        (None, {}, "申請種別が確定していません"),
        ("new_issue", {"match": Match((REGISTERED,), ())}, "種別変更 再発行"),
        ("reissue", {"match": Match((), ()), "target": None}, "該当する登録がありません"),
        ("reissue", {"match": Match((), (REGISTERED,)), "target": None}, "対象 番号"),
        ("handover", {"match": Match((REGISTERED, registration(2)), ()), "target": None}, "対象 番号"),
    ],
)
def test_what_cannot_be_approved_says_what_helps(kind, known, word):
    made = plan(kind, **known)
    assert made.tasks == ()
    assert word in made.blocked[0]


def test_nothing_defective_is_approved():
    form = application("new_issue", user__email=None, seal=SealVerdict.ABSENT)
    made = plan("new_issue", form=form)
    assert made.tasks == ()
    assert "利用者 メールアドレス" in made.blocked[0]
    assert "申請社印" in made.blocked[0]


@pytest.mark.parametrize(
    ("kind", "remarks", "reason"),
    [
        ("reissue", "PCの盗難のため", "key_compromise"),
        ("reissue", "USBメモリを紛失", "key_compromise"),
        ("reissue", "秘密鍵の漏洩のおそれ", "key_compromise"),
        ("reissue", "ブラウザの再設定", "superseded"),
        ("reissue", None, "superseded"),
        ("cancellation", None, "affiliation_changed"),
        ("cancellation", "EDI利用終了のため", "cessation_of_operation"),
        ("handover", None, "affiliation_changed"),
    ],
)
def test_the_reason_of_a_revocation_follows_from_what_the_form_tells(kind, remarks, reason):
    form = application(kind, HANAKO, AFTER.get(kind), remarks=remarks)
    (revocation,) = [task for task in plan(kind, form=form).tasks if task.kind is TaskKind.REVOKE]
    assert revocation.detail == {"reason": reason}


@pytest.mark.parametrize("code", FOUR_EYES)
def test_two_approvers_for_each_of_the_risky_findings(code):
    made = plan("new_issue", findings=[Finding(code, Severity.NOTE, "user", "…")])
    assert (made.quorum, made.quorum_reasons) == (2, (FOUR_EYES[code],))


def test_two_approvers_to_pass_over_a_warning():
    made = plan("new_issue", form=application("new_issue", applied=None))
    assert (made.quorum, made.quorum_reasons) == (2, ("警告のある申請",))


@pytest.mark.parametrize("severity", [Severity.NOTE, Severity.DOUBT])
def test_one_approver_is_enough_for_what_is_only_to_be_seen(severity):
    assert plan("new_issue", findings=[Finding("applicant_not_sender", severity, "user", "…")]).quorum == 1


def test_reasons_are_told_once_each():
    warned = [Finding(code, Severity.WARNING, "user", "…") for code in ("a", "b", "mail_domain_new", "mail_domain_new")]
    assert plan("new_issue", findings=warned).quorum_reasons == (FOUR_EYES["mail_domain_new"], "警告のある申請")


@given(
    st.sampled_from(RequestType),
    st.none() | st.dates(TODAY, date(2026, 5, 1)),
    st.booleans(),
    st.lists(st.sampled_from(["0A1B", "0A1C", "0A1D"]), unique=True),
)
def test_a_plan_revokes_only_what_it_found_and_never_without_its_type_saying_so(kind, wished, known, serials):
    form = application(kind, HANAKO, AFTER.get(kind.value), wished=wished)
    target = REGISTERED if known else None
    made = planning.make(form, facts(target=target, live=tuple(map(certificate, serials))), form.findings, TABLE)
    revocations = [task for task in made.tasks if task.kind is TaskKind.REVOKE]
    anything = bool(serials) or kind is not RequestType.REISSUE
    assert bool(revocations) == (TABLE.types[kind].revokes and known and anything)
    assert all(task.registration_id == REGISTERED.id and set(task.serials) <= set(serials) for task in revocations)
    assert bool(made.tasks) != bool(made.blocked)


def test_a_task_is_recorded_whole():
    (issue, revoke) = plan("reissue", form=application("reissue", wished=date(2026, 4, 20))).tasks
    assert issue.to_json()["detail"]["name_ja"] == "山田 花子"
    assert revoke.to_json() == {
        "kind": "revoke",
        "registration_id": 1,
        "serials": ["0A1B", "0A1C"],
        "wished": "2026-04-20",
        "detail": {"reason": "superseded"},
    }


# --- what was read from a picture ---


@pytest.mark.parametrize("kind", ["new_issue", "handover", "registration_change"])
@pytest.mark.parametrize("name", ["email", "name_en", "company_ja"])
def test_nothing_is_issued_or_registered_with_data_that_nobody_could_read(kind, name):
    key = f"{TABLE.types[RequestType(kind)].gives}.{name}"
    form = scanned(application(kind, HANAKO, AFTER.get(kind), judged=False))
    unread = FieldValue(None, "hanako@", 0.3, 1)
    made = plan(kind, form=replace(form, fields={**form.fields, key: unread}))
    assert made.tasks == ()
    assert TABLE.label(key) in made.blocked[0]
    assert "修正" in made.blocked[0]


def test_a_reissue_takes_the_registered_data_whatever_could_not_be_read():
    form = scanned(application("reissue", judged=False))
    form = replace(form, fields={**form.fields, "user.email": FieldValue(None, "hanako@", 0.3, 1)})
    assert plan("reissue", form=form).tasks[0].detail["email"] == HANAKO.email


@pytest.mark.parametrize("kind", ["reissue", "handover", "cancellation"])
@pytest.mark.parametrize("raw", ["2O26/B/31", ""])
def test_a_wished_date_that_could_not_be_read_is_not_taken_for_none(kind, raw):
    """None given would revoke at once, and that cannot be undone."""
    form = scanned(application(kind, HANAKO, AFTER.get(kind), judged=False))
    form = replace(form, fields={**form.fields, "wished_revocation_date": FieldValue(None, raw, 0.4, 1)})
    made = plan(kind, form=form)
    assert made.tasks == ()
    assert "失効日" in made.blocked[0]


def test_an_unreadable_wished_date_stands_in_nobodys_way_where_the_type_has_none():
    form = scanned(application("new_issue", judged=False))
    form = replace(form, fields={**form.fields, "wished_revocation_date": FieldValue(None, "x", 0.4, 1)})
    assert not plan("new_issue", form=form).blocked


@pytest.mark.parametrize("kind", ["new_issue", "handover", "registration_change"])
def test_the_plan_says_which_data_were_read_with_doubt(kind):
    gives = TABLE.types[RequestType(kind)].gives
    form = application(kind, HANAKO, AFTER.get(kind), judged=False)
    (said,) = [
        line
        for line in plan(kind, form=scanned(form, **{f"{gives}__email": ("look_alike",)})).sentences
        if line.startswith("要照合")
    ]
    assert TABLE.label(f"{gives}.email") in said
    assert not [line for line in plan(kind, form=scanned(form)).sentences if line.startswith("要照合")]
