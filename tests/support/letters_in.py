"""Builders of incoming mails, octet by octet: the standard library's generators would mend what the tests break."""

import base64
import binascii
from collections.abc import Iterable

AUTHSERV_ID = "mx.lra.example"
STAFF = "tanaka@lra.example"
OFFICE = "ogis-lra@lra.example"
TOKEN = "ABCDEFGHIJKLMNOPQRSTUVWX23"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n%%EOF\n"

Field = tuple[str, str | bytes]


def octets(value: str | bytes) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else value


def header(fields: Iterable[Field]) -> bytes:
    return b"".join(octets(name) + b": " + octets(value) + b"\r\n" for name, value in fields)


def letter(
    body: str | bytes = "申請書をお送りします。\r\n",
    *,
    sender: str | bytes | None = "Taro Yamada <taro.yamada@aozora-denki.example>",
    to: str | bytes = OFFICE,
    subject: str | bytes = "=?utf-8?B?55Sz6KuL5pu4?=",
    content_type: str | bytes = "text/plain; charset=utf-8",
    encoding: str = "8bit",
    fields: Iterable[Field] = (),
    top: Iterable[Field] = (),
) -> bytes:
    """A whole message. `top` goes above everything, `fields` below the usual ones."""
    usual: list[Field] = [
        ("Message-ID", "<1@aozora-denki.example>"),
        ("Date", "Mon, 01 Jul 2024 09:30:00 +0900"),
        ("To", to),
        ("Subject", subject),
        ("MIME-Version", "1.0"),
        ("Content-Type", content_type),
        ("Content-Transfer-Encoding", encoding),
    ]
    if sender is not None:
        usual.insert(0, ("From", sender))
    return header([*top, *usual, *fields]) + b"\r\n" + octets(body)


def encoded(data: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        return base64.encodebytes(data).replace(b"\n", b"\r\n")
    if encoding == "quoted-printable":
        return b"".join(b"=%02X" % byte if at % 20 else b"=\r\n=%02X" % byte for at, byte in enumerate(data))
    if encoding == "x-uuencode":
        lines = [binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)]
        return b"begin 644 f\n" + b"".join(lines) + b"`\nend\n"
    return data


def part(
    data: bytes,
    content_type: str | bytes = "application/pdf",
    *,
    encoding: str = "base64",
    disposition: str | bytes | None = 'attachment; filename="form.pdf"',
    fields: Iterable[Field] = (),
) -> bytes:
    """One body part, header and encoded content."""
    own: list[Field] = [("Content-Type", content_type), ("Content-Transfer-Encoding", encoding)]
    if disposition is not None:
        own.append(("Content-Disposition", disposition))
    return header([*own, *fields]) + b"\r\n" + encoded(data, encoding)


def text_part(text: str | bytes, content_type: str = "text/plain; charset=utf-8") -> bytes:
    return part(octets(text), content_type, encoding="8bit", disposition=None)


def multipart(*parts: bytes, boundary: str = "=_b0") -> bytes:
    """The body of a multipart whose boundary is `boundary`."""
    mark = b"\r\n--" + boundary.encode()
    return b"".join(mark + b"\r\n" + each for each in parts) + mark + b"--\r\n"


def mixed(*parts: bytes, subtype: str = "mixed", boundary: str = "=_b0", **settings: object) -> bytes:
    """A whole multipart message."""
    return letter(
        multipart(*parts, boundary=boundary),
        content_type=f'multipart/{subtype}; boundary="{boundary}"',
        **settings,  # type: ignore[arg-type]
    )


def nested(*parts: bytes, subtype: str, boundary: str) -> bytes:
    """A multipart as a part of another one."""
    head: list[Field] = [("Content-Type", f'multipart/{subtype}; boundary="{boundary}"')]
    return header(head) + b"\r\n" + multipart(*parts, boundary=boundary)


def application_mail(pdf: bytes = PDF, *, name: str = "申請書.pdf", **settings: object) -> bytes:
    """A mail with a form as applicants send it."""
    disposition = f"attachment; filename*=utf-8''{''.join(f'%{byte:02X}' for byte in name.encode())}"
    return mixed(text_part("申請書をお送りします。"), part(pdf, disposition=disposition), **settings)


def stamped(raw: bytes, result: str = f"auth=pass smtp.auth={STAFF}", *, authserv_id: str = AUTHSERV_ID) -> bytes:
    """The mail as our server delivers it: its stamp on top, its Received field below."""
    trace: list[Field] = [
        ("Authentication-Results", f"{authserv_id}; {result}"),
        ("Received", f"from client ([192.0.2.1]) by {authserv_id} with ESMTPSA; Mon, 01 Jul 2024 09:31:00 +0900"),
    ]
    return header(trace) + raw


def reply(text: str | bytes, *, token: str = TOKEN, **settings: object) -> bytes:
    """A staff reply to a request, as our server delivers it."""
    local, _, domain = OFFICE.partition("@")
    settings = {
        "sender": f"Tanaka <{STAFF}>",
        "to": f"{local}+{token}@{domain}",
        "subject": f"Re: [#{token}]",
        **settings,
    }
    return stamped(letter(text, **settings))  # type: ignore[arg-type]
