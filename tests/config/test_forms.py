"""The form files agree with the table of request types, row by row."""

import copy
import tomllib
from importlib import resources

import pytest

from config import forms, request_types
from config.forms import WISHED_DATE

TABLE = request_types.load()
ROWS = [*(row.key for row in TABLE.fields()), *(row.key for row in TABLE.confirmations), "seal"]


@pytest.fixture
def raw():
    text = resources.files("config.forms").joinpath("webec_2024_07.toml").read_text("utf-8")
    return copy.deepcopy(tomllib.loads(text))


def build(raw):
    return forms.build(raw, file="webec_test.toml", table=TABLE)


def test_both_versions_are_known_newest_first():
    assert [known.version for known in forms.load_forms()] == ["2024-07", "2021-04"]
    assert forms.newest().version == "2024-07"


def test_a_version_is_found_by_its_name():
    assert forms.form("2021-04").mark == "様式 WebEC-2021-04"
    with pytest.raises(KeyError):
        forms.form("1999-01")


def test_versions_are_told_apart_by_their_marks():
    assert len({known.mark for known in forms.load_forms()}) == 2
    assert all(known.version in known.mark for known in forms.load_forms())


@pytest.mark.parametrize("key", ROWS)
def test_every_row_of_the_table_has_a_label_on_the_present_form(key):
    form = forms.form("2024-07")
    assert form.label(key) == form.labels_of(key)[0] != ""
    assert form.has(key)


@pytest.mark.parametrize("key", [key for key in ROWS if key != WISHED_DATE])
def test_the_form_before_its_revision_has_every_row_but_the_wished_date(key):
    assert forms.form("2021-04").label(key)


def test_the_form_before_its_revision_has_no_wished_date():
    old = forms.form("2021-04")
    assert not old.has(WISHED_DATE)
    assert WISHED_DATE not in tuple(old.field_keys(TABLE))
    with pytest.raises(KeyError):
        old.label(WISHED_DATE)
    assert not any("失効希望日" in line for line in old.instructions)


def test_the_present_form_names_the_fields_of_the_contract():
    assert tuple(forms.newest().field_keys(TABLE)) == tuple(row.key for row in TABLE.fields())


def test_the_present_form_prints_the_labels_of_the_table():
    # Letters name a row by the table's label (SPEC 1.3.10), so that is what the form must print.
    form = forms.newest()
    for row in (*TABLE.fields(), *TABLE.confirmations, TABLE.seal):
        assert form.label(row.key) == row.label
    for block in TABLE.blocks:
        assert form.block_labels[block.key][0] == block.label


def test_the_form_says_where_it_is_sent():
    # Guide lines 220-232 and 298-300.
    for form in forms.load_forms():
        assert form.send_by_mail == "OGIS-LRA@eCubeNet.com"
        assert "550-0023" in form.send_by_post
        assert "LRAセンター" in form.send_by_post
        assert "03-6712-1274" in form.contact


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("labels", "name_en"),
        ("blocks", "after"),
        ("singles", "remarks"),
        ("singles", WISHED_DATE),
        ("confirmations", "content_correct"),
    ],
)
def test_a_label_that_is_missing_is_named_with_its_file(raw, section, key):
    del raw[section][key]
    with pytest.raises(ValueError, match=rf"webec_test\.toml: \[{section}\] {key} is missing"):
        build(raw)


@pytest.mark.parametrize("section", ["labels", "blocks", "singles", "confirmations"])
def test_a_label_of_no_row_is_named_with_its_file(raw, section):
    raw[section]["shoe_size"] = ["靴のサイズ"]
    with pytest.raises(ValueError, match=rf"webec_test\.toml: \[{section}\] shoe_size is unknown"):
        build(raw)


def test_a_label_for_the_wished_date_on_a_form_without_it_is_refused(raw):
    raw["has_wished_date"] = False
    with pytest.raises(ValueError, match=f"{WISHED_DATE} is unknown"):
        build(raw)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("colour", "red", "colour is unknown"),
        ("version", "", "version must be a text"),
        ("mark", 5, "mark must be a text"),
        ("has_wished_date", "yes", "has_wished_date must be true or false"),
        ("titles", [], "titles must be a list"),
        ("titles", "申請書", "titles must be a list"),
        ("titles", ["別の申請書"], "titles does not hold the title itself"),
        ("seal_labels", [1], "seal_labels must be a list"),
        ("unticked", ["□", "☑"], "both in ticked and in unticked"),
        ("labels", "氏名", r"\[labels\] must be a table"),
    ],
)
def test_a_wrong_entry_is_named_with_its_file(raw, key, value, message):
    raw[key] = value
    with pytest.raises(ValueError, match=rf"webec_test\.toml: .*{message}"):
        build(raw)


def test_an_entry_that_is_missing_is_named_with_its_file(raw):
    del raw["mark"]
    with pytest.raises(ValueError, match=r"webec_test\.toml: mark is missing"):
        build(raw)


def test_one_label_for_two_fields_is_refused_whatever_its_width(raw):
    raw["labels"]["company_ja"].append("氏名(日本語)")
    with pytest.raises(ValueError, match="share the label"):
        build(raw)


def test_two_files_of_one_version_are_refused(monkeypatch, tmp_path, raw):
    text = resources.files("config.forms").joinpath("webec_2024_07.toml").read_text("utf-8")
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.setattr(forms.resources, "files", lambda _: tmp_path)
    with pytest.raises(ValueError, match="two files give the same version"):
        forms.load_forms.__wrapped__()
