"""A centre's own forms stand beside the shipped ones, and may lack what no request type requires."""

import copy
import tomllib
from importlib import resources

import pytest

from config import forms, request_types
from config.forms import WISHED_DATE, Form, Library
from config.request_types import Need

TABLE = request_types.load()
TEXT = resources.files("config.forms").joinpath("webec_2024_07.toml").read_text("utf-8")
OPTIONAL = [row.key for row in TABLE.fields() if Need.REQUIRED not in row.needs.values() and row.key != WISHED_DATE]


def own_form(version: str = "centre-1") -> str:
    return TEXT.replace('version = "2024-07"', f'version = "{version}"').replace("WebEC-2024-07", version)


@pytest.fixture
def raw():
    return copy.deepcopy(tomllib.loads(TEXT))


def build(raw) -> Form:
    return forms.build(raw, file="own.toml", table=TABLE)


def test_a_library_knows_the_shipped_forms_and_those_of_the_centre() -> None:
    library = forms.shipped().with_texts({"own.toml": own_form()})
    assert [form.version for form in library.forms] == ["centre-1", "2024-07", "2021-04"]
    assert library.form("centre-1").mark == "様式 centre-1"
    assert library.form("2021-04") is forms.form("2021-04")
    # What is shipped stays what it was: a library is a value.
    assert forms.shipped() == Library(forms.load_forms())
    with pytest.raises(KeyError):
        forms.shipped().form("centre-1")


def test_a_folder_gives_the_texts_of_its_form_files_only(tmp_path) -> None:
    (tmp_path / "b.toml").write_text(own_form("b"), "utf-8")
    (tmp_path / "a.toml").write_text(own_form("a"), "utf-8")
    (tmp_path / "blank.pdf").write_bytes(b"%PDF-")
    texts = forms.read_folder(tmp_path)
    assert list(texts) == ["a.toml", "b.toml"]
    assert len(forms.shipped().with_texts(texts).forms) == 4
    with pytest.raises(OSError, match="nowhere"):
        forms.read_folder(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = ", r"own\.toml: not valid TOML"),
        ("version = 'x'", r"own\.toml: .* is missing"),
        (TEXT, "two files give the same version"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        forms.shipped().with_texts({"own.toml": text})


@pytest.mark.parametrize("key", OPTIONAL)
def test_a_form_may_lack_a_field_that_no_type_requires(raw, key: str) -> None:
    block, dot, last = key.partition(".")
    del (raw["labels"] if dot else raw["singles"])[last or block]
    with pytest.raises(ValueError, match="is missing"):
        build(raw)
    form = build(raw | {"absent": [key]})
    assert not form.has(key)
    assert key not in set(form.field_keys(TABLE))
    with pytest.raises(KeyError):
        form.label(key)


@pytest.mark.parametrize("key", [row.key for row in TABLE.confirmations])
def test_a_form_may_lack_a_box_to_tick(raw, key: str) -> None:
    del raw["confirmations"][key]
    assert not build(raw | {"absent": [key]}).has(key)


@pytest.mark.parametrize(
    ("absent", "message"),
    [
        ("user.email", "user.email is required by a request type"),
        ("after.name_en", "required by a request type"),
        ("seal", "absent: seal is unknown"),
        ("shoe_size", "shoe_size is unknown"),
        (WISHED_DATE, "contradicts has_wished_date"),
        ("remarks", r"\[singles\] remarks is unknown"),
    ],
)
def test_a_row_that_must_be_there_or_is_there_cannot_be_absent(raw, absent: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"own\.toml: .*{message}"):
        build(raw | {"absent": [absent]})


def test_the_wished_date_may_be_named_absent_where_the_form_has_none(raw) -> None:
    del raw["singles"][WISHED_DATE]
    form = build(raw | {"has_wished_date": False, "absent": [WISHED_DATE]})
    assert not form.has(WISHED_DATE)


def test_a_field_of_a_block_may_have_a_label_that_names_its_block(raw) -> None:
    raw["singles"]["user.name_ja"] = ["利用者氏名"]
    form = build(raw)
    assert form.label("user.name_ja") == "利用者氏名"
    assert form.label("after.name_ja") == "氏名（日本語）"
    for block in ("user", "before", "after"):
        raw["singles"][f"{block}.name_ja"] = [f"{block}氏名"]
    del raw["labels"]["name_ja"]
    assert build(raw).label("after.name_ja") == "after氏名"


def test_a_block_whose_fields_all_name_it_needs_no_heading(raw) -> None:
    del raw["blocks"]["user"]
    with pytest.raises(ValueError, match=r"\[blocks\] user is missing"):
        build(raw)
    for row in TABLE.block("user").rows:
        raw["singles"][row.key] = [f"利用者{row.label}"]
    assert "user" not in build(raw).block_labels


def test_two_blocks_may_share_a_label_for_different_fields_but_one_may_not(raw) -> None:
    raw["labels"]["name_ja"].append("氏名")
    assert "氏名" in build(raw).labels_of("user.name_ja")
    raw["labels"]["name_en"].append("氏名")
    with pytest.raises(ValueError, match="share the label"):
        build(raw)


def test_a_form_that_is_not_ours_to_print_needs_no_small_print(raw) -> None:
    for key in ("instructions", "notes", "send_by_mail", "send_by_post", "contact"):
        del raw[key]
    form = build(raw | {"mark": "", "others": ["フリガナ"]})
    assert (form.instructions, form.contact, form.mark, form.others) == ((), "", "", ("フリガナ",))
