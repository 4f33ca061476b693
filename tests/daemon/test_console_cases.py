"""`queue`, `show` and `log`: what staff see of the cases."""

import re

import pytest
from sqlalchemy import create_engine, text

from daemon.case import State, final
from daemon.case_console import LETTER_STATES, LETTER_WORDS, TASK_STATES, TASK_WORDS, WAITS_FOR
from daemon.demo.stage import APPROVERS
from daemon.demo.story import HANAKO
from daemon.despatch import LetterState
from daemon.letters import LetterKind
from daemon.line_breaking import columns
from daemon.planning import TaskKind


def change(folder, statement, **values):
    engine = create_engine(f"sqlite:///{folder / 'demo.sqlite'}")
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def test_the_queue_lists_what_waits_and_for_whom(lra, finished):
    answered = lra("queue")
    assert answered.code == 0
    assert finished.issued not in answered.out, "a closed case waits for nobody"
    returned, waiting = answered.out.splitlines()[1:3]
    assert returned.startswith(finished.returned)
    assert "差戻し中" in returned
    assert "申請者（2026-05-" in returned, "until when the applicant has time"
    assert waiting.startswith(finished.waiting)
    assert "承認待ち" in waiting
    assert "承認者" in waiting
    assert "登録変更" in waiting
    assert "あおぞら電機株式会社" in waiting


def test_the_columns_of_the_queue_stand_under_each_other(lra):
    lines = lra("queue").out.splitlines()[:3]
    starts = {
        columns(line[: line.index(word)]) for line, word in zip(lines, ("申請者  ", "株式会社", "あお"), strict=True)
    }
    assert len(starts) == 1


def test_the_queue_as_json_says_the_same(lra, finished):
    document = lra("queue", "--json").document
    assert [(case["number"], case["state"]) for case in document["cases"]] == [
        (finished.returned, "returned"),
        (finished.waiting, "awaiting_decision"),
    ]
    assert document["held_mails"] == document["failed_letters"] == []
    assert document["cases"][0]["arrived_at"].startswith("2026-04-0")


def test_the_queue_shows_held_mail_and_letters_that_could_not_be_delivered(lra, copied, finished):
    change(copied, "UPDATE mails SET state = 'held', reason = 'could not be read in 3 attempts' WHERE id = 1")
    change(copied, "UPDATE letters SET state = 'failed' WHERE id = 1")
    answered = lra("queue")
    assert "確認が必要なメール（1通）" in answered.out
    assert "could not be read in 3 attempts" in answered.out
    assert "届けられなかった通知（1通）" in answered.out
    assert finished.issued in answered.out
    document = lra("queue", "--json").document
    assert [row["id"] for row in document["held_mails"]] == [1]
    assert document["failed_letters"][0]["case"] == finished.issued


def test_the_queue_shows_letters_that_have_not_left_with_their_age(lra, copied):
    change(copied, "UPDATE letters SET state = 'unknown', attempts = 2 WHERE id = 1")
    change(copied, "UPDATE letters SET state = 'bounced' WHERE id = 2")
    shown = lra("queue").out
    (line,) = [each for each in shown.splitlines() if "通知 1 " in each]
    assert "送信結果不明" in line
    assert "試行 2回" in line
    assert re.search(r"経過 \d+(?:分|時間|日)", line)
    assert "まだ送信していない通知（1通）" in shown
    assert "不達" in shown
    document = lra("queue", "--json").document
    assert [(row["id"], row["state"]) for row in document["unsent_letters"]] == [(1, "unknown")]
    assert [(row["id"], row["state"]) for row in document["failed_letters"]] == [(2, "bounced")]


def test_an_empty_queue_says_so(lra, copied):
    change(copied, "UPDATE cases SET state = 'closed'")
    assert lra("queue").out == "待っている案件はありません。\n"


