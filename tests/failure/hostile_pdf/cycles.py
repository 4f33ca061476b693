"""Things that contain themselves, or contain each other so deeply that recursion ends before they do."""

from failure.hostile_pdf.writing import HELVETICA, WORDS, Pdf, page


def _tree(kids_of_first, kids_of_second):
    pdf = Pdf()
    pdf.add("<< /Type /Catalog /Pages 2 0 R >>")
    pdf.add(f"<< /Type /Pages /Count 1 /Kids [{kids_of_first}] >>")
    pdf.add(f"<< /Type /Pages /Parent 2 0 R /Count 1 /Kids [{kids_of_second}] >>")
    pdf.add("<< /Type /Page /Parent 3 0 R /MediaBox [0 0 595 842] >>")
    return pdf.build(1)


def _deep_tree(levels):
    pdf = Pdf()
    pdf.add("<< /Type /Catalog /Pages 2 0 R >>")
    for level in range(levels):
        pdf.add(f"<< /Type /Pages /Parent {level + 1} 0 R /Count 1 /Kids [{level + 3} 0 R] >>")
    pdf.add(f"<< /Type /Page /Parent {levels + 1} 0 R /MediaBox [0 0 595 842] >>")
    return pdf.build(1)


def _xobject():
    def loop(pdf):
        own = len(pdf.objects) + 1
        resources = f"/Resources << /XObject << /X {own} 0 R >> >>"
        pdf.stream(b"/X Do /X Do", f"/Type /XObject /Subtype /Form /BBox [0 0 600 900] {resources}")
        return (f"/XObject << /X {own} 0 R >>",)

    return page(WORDS + b"/X Do", more=loop)


def _xobjects_of_each_other():
    def loop(pdf):
        first = len(pdf.objects) + 1
        for name, other in (("Y", first + 1), ("X", first)):
            resources = f"/Resources << /XObject << /{name} {other} 0 R >> >>"
            pdf.stream(f"/{name} Do ".encode() * 5, f"/Type /XObject /Subtype /Form /BBox [0 0 600 900] {resources}")
        return (f"/XObject << /X {first} 0 R >>",)

    return page(WORDS + b"/X Do", more=loop)


def _appearance():
    def loop(pdf):
        own = len(pdf.objects) + 1
        resources = f"/Resources << /XObject << /X {own} 0 R >> >>"
        pdf.stream(b"/X Do", f"/Type /XObject /Subtype /Form /BBox [0 0 9 9] {resources}")
        return "", f"/Annots [<< /Type /Annot /Subtype /Stamp /Rect [0 0 500 500] /AP << /N {own} 0 R >> >>]"

    return page(more=loop)


def _pattern():
    def loop(pdf):
        own = len(pdf.objects) + 1
        pdf.stream(
            b"/Pattern cs /P scn 0 0 9 9 re f",
            "/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 9 9] /XStep 9 /YStep 9 "
            f"/Resources << /Pattern << /P {own} 0 R >> >>",
        )
        return (f"/Pattern << /P {own} 0 R >>",)

    return page(WORDS + b"/Pattern cs /P scn 0 0 595 842 re f", more=loop)


def _soft_mask():
    def loop(pdf):
        own = len(pdf.objects) + 1
        state = f"/ExtGState << /G << /SMask << /S /Alpha /G {own} 0 R >> >> >>"
        pdf.stream(
            b"/G gs 0 0 600 900 re f",
            f"/Type /XObject /Subtype /Form /BBox [0 0 600 900] /Group << /S /Transparency >> /Resources << {state} >>",
        )
        return (state,)

    return page(WORDS + b"/G gs 0 0 600 900 re f", more=loop)


def _fields():
    def loop(pdf):
        first = len(pdf.objects) + 1
        pdf.add(f"<< /T (a) /FT /Tx /Parent {first + 1} 0 R /Kids [{first + 1} 0 R] >>")
        pdf.add(f"<< /T (b) /Parent {first} 0 R /Kids [{first} 0 R] /Subtype /Widget /Rect [0 0 9 9] >>")
        return "", f"/Annots [{first} 0 R {first + 1} 0 R]", f"/AcroForm << /Fields [{first} 0 R] >>"

    return page(more=loop)


def _type3():
    """A glyph that is drawn with a text in its own font."""

    def loop(pdf):
        glyph, font = len(pdf.objects) + 1, len(pdf.objects) + 2
        pdf.stream(b"500 0 d0 BT /F3 1 Tf (aaaa) Tj ET")
        pdf.add(
            f"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /FontMatrix [.1 0 0 .1 0 0] /FirstChar 97 /LastChar 97 "
            f"/Widths [500] /Encoding << /Differences [97 /a] >> /CharProcs << /a {glyph} 0 R >> "
            f"/Resources << /Font << /F3 {font} 0 R >> >> >>"
        )
        return (f"/Font << /F3 {font} 0 R >>",)

    return page(b"BT /F3 12 Tf 72 700 Td (" + b"a" * 40 + b") Tj ET", resources="", more=loop)


