"""The letters about what came and is no application: locked, of the wrong kind, elsewhere, or broken.

Each kind of mistake that has a way of its own to mend it has its own letter; several kinds in one mail, and whatever is
rare, are told in the general one, a sentence for each. None of them repeats a file's name: it is the sender's text, and
who sent the mail is not known for sure (domain notes D.0). docs/letters.md says when each goes.
"""

from collections.abc import Mapping, Sequence

from . import wording
from .draft import Draft, LetterKind, Office

# One sentence for each kind of `parsers.errors.ParseKind` and of document that `parsers.attachments.DocumentKind` tells
# apart, and for what only the whole mail tells.
SENTENCES: Mapping[str, str] = {
    "encrypted": "パスワードで保護されたファイルは、ウイルス検査ができないため、開いておりません。"
    "パスワードを設定していないPDFファイルでお送りください。",
    "spreadsheet": "Excelファイルのままでは、押印を確認できません。"
    "申請書に押印し、PDFファイルに変換してお送りください。",
    "word": "Wordなどの文書ファイルのままでは、押印を確認できません。"
    "申請書に押印し、PDFファイルに変換してお送りください。",
    "image": "画像ファイル（JPEG、PNGなど）では受付できません。PDFファイルに変換してお送りください。",
    "archive": "この形式の圧縮ファイルは、開くことができません。圧縮せずに、PDFファイルのままお送りください。",
    "encrypted_archive": "パスワード付きの圧縮ファイル（ZIPなど）は、ウイルス検査ができないため、開いておりません。"
    "圧縮せず、パスワードを設定していないPDFファイルのままお送りください。",
    "program": "プログラム形式のファイル（自己解凍形式、自己復号形式など）は、安全のため、開いておりません。"
    "PDFファイルのままお送りください。",
    "outlook_item": "Outlookのメール形式のファイル（拡張子が.msgのもの）は、開くことができません。"
    "申請書のPDFファイルを取り出し、直接添付してお送りください。",
    "tnef": "添付ファイルがOutlook独自の形式（winmail.dat）で届いたため、取り出すことができませんでした。"
    "メールの形式を「テキスト形式」または「HTML形式」にして、お送りください。",
    "damaged": "ファイルが壊れているため、開くことができませんでした。"
    "お手元で開けることをご確認のうえ、PDFファイルを作成し直してお送りください。",
    "empty": "ファイルの中身が空（0バイト）でした。PDFファイルを作成し直してお送りください。",
    "not_pdf": "PDFファイルではないため、内容を確認できませんでした。"
    "押印済みの申請書をPDFファイルに変換してお送りください。",
    "too_large": "ファイルの容量またはページ数が上限を超えているため、開くことができませんでした。"
    "解像度を下げるか、申請書のページだけをPDFファイルにしてお送りください。",
    "too_costly": "ファイルの構造が複雑なため、読み取ることができませんでした。"
    "申請書を印刷してスキャンし直すなど、PDFファイルを作成し直してお送りください。",
    "too_many": "1通のメールに添付されたファイルの数が上限を超えているため、一部を確認しておりません。"
    "数通のメールに分けてお送りください。",
    "mail_too_large": "メールの容量が大きすぎるか、構造が複雑なため、添付ファイルを取り出すことができませんでした。"
    "申請書のPDFファイルだけを添付した、新しいメールでお送りください。",
    "download_link": "リンク（URL）からファイルをダウンロードする方法では、安全のため、受け取っておりません。"
    "申請書のPDFファイルをメールに直接添付してお送りください。",
    "other_service": "お送りいただいた書類は、WebEC電子証明書発行サービスの申請書ではないようです。"
    "「WebEC電子証明書発行サービス申請書」の様式でお送りください。",
}

# The kinds that one letter of their own tells how to mend; a mail with nothing else gets that letter.
_LETTERS: Mapping[LetterKind, frozenset[str]] = {
    LetterKind.LOCKED_FILE: frozenset({"encrypted", "encrypted_archive"}),
    LetterKind.OFFICE_FILE: frozenset({"spreadsheet", "word"}),
    LetterKind.PICTURE_FILE: frozenset({"image"}),
    LetterKind.DOWNLOAD_LINK: frozenset({"download_link"}),
}
_PROGRAMS: Mapping[str, str] = {"spreadsheet": "Excel", "word": "Word"}


def unreadable(office: Office, kinds: Sequence[str]) -> Draft:
    """What came cannot be taken as a form: the letter of its own kind, or the general one with a sentence for each.

    `kinds` are keys of `SENTENCES`. Raises ValueError for none or an unknown one.
    """
    wanted = _known(kinds)
    own = next((letter for letter, told in _LETTERS.items() if told.issuperset(wanted)), None)
    if own is None:
        return wording.letter(LetterKind.UNREADABLE, office, auto="auto-replied", reasons=_sentences(wanted))
    if own is LetterKind.OFFICE_FILE:
        programs = "・".join(_PROGRAMS[kind] for kind in wanted)
        return wording.letter(own, office, auto="auto-replied", program=programs)
    return wording.letter(own, office, auto="auto-replied")


def not_taken(office: Office, kinds: Sequence[str]) -> Draft:
    """A form was taken from the mail, and these files beside it were not. Raises ValueError as `unreadable`."""
    return wording.letter(LetterKind.NOT_TAKEN, office, auto="auto-replied", reasons=_sentences(_known(kinds)))


def _known(kinds: Sequence[str]) -> list[str]:
    unknown = [kind for kind in kinds if kind not in SENTENCES]
    if unknown or not kinds:
        raise ValueError(f"no sentence for unreadable kinds: {', '.join(unknown) or 'none given'}")
    return list(dict.fromkeys(kinds))


def _sentences(kinds: Sequence[str]) -> str:
    return "\n".join(f"・{SENTENCES[kind]}" for kind in kinds)