def test_show_tells_a_finished_case_from_form_to_letters(lra, finished):
    answered = lra("show", finished.issued)
    assert answered.code == 0
    for expected in (
        "完了",
        "新規発行（第1版）",
        "山田 花子",
        "押印：あり",
        "判断",
        "approve",
        *APPROVERS,
        "発行  ",
        "済",
    ):
        assert expected in answered.out
    assert answered.out.count("送信済み") >= 4
    assert "パスワード" in answered.out
    assert HANAKO in answered.out
    assert "まだ受領していません" not in answered.out
    assert "待ち先" not in answered.out


def test_show_before_acceptance_says_that_it_is_not_accepted_and_who_is_waited_for(lra, finished):
    out = lra("show", finished.waiting).out
    assert "まだ受領していません" in out
    assert "待ち先" in out
    assert "承認者" in out
    assert "申請書" in out
    assert "実施内容" not in out, "nothing is fixed before it is approved"


def test_show_of_a_form_sent_back_names_what_is_missing(lra, finished):
    out = lra("show", finished.returned).out
    assert "押印：なし" in out
    assert "［不備］" in out


def test_show_finds_a_case_however_its_number_is_typed(lra, finished):
    assert lra("show", f" {finished.issued.lower()} ").code == 0


def test_show_as_json_holds_application_decisions_tasks_and_letters(lra, finished):
    document = lra("show", finished.issued, "--json").document
    assert document["number"] == finished.issued
    assert document["application"]["fields"]["user.name_ja"]["value"] == "山田 花子"
    assert {each["approver"] for each in document["decisions"]} == set(APPROVERS)
    assert [(task["kind"], task["state"]) for task in document["tasks"]] == [("issue", "done")]
    assert {"issue_notice", "password", "receipt"} <= {letter["kind"] for letter in document["letters"]}
    assert document["waits_for"] is None


def test_no_command_shows_a_password_or_a_letter_of_it(lra, finished):
    for words in (("show", finished.issued), ("log", finished.issued), ("queue",), ("certs",)):
        shown = lra(*words, "--json").out + lra(*words).out
        for key in ("sealed", "raw_letter", "token_hash", "seal_key"):
            assert key not in shown


def test_the_log_tells_the_history_of_one_case_in_order(lra, finished):
    answered = lra("log", finished.issued)
    assert answered.code == 0
    kinds = [record["kind"] for record in lra("log", finished.issued, "--json").document]
    assert kinds[0] == "case_opened"
    assert kinds.index("case_approved") < kinds.index("case_started") < kinds.index("case_done")
    assert all(kind in answered.out for kind in kinds)


def test_the_log_holds_no_personal_data_of_applicant_or_subscriber(lra, finished):
    shown = lra("log", finished.issued).out + lra("log", finished.issued, "--json").out
    for personal in ("山田", "花子", "Hanako", "YAMADA", "aozora", "あおぞら", "田中"):
        assert personal not in shown


@pytest.mark.parametrize("verb", ["show", "log"])
def test_an_unknown_case_is_a_wrong_use_with_the_next_step(lra, verb):
    answered = lra(verb, "WEBEC-20990101-0001")
    assert answered.code == 2
    assert answered.out == ""
    assert "there is no case WEBEC-20990101-0001; `ogis-lra queue`" in answered.err


def test_nothing_is_changed_by_looking(lra, copied, finished):
    before = (copied / "demo.sqlite").read_bytes()
    for words in (("queue",), ("show", finished.issued), ("log", finished.issued), ("certs",), ("crl",), ("verify",)):
        lra(*words)
    assert (copied / "demo.sqlite").read_bytes() == before


def test_every_state_kind_and_letter_has_its_word():
    assert set(WAITS_FOR) == {state for state in State if not final(state)}
    assert set(TASK_WORDS) == set(TaskKind)
    assert set(LETTER_WORDS) == set(LetterKind)
    assert set(TASK_STATES) == {"pending", "done", "failed", "cancelled"}
    assert set(LETTER_STATES) == set(LetterState)