def _outlines():
    def loop(pdf):
        first = len(pdf.objects) + 1
        pdf.add(f"<< /First {first + 1} 0 R /Last {first + 1} 0 R /Count 1 >>")
        pdf.add(f"<< /Title (x) /Parent {first} 0 R /Next {first + 1} 0 R /First {first} 0 R /Dest [0 /Fit] >>")
        return "", "", f"/Outlines {first} 0 R"

    return page(more=loop)


def _names():
    def loop(pdf):
        own = len(pdf.objects) + 1
        pdf.add(f"<< /Kids [{own} 0 R {own} 0 R] /Limits [(a) (z)] >>")
        return "", "", f"/Names << /Dests {own} 0 R /EmbeddedFiles {own} 0 R /JavaScript {own} 0 R >> /Dests {own} 0 R"

    return page(more=loop)


def _page_labels():
    def loop(pdf):
        own = len(pdf.objects) + 1
        pdf.add(f"<< /Kids [{own} 0 R] >>")
        return "", "", f"/PageLabels {own} 0 R /StructTreeRoot << /K {own} 0 R /ParentTree {own} 0 R >>"

    return page(more=loop)


def _reference_to_itself():
    def loop(pdf):
        own = len(pdf.objects) + 1
        pdf.add(f"{own} 0 R")
        return "", f"/Rotate {own} 0 R /CropBox {own} 0 R /Annots {own} 0 R"

    return page(more=loop)


def _length_of_itself():
    pdf = Pdf()
    pdf.add("<< /Type /Catalog /Pages 2 0 R >>")
    pdf.add("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
    pdf.add(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << {HELVETICA} >> >>")
    pdf.add(b"<< /Length 4 0 R >>\nstream\n" + WORDS + b"\nendstream")
    return pdf.build(1)


def _color_space():
    def loop(pdf):
        own = len(pdf.objects) + 1
        pdf.add(f"[/Indexed {own} 0 R 1 <0001>]")
        return (f"/ColorSpace << /C {own} 0 R >>",)

    return page(WORDS + b"/C cs 1 sc 0 0 500 500 re f", more=loop)


def _function():
    def loop(pdf):
        own = len(pdf.objects) + 1
        pdf.add(f"<< /FunctionType 3 /Domain [0 1] /Functions [{own} 0 R {own} 0 R] /Bounds [.5] /Encode [0 1 0 1] >>")
        shading = f"<< /ShadingType 2 /ColorSpace /DeviceGray /Coords [0 0 595 842] /Function {own} 0 R >>"
        return (f"/Shading << /S {shading} >>",)

    return page(WORDS + b"/S sh", more=loop)


def _previous_itself():
    data = page()
    at = data.rindex(b"startxref\n") + 10
    place = data[at:].split(b"\n")[0].decode()
    return page(trailer=f"/Prev {place}")


def _previous_back_and_forth():
    """Two cross-reference sections, each of which names the other as the one before."""
    first = page(trailer="/Prev 9999999999")
    at = int(first[first.rindex(b"startxref\n") + 10 :].split(b"\n")[0])
    second = (
        b"xref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 9 /Root 4 0 R /Prev %010d >>\nstartxref\n%d\n%%%%EOF\n"
        % (
            at,
            len(first),
        )
    )
    return first.replace(b"/Prev 9999999999", b"/Prev %010d" % len(first)) + second


def _next_action():
    def loop(pdf):
        own = len(pdf.objects) + 1
        pdf.add(f"<< /S /JavaScript /JS (app.alert\\(1\\)) /Next [{own} 0 R {own} 0 R] >>")
        return "", "", f"/OpenAction {own} 0 R"

    return page(more=loop)


def _nested(opening, closing, depth):
    return page(entries=f"/X {opening * depth}{closing * depth}")


CASES = {
    "page-tree": lambda: _tree("3 0 R", "2 0 R"),
    "page-tree-own-kid": lambda: _tree("2 0 R", "4 0 R"),
    "page-tree-same-kid-twice": lambda: _tree("3 0 R " * 1000, "4 0 R " * 1000),
    "page-tree-10k-deep": lambda: _deep_tree(10_000),
    "parent-of-page-is-page": lambda: page(entries="/Parent 2 0 R"),
    "xobject": _xobject,
    "xobjects-of-each-other": _xobjects_of_each_other,
    "appearance": _appearance,
    "pattern": _pattern,
    "soft-mask": _soft_mask,
    "fields": _fields,
    "type3-glyph": _type3,
    "outlines": _outlines,
    "names": _names,
    "page-labels": _page_labels,
    "reference-to-itself": _reference_to_itself,
    "length-of-itself": _length_of_itself,
    "color-space": _color_space,
    "function": _function,
    "previous-xref-itself": _previous_itself,
    "previous-xref-back-and-forth": _previous_back_and_forth,
    "next-action": _next_action,
    "arrays-deep": lambda: _nested("[", "]", 200_000),
    "dictionaries-deep": lambda: _nested("<< /A ", " >>", 100_000),
    "strings-deep": lambda: _nested("(", ")", 500_000),
    "array-never-closed": lambda: page(entries="/X " + "[" * 500_000),
    "content-arrays-deep": lambda: page(b"[" * 300_000 + b"]" * 300_000 + b" TJ " + WORDS),
    "content-dictionaries-deep": lambda: page(b"/P " + b"<< /A " * 100_000 + b">>" * 100_000 + b" DP " + WORDS),
}
