"""Applications as they come from a scan: every value with a place and the confidence of a recogniser, never 1."""

from dataclasses import replace

from parsers import rules
from parsers.reading import Application, Box, FieldValue, Route
from support.applications import TABLE, TODAY

SURE, UNSURE = 0.97, 0.6


def scanned(application: Application, **doubtful) -> Application:
    """The same form as if it had been read from a picture. `doubtful` names the fields that are in doubt, with the
    doubts (`user__email=("look_alike",)`); all others are sure. `everything=(…)` puts all of them in doubt. The rules have
    looked at it as at any form.
    """
    doubts = {name.replace("__", "."): codes for name, codes in doubtful.items()}
    fields = {}
    for row, (key, value) in enumerate(application.fields.items()):
        codes = doubts.get(key, doubts.get("everything"))
        box = Box(150.0, 60.0 + 20 * row, 400.0, 78.0 + 20 * row)
        unsure = codes is not None and value.value is not None
        fields[key] = replace(
            value, confidence=UNSURE if unsure else SURE, box=box, doubts=tuple(codes or ()) if unsure else ()
        )
    kind = application.request_type
    made = replace(
        application,
        route=Route.SCAN,
        fields=fields,
        seal=replace(application.seal, page=1, box=Box(420.0, 60.0, 520.0, 160.0)),
        type_reading=FieldValue(kind.value if kind else None, application.type_raw, SURE, 1, Box(150, 40, 400, 58)),
    )
    return replace(made, findings=rules.find(made, table=TABLE, received_on=TODAY))
