"""What was read from one form: the value that travels from the parsers to the case.

The shapes follow `read --json` of SPEC 5. A field that is empty or cannot be read has the value None and keeps its
raw text, so that a person can always see what stood there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from config.request_types import RequestType


class Route(StrEnum):
    """How a page was read."""

    ACROFORM = "acroform"
    TEXT = "text"
    CODE = "code"
    SCAN = "scan"


class Severity(StrEnum):
    """Who must act on a finding (SPEC 5): the applicant mends a defect, staff accept a warning knowingly,
    staff look at a doubt, a note is for information."""

    DEFECT = "defect"
    WARNING = "warning"
    DOUBT = "doubt"
    NOTE = "note"


class SealVerdict(StrEnum):
    """Whether a seal mark is there. Never a claim about whose seal it is (SPEC 1.3.1)."""

    PRESENT = "present"
    UNCLEAR = "unclear"
    ABSENT = "absent"


class Box(NamedTuple):
    """A rectangle on a page in PDF points, origin at the top left."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def area(self) -> float:
        """Square points."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)

    def meets(self, other: "Box") -> bool:
        """Whether the two share more than an edge."""
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1


@dataclass(frozen=True, slots=True)
class FieldValue:
    """One field: `value` is the display value (dates in ISO 8601), `raw` the text as it stood, `page` counts from 1.

    `doubts` are codes of what speaks against the reading; the confidence already counts them.
    """

    value: str | None
    raw: str = ""
    confidence: float = 0.0
    page: int | None = None
    box: Box | None = None
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seal:
    """The three-way verdict on the seal box, and where the mark is.

    `fingerprint` begins with `image:` where it is the digest of a picture that was put into the PDF as it is: such
    pictures can be told to be the very same. Any other fingerprint only resembles.
    """

    verdict: SealVerdict
    confidence: float = 0.0
    page: int | None = None
    box: Box | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a rule found. `message` is a Japanese sentence that names the printed label and how to mend it;
    it never repeats a value of the form, so a letter may carry it."""

    code: str
    severity: Severity
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A document, or a page of it, that yields no application. `page` is None where the whole document is meant."""

    code: str
    message: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """One form as it was read. Every field of the form version is in `fields`; `type_raw` is what stood in 申請種別.

    `notes` are codes of what was noticed about the form as a whole (`code_unsigned`, `cut_page`, …). `type_reading`
    tells where the type stood and how sure it is; None where staff chose it, and in readings from before it was kept.
    """

    request_type: RequestType | None
    form_version: str | None
    route: Route
    pages: tuple[int, ...]
    fields: Mapping[str, FieldValue]
    confirmations: Mapping[str, bool | None]
    seal: Seal
    type_raw: str = ""
    type_words: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = field(default=())
    notes: tuple[str, ...] = ()
    type_reading: FieldValue | None = None

    def value(self, key: str) -> str | None:
        """The display value of a field; None where it is empty, unreadable or not on this form version."""
        found = self.fields.get(key)
        return found.value if found else None


@dataclass(frozen=True, slots=True)
class Reading:
    """All that one document gave."""

    applications: tuple[Application, ...]
    problems: tuple[Problem, ...] = ()


def to_json(reading: Reading) -> dict[str, Any]:
    """The document of `ogis-lra read --json` (SPEC 5)."""
    return {
        "applications": [application_to_json(application) for application in reading.applications],
        "problems": [
            {"code": problem.code, "page": problem.page, "message": problem.message} for problem in reading.problems
        ],
    }


def application_to_json(application: Application) -> dict[str, Any]:
    """One application in the shape of SPEC 5; `application_from_json` is its inverse."""
    return {
        "request_type": application.request_type.value if application.request_type else None,
        "form_version": application.form_version,
        "route": application.route.value,
        "pages": list(application.pages),
        "fields": {key: _value_to_json(value) for key, value in application.fields.items()},
        "confirmations": dict(application.confirmations),
        "seal": {
            "verdict": application.seal.verdict.value,
            "confidence": application.seal.confidence,
            "page": application.seal.page,
            "box": list(application.seal.box) if application.seal.box else None,
            "fingerprint": application.seal.fingerprint,
        },
        "type_raw": application.type_raw,
        "type_words": list(application.type_words),
        "type_reading": _value_to_json(application.type_reading) if application.type_reading else None,
        "notes": list(application.notes),
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity.value,
                "field": finding.field,
                "message": finding.message,
            }
            for finding in application.findings
        ],
    }


def application_from_json(raw: Mapping[str, Any]) -> Application:
    """Build an application from its stored JSON. Raises KeyError or ValueError on anything else."""
    seal = raw["seal"]
    return Application(
        request_type=RequestType(raw["request_type"]) if raw["request_type"] else None,
        form_version=raw["form_version"],
        route=Route(raw["route"]),
        pages=tuple(raw["pages"]),
        fields={key: _value_from_json(value) for key, value in raw["fields"].items()},
        confirmations=dict(raw["confirmations"]),
        seal=Seal(
            verdict=SealVerdict(seal["verdict"]),
            confidence=seal["confidence"],
            page=seal.get("page"),
            box=Box(*seal["box"]) if seal.get("box") else None,
            fingerprint=seal.get("fingerprint", ""),
        ),
        type_raw=raw.get("type_raw", ""),
        type_words=tuple(raw.get("type_words", ())),
        notes=tuple(raw.get("notes", ())),
        type_reading=_value_from_json(raw["type_reading"]) if raw.get("type_reading") else None,
        findings=tuple(
            Finding(
                code=finding["code"],
                severity=Severity(finding["severity"]),
                field=finding["field"],
                message=finding["message"],
            )
            for finding in raw["findings"]
        ),
    )


def _value_to_json(value: FieldValue) -> dict[str, Any]:
    return {
        "value": value.value,
        "raw": value.raw,
        "confidence": value.confidence,
        "page": value.page,
        "box": list(value.box) if value.box else None,
        "doubts": list(value.doubts),
    }


def _value_from_json(raw: Mapping[str, Any]) -> FieldValue:
    return FieldValue(
        value=raw["value"],
        raw=raw["raw"],
        confidence=raw["confidence"],
        page=raw["page"],
        box=Box(*raw["box"]) if raw["box"] else None,
        doubts=tuple(raw.get("doubts", ())),
    )
