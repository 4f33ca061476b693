"""`companies` and `registrations`: import, list, show."""

import shutil

import pytest

from support.command_lines import CommandLine, write_config, write_credential

COMPANY = "name_ja,name_en,domains\n株式会社さくら精機,Sakura Seiki K.K.,sakura.example seiki.example\n"
PERSON = (
    "company_ja,company_en,name_ja,name_en,email\n"
    '株式会社さくら精機,"Sakura Seiki Co., Ltd.",髙橋　一郎,Ichiro TAKAHASHI,ichiro@sakura.example\n'
)


@pytest.fixture
def imported(lra, tmp_path):
    """`imported("companies", text, encoding)` imports a file of that text."""

    def run(name, text, encoding="utf-8", *words):
        path = tmp_path / "in.csv"
        path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
        return lra(name, "import", str(path), *words)

    return run


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_as_excel_saves_it_is_imported(lra, imported, encoding, newline):
    answered = imported("companies", COMPANY.replace("\n", newline), encoding)
    assert (answered.code, answered.out) == (0, "1 new, 0 known already\n")
    assert imported("registrations", PERSON.replace("\n", newline), encoding).out == "1 new, 0 known already\n"
    row = lra("registrations", "list", "--json").document[-1]
    assert (row["name_ja"], row["company_en"]) == ("髙橋　一郎", "Sakura Seiki Co., Ltd.")
    assert row["state"] == "live"


def test_importing_again_changes_nothing(lra, imported):
    for name, text in (("companies", COMPANY), ("registrations", PERSON)):
        imported(name, text)
        before = lra(name, "list", "--json").out
        assert imported(name, text, "utf-8", "--json").document == {"new": 0, "known": 1}
        assert lra(name, "list", "--json").out == before


def test_an_import_is_an_audit_event_without_names(lra, imported):
    before = lra("verify", "--json").document["audit_events"]
    imported("companies", COMPANY)
    verified = lra("verify", "--json")
    assert verified.code == 0
    assert verified.document["audit_events"] == before + 1


def test_refused_lines_are_named_with_their_column_and_nothing_is_imported(lra, imported):
    text = PERSON + (
        "株式会社さくら精機,Sakura,,Jiro,jiro@sakura.example\n"
        "\n"
        ",Sakura,佐藤 三郎,Saburo,not an address\n"
        "株式会社さくら精機,Sakura Seiki Co., Ltd.,佐藤 四郎,Shiro,shiro@sakura.example\n"
        '株式会社さくら精機,Sakura,"佐藤\n五郎",Goro,goro@sakura.example\n'
    )
    before = lra("registrations", "list", "--json").out
    answered = imported("registrations", text)
    assert answered.code == 1
    assert answered.out.splitlines() == [
        "4 line(s) cannot be imported; nothing was changed:",
        "  line 3, name_ja: is empty",
        "  line 5, company_ja: is empty or names no company",
        "  line 5, email: is not one plain mail address",
        "  line 6, email: the line has more cells than the heading; put a value with a comma in quotes",
        "  line 6, email: is not one plain mail address",
        "  line 6, name_en: cannot stand in a certificate: characters",
        "  line 8, name_ja: holds a line break, a control character or a 外字",
    ]
    document = imported("registrations", text, "utf-8", "--json").document
    assert document["new"] == 0
    assert document["refusals"][0] == {"line": 3, "column": "name_ja", "reason": "is empty"}
    assert lra("registrations", "list", "--json").out == before
    for personal in ("佐藤", "jiro", "Sakura"):
        assert personal not in answered.out + answered.err


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name_ja,domains\nさくら精機,sakura.example\n", "line 1, name_en: the heading has no such column"),
        ("name_ja,name_ja,name_en,domains\na,b,c,d.example\n", "line 1, name_ja: the heading names it twice"),
        ("", "line 1, name_ja: the heading has no such column"),
        (COMPANY + "さくら,S,user@sakura.example\n", "line 3, domains: is not a mail domain"),
        (COMPANY + "さくら,S,-x.example\n", "line 3, domains: is not a mail domain"),
        (COMPANY + ",S,sakura.example\n", "line 3, name_ja: is empty or names no company"),
        (COMPANY + '"さくら,S,sakura.example\n', "line 3: is not CSV: check the quotes"),
        ("name_ja,name_en,domains\n\uf8f3,S,s.example\n".encode("cp932"), "line 2, name_ja: holds a line break"),
        (b"name_ja,name_en,domains\n\x81 \xff\n", "line 1: the file is neither UTF-8 nor CP932"),
        ("name_ja,name_en,domains\nさくら".encode("utf-16"), "line 1: the file is neither UTF-8 nor CP932"),
    ],
)
def test_a_file_that_cannot_be_imported_says_where_and_why(lra, imported, text, line):
    answered = imported("companies", text)
    assert answered.code == 1
    assert line in answered.out
    assert len(lra("companies", "list", "--json").document) == 2, "what was there stays, nothing is added"


def test_companies_are_listed_and_shown_with_their_domains(lra):
    answered = lra("companies", "list")
    assert answered.code == 0
    assert "番号  社名" in answered.out
    assert "aozora-denki.example" in answered.out
    shown = lra("companies", "show", "1")
    assert "あおぞら電機株式会社" in shown.out
    assert lra("companies", "show", "1", "--json").document["domains"] == ["aozora-denki.example"]


def test_registrations_are_listed_and_shown_with_their_certificates(lra):
    out = lra("registrations", "list").out
    for expected in ("W000001", "登録中", "山田 花子", "hanako.yamada@aozora-denki.example"):
        assert expected in out
    shown = lra("registrations", "show", "w000001")
    assert shown.code == 0
    assert "申請者 メールアドレス" in shown.out
    document = lra("registrations", "show", "W000001", "--json").document
    assert [each.split()[1] for each in document["certificates"]] == ["revoked", "issued"]
    assert not [key for key in document if key.endswith("_key")]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("companies", "import"), "say which file"),
        (("companies", "import", "nowhere.csv"), "nowhere.csv cannot be read: No such file"),
        (("companies", "show"), "say which one"),
        (("companies", "show", "99"), "there is no 99 among the companies"),
        (("registrations", "show", "W999999"), "there is no W999999 among the registrations"),
        (("registrations", "list", "W000001"), "`registrations list` takes nothing more"),
        (("companies", "delete", "1"), "invalid choice: 'delete'"),
        (("companies",), "required: action"),
    ],
)
def test_a_wrong_use_is_explained(lra, words, sentence):
    answered = lra(*words)
    assert answered.code == 2
    assert sentence in answered.err


def test_an_empty_register_says_so(centres, clock, capsys, tmp_path):

    shutil.copytree(centres.template, tmp_path / "centre-of-nobody")
    empty = CommandLine(write_config(tmp_path / "centre-of-nobody"), clock, capsys)
    assert empty("companies", "list").out == empty("registrations", "list").out == "登録はありません。\n"
    assert empty("companies", "list", "--json").document == []


def test_without_the_audit_key_nothing_is_imported(lra, imported, copied):
    write_credential(copied, "audit-key", "0")
    answered = imported("companies", COMPANY)
    assert answered.code == 2
    assert "audit-key" in answered.err
    assert len(lra("companies", "list", "--json").document) == 2
