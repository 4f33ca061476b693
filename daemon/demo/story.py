"""`ogis-lra demo`: the whole life of an application, five types, told as it happens.

The story begins about two years ago and ends now, so that what it leaves behind is valid today: a newcomer can check
the certificates with openssl at once.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from cryptography import x509

from ca import register
from ca.checker import check as check_register
from daemon import ceremony, importing, upkeep
from daemon.centre import wall_clock
from daemon.console import UsageError
from daemon.planning import JST

from .paper import form
from .server import MailServer
from .stage import APPROVERS, AUTHSERV_ID, CENTRE, Clock, Stage, set_stage

HANAKO = "hanako.yamada@aozora-denki.example"
ICHIRO = "ichiro.suzuki@aozora-denki.example"
TAKERU = "t-sato@minato-shoji.example"
AOZORA = "soumu@aozora-denki.example"
MINATO = "somu@minato-shoji.example"
STRANGER = "mallory@elsewhere.example"

COMPANIES = """name_ja,name_en,domains
あおぞら電機株式会社,"Aozora Electric Co., Ltd.",aozora-denki.example
株式会社みなと商事,"Minato Trading Co., Ltd.",minato-shoji.example
"""

# The first certificate is renewed 30 days before its 760 days are over; the story goes on for some days after that.
_BEFORE_NOW = timedelta(days=745)
_LEFT = ("mail", "certificates", "ca", "centre", "demo.sqlite", "demo.sqlite-wal", "demo.sqlite-shm")


@dataclass(frozen=True, slots=True)
class Told:
    """How the performance went."""

    mails: int
    surprises: tuple[str, ...]


def play(folder: Path, *, say: Callable[[str], None], now: datetime | None = None) -> Told:
    """Play the whole story and leave its mails, certificates, CA and database in the folder.

    Raises UsageError when the folder holds anything that is not a former demo's.
    """
    _sweep(folder)
    end = now or wall_clock()
    start = datetime.combine((end - _BEFORE_NOW).astimezone(JST).date(), time(10), JST).astimezone(UTC)
    clock = Clock(start)
    with MailServer(authserv_id=AUTHSERV_ID, clock=clock) as server:
        say("メールサーバー（IMAP・SMTP）を 127.0.0.1 に起動し、認証局を作成しています…")
        stage = set_stage(folder, server, clock, say, [HANAKO, ICHIRO, TAKERU, AOZORA, MINATO, STRANGER])
        try:
            for number, (later, title, chapter) in enumerate(_chapters(end), 1):
                stage.pass_time(seconds=later.total_seconds())
                say(f"\n■ {number}. {title}（{clock().astimezone(JST):%Y-%m-%d %H:%M}）")
                chapter(stage)
            _close(stage, end)
        finally:
            mails = stage.leave_mails()
            stage.centre.close()
    say(f"\nメール {mails} 通、証明書、認証局、データベースを {folder} に残しました。")
    if stage.surprises:
        say(f"！ 予定と異なる点が {len(stage.surprises)} 件ありました。")
    return Told(mails, tuple(stage.surprises))


def _sweep(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in _LEFT)
    if foreign:
        raise UsageError(f"{folder} holds other things ({foreign[0]}); name an empty or a new folder")
    for name in _LEFT:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _chapters(end: datetime) -> Iterator[tuple[timedelta, str, Callable[[Stage], None]]]:
    wished = end.astimezone(JST).date() - timedelta(days=1)
    yield timedelta(0), "新規発行：申請から証明書まで", _new_issue
    yield timedelta(days=1), "押印のない申請書と、修正版の再提出", _no_seal
    yield timedelta(days=2), "申請書のないメール", _no_form
    yield timedelta(days=2), "再発行と、偽の承認", _reissue
    yield timedelta(days=3), "失効希望日が1か月を超えた申請", _too_late
    yield timedelta(days=20), "登録変更：改姓", _change
    yield timedelta(0), "自動更新：約2年後", _renewal
    yield timedelta(0), "担当変更：失効希望日つき", lambda stage: _handover(stage, wished)
    yield timedelta(hours=5), "解約", _cancellation
    yield timedelta(0), "予約した失効の実施", lambda stage: _scheduled(stage, wished, end)


def _new_issue(stage: Stage) -> None:
    with stage.centre.store.transaction() as tx:
        importing.companies(tx, COMPANIES.encode(), now=stage.clock())
    stage.say("  契約企業2社をCSVから登録しました。")
    stage.send(
        AOZORA,
        "電子証明書の新規発行申請",
        "申請書をお送りします。",
        name="田中 正",
        pdf=_paper(stage, "new_issue_hanako"),
    )
    stage.work()
    stage.tell_letters(AOZORA)
    stage.expect("受付通知のみで、まだ何も発行されていない", true=_count(stage) == (0, 0))
    requests = stage.requests()
    first = next(iter(requests.values()))
    _quote(stage, first.text)
    stage.say("    会社として最初の証明書なので、承認者2名の承認が必要です。")
    for number, (approver, request) in enumerate(requests.items(), 1):
        stage.decide(approver, request, "承認")
        stage.pass_time(minutes=3)
        stage.expect(f"承認 {number}／2", true=_count(stage) == (number // 2, 0))
    stage.fetch_certificate(HANAKO)
    stage.tell_letters(AOZORA)


def _no_seal(stage: Stage) -> None:
    stage.send(
        MINATO,
        "新規発行のお願い",
        "よろしくお願いします。",
        name="中村 由美子",
        pdf=_paper(stage, "new_issue_takeru_no_seal"),
    )
    stage.work()
    (defects,) = stage.tell_letters(MINATO)
    stage.expect("押印がないことを一通で知らせる", true="押印" in defects.text and not stage.requests())
    stage.pass_time(hours=3)
    stage.send(
        MINATO,
        f"Re: {defects.subject}",
        "押印して再送します。",
        name="中村 由美子",
        pdf=_paper(stage, "new_issue_takeru"),
        answers=defects,
    )
    stage.work()
    stage.tell_letters(MINATO)
    stage.approve()
    number = stage.fetch_certificate(TAKERU)
    stage.expect("修正版は同じ受付番号に加わった", true=number != "" and number in defects.subject)
    stage.tell_letters(MINATO)


def _no_form(stage: Stage) -> None:
    stage.send(AOZORA, "担当者の退職について", "担当者が退職します。どうすればよいでしょうか。", name="田中 正")
    stage.work()
    (guidance,) = stage.tell_letters(AOZORA)
    stage.expect("申請書の案内を返し、退職には解約を案内する", true="解約" in guidance.text)
    stage.tell_letters(*APPROVERS)


def _reissue(stage: Stage) -> None:
    before = _count(stage)
    stage.send(AOZORA, "再発行申請", "PCを紛失しました。", name="田中 正", pdf=_paper(stage, "reissue_hanako"))
    stage.work()
    stage.tell_letters(AOZORA)
    requests = stage.requests()
    approver, request = next(iter(requests.items()))
    stage.say("  ここで、承認依頼の照合コードを盗んだ第三者が、承認者を装って外部から返信します。")
    stage.send(
        approver,
        f"Re: {request.subject}",
        "承認\n",
        to=request.reply_to[0].address,
        name=APPROVERS[approver],
        headers={"Authentication-Results": f"{AUTHSERV_ID}; auth=pass smtp.auth={approver}"},
    )
    stage.work()
    warned = any("照合" in mail.subject or "確認" in mail.text for mail in stage.tell_letters(*APPROVERS))
    stage.expect("偽の承認では何も起こらず、承認者全員に知らされる", true=warned and _count(stage) == before)
    stage.say("  本人が承認します。")
    stage.decide(approver, request, "承認")
    stage.pass_time(minutes=3)
    stage.expect("新しい証明書を発行し、紛失した証明書を失効した", true=_count(stage) == (before[0] + 1, before[1] + 1))
    stage.fetch_certificate(HANAKO)
    stage.tell_letters(AOZORA, *APPROVERS)


def _too_late(stage: Stage) -> None:
    today = _today(stage)
    stage.send(
        MINATO,
        "再発行申請",
        "2か月後まで現在の証明書を使いたいです。",
        name="中村 由美子",
        pdf=_paper(stage, "reissue_takeru", wished=today + timedelta(days=61)),
    )
    stage.work()
    (defects,) = stage.tell_letters(MINATO)
    stage.expect("1か月以内の期限日を示して差し戻す", true="1か月" in defects.text and not stage.requests())
    stage.pass_time(days=31)
    stage.tell_letters(MINATO)
    stage.say("    再提出がなかったため、期限後に取下げとしました。証明書はそのままです。")


def _change(stage: Stage) -> None:
    before = _count(stage)
    stage.send(
        AOZORA,
        "登録変更（改姓）",
        "担当者が結婚により改姓しました。",
        name="田中 正",
        pdf=_paper(stage, "registration_change_hanako"),
    )
    stage.work()
    stage.approve(1)
    stage.expect("登録だけが変わり、発行も失効もない", true=_count(stage) == before)
    stage.tell_letters(AOZORA, HANAKO, *APPROVERS)


def _renewal(stage: Stage) -> None:
    before = _count(stage)
    with stage.centre.store.transaction() as tx:
        last = max(row.not_after for row in register.every(tx) if row.revoked_at is None)
    then = last - timedelta(days=stage.centre.settings.policy.renewal_days - 1)
    # The yearly visit to the safe: without it the root's CRL would have run out, and staff been told so every day.
    ceremony.establish_authority(stage.centre.settings, now=then)
    stage.go_to(then)
    stage.expect("期限30日前までに、申請なしで2名分の新しい証明書を発行した", true=_count(stage)[0] == before[0] + 2)
    _fetch_each(stage, HANAKO, TAKERU)
    renewed = _subjects(stage, HANAKO)[-1]
    stage.expect("改姓後の氏名は、更新された証明書から反映された", true="TAKAHASHI" in renewed.upper())


def _fetch_each(stage: Stage, *addresses: str) -> None:
    for address in addresses:
        stage.fetch_certificate(address)


def _handover(stage: Stage, wished: date) -> None:
    stage.go_to(_at(wished - timedelta(days=3), 10))
    before = _count(stage)
    stage.send(
        AOZORA,
        "担当変更の申請",
        "引き継ぎのため、失効希望日を指定します。",
        name="田中 正",
        pdf=_paper(stage, "handover_hanako_to_ichiro", wished=wished),
    )
    stage.work()
    stage.tell_letters(AOZORA)
    stage.say("    担当変更には、承認者2名の承認が必要です。")
    stage.approve()
    stage.expect("後任者に発行し、前任者の証明書はまだ有効", true=_count(stage) == (before[0] + 1, before[1]))
    stage.fetch_certificate(ICHIRO)
    stage.tell_letters(AOZORA, HANAKO)


def _cancellation(stage: Stage) -> None:
    before = _count(stage)
    stage.send(
        MINATO, "解約申請", "担当者が退職しました。", name="中村 由美子", pdf=_paper(stage, "cancellation_takeru")
    )
    stage.work()
    stage.approve(1)
    stage.expect("有効な証明書2枚（更新前・更新後）をともに失効した", true=_count(stage) == (before[0], before[1] + 2))
    stage.tell_letters(MINATO, *APPROVERS)


def _scheduled(stage: Stage, wished: date, end: datetime) -> None:
    before = _count(stage)
    midnight = _at(wished + timedelta(days=1), 0)
    stage.go_to(midnight - timedelta(minutes=1))
    stage.expect(f"失効希望日 {wished} の23時59分には、まだ有効", true=_count(stage) == before)
    stage.go_to(min(midnight + timedelta(minutes=1), max(end, midnight)))
    stage.expect("日本時間の24時を過ぎると失効し、CRLに載る", true=_count(stage)[1] > before[1] and _crl_agrees(stage))
    stage.tell_letters(AOZORA, HANAKO)


def _close(stage: Stage, end: datetime) -> None:
    """The end: publish a CRL of today, lay out the CA's files, and look whether everything agrees."""
    stage.clock.move(max(stage.clock(), end))
    upkeep.publish_crl(stage.centre, force=True)
    # The yearly visit to the safe again.
    ceremony.establish_authority(stage.centre.settings, now=stage.clock())
    target = stage.folder / "ca"
    target.mkdir(exist_ok=True)
    for name in ("root.pem", "issuing.pem", "chain.pem"):
        shutil.copyfile(stage.centre.public / name, target / name)
    # For openssl and nginx, which want PEM; at the addresses in the certificates lies DER.
    for name in ("root.crl", "issuing.crl"):
        shutil.copyfile(stage.centre.public / f"{name}.pem", target / name)
    with stage.centre.store.transaction() as tx:
        faults = [
            str(fault) for fault in check_register(tx, authority=stage.centre.signer.authority, now=stage.clock())
        ]
        faults += stage.centre.audit.faults(tx)
    stage.say("\n■ おわりに")
    stage.expect("台帳・証明書・CRL・監査記録が一致している", true=not faults)
    living, revoked = _count(stage)
    stage.say(f"    発行 {living} 枚、うち失効 {revoked} 枚。確かめるには：")
    certificates = stage.folder / "certificates"
    number = sorted(path.stem for path in certificates.glob("*.p12"))[-1]
    stage.say(
        f"      openssl pkcs12 -in {certificates}/{number}.p12 -passin file:{certificates}/{number}.password"
        " -nokeys -clcerts"
    )


def _paper(stage: Stage, name: str, *, wished: date | None = None) -> bytes:
    return form(name, applied=_today(stage), wished=wished)


def _today(stage: Stage) -> date:
    return stage.clock().astimezone(JST).date()


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), JST).astimezone(UTC)


def _count(stage: Stage) -> tuple[int, int]:
    """How many certificates were issued, and how many of them are revoked."""
    with stage.centre.store.transaction() as tx:
        rows = [row for row in register.every(tx) if row.der is not None]
    return len(rows), sum(row.revoked_at is not None for row in rows)


def _subjects(stage: Stage, address: str) -> list[str]:
    with stage.centre.store.transaction() as tx:
        return [row.subject for row in register.every(tx) if row.email == address]


def _crl_agrees(stage: Stage) -> bool:
    published = x509.load_der_x509_crl((stage.centre.public / upkeep.CRL_FILE).read_bytes())
    return len(published) == _count(stage)[1]


def _quote(stage: Stage, text: str) -> None:
    stage.say("    承認依頼の本文（抜粋）：")
    for line in [line for line in text.splitlines() if line.strip()][:16]:
        stage.say(f"      | {line}")


__all__ = ["CENTRE", "Told", "play"]
