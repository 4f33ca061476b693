"""The fillable part of the PDF form: fields over the printed cells, and the finishing of the file by pypdf.

Text fields, a list for the type and boxes to tick; no script, because mail filters and viewers strip them. The font of
the fields is embedded (`daemon.form_typing`). Auto-sized text shrinks with its length, so that what is typed is also
printed whole.
"""

import io
import re
from collections.abc import Mapping, Sequence

import pypdf
from pypdf.generic import (
    ArrayObject,
    BooleanObject,
    DecodedStreamObject,
    DictionaryObject,
    FloatObject,
    IndirectObject,
    NameObject,
    NumberObject,
    StreamObject,
    TextStringObject,
)

from config.forms import Form
from config.request_types import Table
from daemon.form_fonts import Typeface
from daemon.form_layout import Place, Role
from daemon.form_typing import text_map, typing_fonts
from daemon.form_values import TYPE
from parsers.reading import Box

# Field flags (ISO 32000-1, tables 228 and 230).
_MULTILINE, _NO_SPELLCHECK, _COMBO = 1 << 12, 1 << 22, 1 << 17
_PRINTED = 4  # annotation flag: the field is on paper as well
_INSET = 1.0
TICK_SIZE = 9.5  # points, the side of a box to tick


def add_fields(
    data: bytes,
    places: Sequence[tuple[Place, Box]],
    *,
    form: Form,
    table: Table,
    face: Typeface,
    scale: float,
    height: float,
) -> bytes:
    """The drawn page with a field over each place, named as SPEC 5 names it."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    _mend(writer)
    page = writer.pages[0]
    fonts = typing_fonts(writer, face)
    fields, widgets = ArrayObject(), ArrayObject()
    blocks: dict[str, tuple[IndirectObject, ArrayObject]] = {}
    looks = {state: _tick_look(writer, fonts.raw_get("/ZaDb"), ticked=state) for state in (True, False)}
    for place, box in sorted(places, key=lambda each: (round(each[1].y0), each[1].x0)):
        field = _field(place, box, height, form=form, table=table, scale=scale, looks=looks)
        field[NameObject("/P")] = page.indirect_reference
        reference = writer._add_object(field)  # noqa: SLF001 - pypdf has no public way to add an object
        widgets.append(reference)
        block, dot, last = place.key.partition(".")
        field[NameObject("/T")] = TextStringObject(last if dot else place.key)
        if not dot:
            fields.append(reference)
            continue
        # A dot parts the levels of a name (ISO 32000-1, 12.7.3.2): the block is a field of its own above its fields.
        if block not in blocks:
            kids = ArrayObject()
            parent = DictionaryObject({NameObject("/T"): TextStringObject(block), NameObject("/Kids"): kids})
            blocks[block] = writer._add_object(parent), kids  # noqa: SLF001 - as above
            fields.append(blocks[block][0])
        above, siblings = blocks[block]
        field[NameObject("/Parent")] = above
        siblings.append(reference)
    page[NameObject("/Annots")] = widgets
    page[NameObject("/Tabs")] = NameObject("/R")  # the tabulator goes by rows
    writer.root_object[NameObject("/AcroForm")] = writer._add_object(  # noqa: SLF001 - as above
        DictionaryObject(
            {
                NameObject("/Fields"): fields,
                NameObject("/NeedAppearances"): BooleanObject(value=True),
                NameObject("/DA"): TextStringObject("/JaGo 0 Tf 0 g"),
                NameObject("/DR"): DictionaryObject({NameObject("/Font"): fonts}),
            }
        )
    )
    return _written(writer)


def _field(
    place: Place,
    box: Box,
    height: float,
    *,
    form: Form,
    table: Table,
    scale: float,
    looks: Mapping[bool, IndirectObject],
) -> DictionaryObject:
    ticked = place.role is Role.CHECK
    field = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Annot"),
            NameObject("/Subtype"): NameObject("/Widget"),
            NameObject("/Rect"): _rect(tick_square(box) if ticked else box, height, inset=0 if ticked else _INSET),
            NameObject("/F"): NumberObject(_PRINTED),
            NameObject("/TU"): TextStringObject(printed_label(place.key, form)),
        }
    )
    if ticked:
        field.update(
            {
                NameObject("/FT"): NameObject("/Btn"),
                NameObject("/V"): NameObject("/Off"),
                NameObject("/AS"): NameObject("/Off"),
                NameObject("/DA"): TextStringObject("/ZaDb 0 Tf 0 g"),
                NameObject("/MK"): DictionaryObject({NameObject("/CA"): TextStringObject("4")}),
                NameObject("/AP"): DictionaryObject(
                    {
                        NameObject("/N"): DictionaryObject(
                            {NameObject("/Yes"): looks[True], NameObject("/Off"): looks[False]}
                        )
                    }
                ),
            }
        )
        return field
    field[NameObject("/DA")] = TextStringObject("/JaGo 0 Tf 0 g")
    if place.role in (Role.TYPE, Role.DATE):
        field[NameObject("/Q")] = NumberObject(1)  # centred
    if place.key == TYPE:
        words = [TextStringObject(rule.word) for rule in table.types.values()]
        field[NameObject("/FT")] = NameObject("/Ch")
        field[NameObject("/Ff")] = NumberObject(_COMBO | _NO_SPELLCHECK)
        field[NameObject("/Opt")] = ArrayObject(words)
        return field
    field[NameObject("/FT")] = NameObject("/Tx")
    remarks = place.role is Role.REMARKS
    field[NameObject("/Ff")] = NumberObject(_NO_SPELLCHECK | (_MULTILINE if remarks else 0))
    if remarks:
        # Auto-sized text of several lines grows to fill its box in some viewers.
        field[NameObject("/DA")] = TextStringObject(f"/JaGo {9.5 * scale:.1f} Tf 0 g")
    return field


def printed_label(key: str, form: Form) -> str:
    """What a viewer calls the field: the labels printed on the form; dates show how they are written."""
    if key == TYPE:
        return form.request_type_labels[0]
    block, dot, _ = key.partition(".")
    label = f"{form.block_labels[block][0]} {form.label(key)}" if dot else form.label(key)
    return f"{label}（例：2024年7月1日）" if key.endswith("_date") else label


def tick_square(box: Box) -> Box:
    """The square to tick, in the middle of its cell."""
    x, y, half = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, TICK_SIZE / 2
    return Box(x - half, y - half, x + half, y + half)


def _rect(box: Box, height: float, *, inset: float) -> ArrayObject:
    corners = (box.x0 + inset, height - box.y1 + inset, box.x1 - inset, height - box.y0 - inset)
    return ArrayObject([FloatObject(round(corner, 2)) for corner in corners])


def _tick_look(writer: pypdf.PdfWriter, font: IndirectObject, *, ticked: bool) -> IndirectObject:
    """A tick, or nothing: the square round it is printed on the page.

    The tick is a character, so that a form whose fields were printed into the page still has it in its text.
    """
    side = TICK_SIZE
    size = 0.95 * side
    drawing = f"q BT 0 g /ZaDb {size:.2f} Tf {0.1 * side:.2f} {0.17 * side:.2f} Td (4) Tj ET Q" if ticked else ""
    look = DecodedStreamObject()
    look.set_data(drawing.encode())
    look.update(
        {
            NameObject("/Type"): NameObject("/XObject"),
            NameObject("/Subtype"): NameObject("/Form"),
            NameObject("/BBox"): ArrayObject([FloatObject(0), FloatObject(0), FloatObject(side), FloatObject(side)]),
            NameObject("/Resources"): DictionaryObject(
                {NameObject("/Font"): DictionaryObject({NameObject("/ZaDb"): font})}
            ),
        }
    )
    return writer._add_object(look)  # noqa: SLF001 - as in add_fields


# --- finishing ----------------------------------------------------------------------------------------------------

_BFCHAR = re.compile(rb"<([0-9A-F]{2})> <([0-9A-F]{4,6})>")


def mend_text_maps(data: bytes) -> bytes:
    """The file with its characters mapped to text as the standard asks, and its language told."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    _mend(writer)
    return _written(writer)


def _mend(writer: pypdf.PdfWriter) -> None:
    """reportlab writes a character beyond the basic plane (𠮷) as its number and all characters as one list; a
    ToUnicode map takes UTF-16 and lists of at most 100 (ISO 32000-1, 9.10.3; Adobe note 5411)."""
    for item in list(writer._objects):  # noqa: SLF001 - pypdf has no public way to visit every object
        stream = (
            item["/ToUnicode"].get_object() if isinstance(item, DictionaryObject) and "/ToUnicode" in item else None
        )
        if isinstance(stream, StreamObject):
            stream.set_data(_text_map(stream.get_data()))
    writer.root_object[NameObject("/Lang")] = TextStringObject("ja-JP")
    writer.root_object[NameObject("/ViewerPreferences")] = DictionaryObject(
        {NameObject("/DisplayDocTitle"): BooleanObject(value=True), NameObject("/PrintScaling"): NameObject("/None")}
    )


def _text_map(old: bytes) -> bytes:
    """reportlab's map with its codes kept and everything else written anew."""
    return text_map([(code.decode(), int(number, 16)) for code, number in _BFCHAR.findall(old)], last_code="FF")


def _written(writer: pypdf.PdfWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
