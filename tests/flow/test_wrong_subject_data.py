"""Data that cannot stand in a certificate are a finding before the CA is asked, and never a half-made certificate."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ca import register
from ca.names import Subject, problems
from daemon import audit, cases, importing, registrations
from daemon.case import CaseKind, State
from daemon.demo.stage import APPROVERS
from daemon.importing import ImportRefused
from daemon.planning import Task, TaskKind
from parsers import normalise, rules
from parsers.reading import FieldValue, Severity
from support.applications import HANAKO, ICHIRO, TABLE, TODAY, application, case_of, deliver, enrol, flat
from support.centres import START

WRONG = {
    "company_en": ("x" * 65, "あおぞら電機", "Aozora\u3000電機 Co.", "Café de Paris", "", "   ", "N/A", "---", "A*B"),
    "name_en": ("T" * 65, "山田", "Ta\u0301ro YAMADA", "", " \t ", "NA", "...", "Taro_YAMADA", "Tarо YAMADA"),
    "email": (
        *("taro", "たろう@aozora-denki.example", "taro@青空.example", "", "taro@@aozora-denki.example"),
        *(f"{'l' * 65}@aozora-denki.example", f"a@{'d' * 63}.{'d' * 63}.{'d' * 63}.{'d' * 63}.example", "a@b"),
        *("taro@aozora-denki.example,hanako@aozora-denki.example", '"ta ro"@aozora-denki.example', "taro@[192.0.2.1]"),
    ),
}
# What nobody sees on paper: it is taken away before anybody decides, and so it is not in the certificate either.
HIDDEN = {
    "company_en": (
        "  Aozora Electric Co., Ltd. ",
        "Aozora  Electric\u3000Co., Ltd.",
        "Aozora\u200b Electric Co., Ltd.\ufeff",
    ),
    "name_en": (
        "\u202eIchiro SUZUKI\u202c",
        "Ichiro\u2060 SUZUKI",
        "Ichiro\x07 SUZUKI\x00",
        " Ichiro SUZUKI\r\n",
        "Ｉchiro　SUZUKI",
    ),
    "email": (" ichiro.suzuki@aozora-denki.example\t", "\u200fichiro.suzuki@aozora-denki.example\u200b"),
}


def read(**raw):
    """An application for Suzuki Ichiro as it is read from a form on which these stand."""
    made = application("new_issue", ICHIRO, judged=False)
    fields = dict(made.fields)
    for name, text in raw.items():
        kind = normalise.kind_of(f"user.{name}")
        fields[f"user.{name}"] = FieldValue(normalise.display(kind, text).value, text, 1.0, 1)
    made = replace(made, fields=fields)
    return replace(made, findings=rules.find(made, table=TABLE, received_on=TODAY))


def subject(made):
    return Subject(
        made.value("user.company_en") or "", made.value("user.name_en") or "", "W000001", made.value("user.email") or ""
    )


def defects(made):
    return {finding.field for finding in made.findings if finding.severity is Severity.DEFECT}


_ENGLISH = st.text(st.characters(codec="utf-8"), max_size=70) | st.text(
    st.sampled_from("Aa9 '(),-./:=&+?*_\"@\u3000\u200b\u00e9"), max_size=70
)
_MAIL = st.text(st.characters(codec="utf-8"), max_size=80) | st.builds(
    "{}@{}".format,
    st.text(st.sampled_from("ab9.+-_'\"% é"), min_size=1, max_size=66),
    st.text(st.sampled_from("ab9.-_é"), min_size=1, max_size=70),
)


@settings(max_examples=300, deadline=None)
@given(_ENGLISH, _ENGLISH, _MAIL)
def test_whatever_the_rules_let_pass_can_stand_in_a_certificate(company, name, mail):
    made = read(company_en=company, name_en=name, email=mail)
    found = problems(subject(made))
    of_field = {"organization": "user.company_en", "common_name": "user.name_en", "email": "user.email"}
    for code in found:
        field = next(field for start, field in of_field.items() if code.startswith(start))
        assert field in defects(made), code


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in HIDDEN.items() for text in texts])
def test_what_nobody_sees_is_gone_before_anybody_decides(name, text):
    made = read(**{name: text})
    assert defects(made) == set()
    assert problems(subject(made)) == ()
    assert made.value(f"user.{name}") == getattr(ICHIRO, name)


def rows(stage):
    with stage.centre.store.transaction() as tx:
        return list(register.every(tx))


def test_wrong_data_are_told_to_the_applicant_at_once_and_no_serial_number_is_taken(stage):
    for number, (name, text) in enumerate((name, text) for name, texts in WRONG.items() for text in texts):
        made = read(**{name: text})
        assert f"user.{name}" in defects(made), text
        if text in (WRONG[name][0], WRONG[name][1]):
            (case,) = deliver(stage, made, document=b"%%PDF-1.7 %d" % number)
            assert case_of(stage, case).state is State.RETURNED
            letter = stage.letters("soumu@aozora-denki.example")[-1]
            label = TABLE.label(f"user.{name}")
            assert flat(label) in flat(letter.text)
    assert rows(stage) == []
    for address in APPROVERS:
        assert not [mail for mail in stage.letters(address) if "[承認依頼]" in mail.subject]


def test_a_registration_that_came_in_wrong_holds_its_renewal_takes_no_serial_and_revokes_nothing(stage):
    """Older imports did not look at English names; the CA's own check is the last."""
    person = enrol(stage, HANAKO)
    centre = stage.centre
    with centre.store.transaction() as tx:
        registrations.change(tx, person.id, replace(HANAKO, name_en="山田 花子"), now=START)
        case = cases.open_case(
            tx,
            centre.audit,
            kind=CaseKind.RENEWAL,
            state=State.EXECUTING,
            arrived_at=START,
            now=START,
            actor="system",
            registration_id=person.id,
            renews_serial="abc",
        )
        cases.add_tasks(tx, case, (Task(TaskKind.ISSUE, person.id),))
    before = [(row.serial, row.state) for row in rows(stage)]
    stage.work()
    assert [(row.serial, row.state) for row in rows(stage)] == before
    assert case_of(stage, case.number).state is State.HELD
    with centre.store.transaction() as tx:
        (failed,) = [each for each in audit.records(tx, case.id) if each.kind == "case_failed"]
    assert failed.detail["why"] == "common_name_characters"
    assert any("証明書を発行できません" in mail.subject for mail in stage.letters(next(iter(APPROVERS))))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name_en", "山田 花子"),
        ("name_en", "T" * 65),
        ("company_en", "Aozora_Denki"),
        ("name_en", ""),
        ("company_en", "N/A"),
    ],
)
def test_an_import_refuses_what_could_not_stand_in_a_certificate(stage, column, value):
    person = replace(HANAKO, **{column: value})
    names = ("company_ja", "company_en", "name_ja", "name_en", "email")
    text = ",".join(names) + "\n" + ",".join(f'"{getattr(person, name)}"' for name in names)
    with stage.centre.store.transaction() as tx, pytest.raises(ImportRefused) as refused:
        importing.people(tx, text.encode(), now=START)
    assert [(each.line, each.column) for each in refused.value.refusals] == [(2, column)]
