"""Every cell of the table in SPEC 1.2, written down a second time on purpose: here the table is judged."""

import copy
import tomllib
from importlib import resources

import pytest

from config import request_types
from config.request_types import Need, RequestType

TYPES = ("new_issue", "reissue", "registration_change", "handover", "cancellation")

# `free` is the dash of the two terms rows at a reissue: never a defect either way (SPEC 1.2, last line).
SPEC_1_2 = {
    "webec_terms": "req free none req none",
    "ogis_terms": "req free none req none",
    "info_in_certificate": "req req req req none",
    "content_correct": "req req req req req",
    "revoke_unneeded": "none req warn req req",
    "user_not_entitled": "none none none none req",
    "applicant.company": "req req req req req",
    "applicant.name": "req req req req req",
    "applicant.phone": "req req req req req",
    "applicant.email": "req req req req req",
    "applicant.department": "opt opt opt opt opt",
    "applicant.title": "opt opt opt opt opt",
    "applicant.postal_code": "opt opt opt opt opt",
    "applicant.address": "opt opt opt opt opt",
    **{f"user.{name}": "req req none none req" for name in ("company_ja", "company_en", "name_ja", "name_en", "email")},
    **{
        f"{block}.{name}": "none none req req none"
        for block in ("before", "after")
        for name in ("company_ja", "company_en", "name_ja", "name_en", "email")
    },
    "application_date": "warn warn warn warn warn",
    "wished_revocation_date": "none opt none opt opt",
    "remarks": "opt opt opt opt opt",
    "seal": "req req req req req",
}
CELLS = [(row, kind, need) for row, needs in SPEC_1_2.items() for kind, need in zip(TYPES, needs.split(), strict=True)]


@pytest.mark.parametrize(("row", "kind", "need"), CELLS, ids=[f"{row}-{kind}" for row, kind, _ in CELLS])
def test_cell_of_spec_1_2(row, kind, need):
    assert request_types.load().row(row).needs[RequestType(kind)] is Need(need)


def test_the_table_has_no_row_beyond_spec_1_2():
    table = request_types.load()
    rows = [*table.fields(), *table.confirmations, table.seal]
    assert {row.key for row in rows} == set(SPEC_1_2)
    assert len(rows) == len(SPEC_1_2)


# Guide lines 156-188: how many ○ each row has, over all types (domain notes A.3).
@pytest.mark.parametrize(
    ("row", "count"),
    [
        ("webec_terms", 2),
        ("ogis_terms", 2),
        ("info_in_certificate", 4),
        ("content_correct", 5),
        ("revoke_unneeded", 4),
        ("user_not_entitled", 1),
        ("applicant.company", 5),
        ("user.name_ja", 3),
        ("before.name_ja", 2),
        ("after.name_ja", 2),
    ],
)
def test_a_row_asks_as_often_as_the_guide_has_circles(row, count):
    needs = request_types.load().row(row).needs.values()
    assert sum(need in (Need.REQUIRED, Need.WARN) for need in needs) == count


# SPEC 1.1, 1.3.2, 1.3.5, 1.3.6, 1.3.7 and 2.1: what each type does.
@pytest.mark.parametrize(
    ("kind", "word", "looks_up", "must_match", "gives", "issues", "revokes", "approvers"),
    [
        ("new_issue", "新規発行", "user", False, "user", True, False, 1),
        ("reissue", "再発行", "user", True, "user", True, True, 1),
        ("registration_change", "登録変更", "before", True, "after", False, False, 1),
        ("handover", "担当変更", "before", True, "after", True, True, 2),
        ("cancellation", "解約・失効", "user", True, "", False, True, 1),
    ],
    ids=TYPES,
)
def test_what_a_type_does(kind, word, looks_up, must_match, gives, issues, revokes, approvers):
    rule = request_types.load().types[RequestType(kind)]
    assert (rule.word, rule.looks_up, rule.must_match, rule.gives) == (word, looks_up, must_match, gives)
    assert (rule.issues, rule.revokes, rule.approvers) == (issues, revokes, approvers)


# SPEC 1.1: the words of the form and the synonyms in the guide, and as people type them.
@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("新規発行", "new_issue"),
        ("新規発行申請", "new_issue"),
        ("再発行", "reissue"),
        ("再 発 行", "reissue"),
        ("登録変更", "registration_change"),
        ("登録内容変更", "registration_change"),
        ("担当変更", "handover"),
        ("担当者変更", "handover"),
        ("担当交代", "handover"),
        ("解約・失効", "cancellation"),
        ("解約／失効", "cancellation"),
        ("解約･失効", "cancellation"),
        ("解約", "cancellation"),
        ("「失効」", "cancellation"),
        ("廃止", None),
        ("新規発行 再発行", None),
        ("", None),
    ],
)
def test_a_word_means_one_type_or_none(word, kind):
    assert request_types.load().type_of_word(word) == (RequestType(kind) if kind else None)


def test_no_two_types_share_a_word():
    table = request_types.load()
    for kind, rule in table.types.items():
        for word in (rule.word, *rule.synonyms):
            assert table.type_of_word(word) is kind


@pytest.mark.parametrize(
    ("need", "greyed"), [("req", False), ("opt", False), ("warn", False), ("none", True), ("free", True)]
)
def test_only_what_is_not_asked_for_is_grey(need, greyed):
    assert Need(need).greyed is greyed


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("user.name_en", "利用者 氏名（英語）"),
        ("before.email", "変更前（前任者） メールアドレス"),
        ("application_date", "申請日"),
        ("seal", "申請社印（担当者印可）"),
        ("content_correct", "申請内容が正しいことの確認"),
    ],
)
def test_a_label_names_its_block(key, label):
    assert request_types.load().label(key) == label


def test_an_unknown_row_or_block_is_a_key_error():
    table = request_types.load()
    with pytest.raises(KeyError):
        table.row("user.shoe_size")
    with pytest.raises(KeyError):
        table.block("grandfather")


@pytest.fixture
def raw():
    return copy.deepcopy(tomllib.loads(resources.files("config").joinpath("request_types.toml").read_text("utf-8")))


def test_a_table_without_one_of_the_types_is_refused(raw):
    del raw["types"]["handover"]
    with pytest.raises(ValueError, match="handover"):
        request_types.build(raw)


def test_a_table_with_an_unknown_type_is_refused(raw):
    raw["types"]["renewal"] = raw["types"]["reissue"]
    with pytest.raises(ValueError, match="renewal"):
        request_types.build(raw)


def test_a_need_that_is_missing_is_named(raw):
    del raw["confirmations"][0]["needs"]["handover"]
    with pytest.raises(ValueError, match="handover"):
        request_types.build(raw)


def test_an_unknown_need_is_refused(raw):
    raw["seal"]["needs"]["handover"] = "perhaps"
    with pytest.raises(ValueError, match="perhaps"):
        request_types.build(raw)


def test_a_field_without_a_label_is_named(raw):
    del raw["labels"]["name_en"]
    with pytest.raises(ValueError, match="name_en"):
        request_types.build(raw)
