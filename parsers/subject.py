"""What a rule of the form may look at, and nothing else: the application as read, the table, the day of receipt."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from config.forms import Form
from config.request_types import Need, Row, Table
from parsers import dates
from parsers.characters import drop_invisible
from parsers.dates import DateReading
from parsers.reading import Application, FieldValue, Finding

# Below this confidence a reading is not good enough to tell an applicant that the form is wrong.
SURE = 0.9


@dataclass(frozen=True, slots=True)
class Subject:
    """What every rule may look at. `received_on` is the day of receipt in Japan; `form` is the form that was used, None
    where it is no longer known."""

    application: Application
    table: Table
    received_on: date
    form: Form | None = None

    def label(self, key: str) -> str:
        """The name by which the sender knows a field or a confirmation: as the form prints it, else the table's."""
        return self.form.name(key) if self.form and self.form.has(key) else self.table.label(key)

    def need(self, row: Row) -> Need:
        """What the chosen type asks of the row. While no type is chosen, only what all types require is required."""
        if self.application.request_type:
            return row.needs[self.application.request_type]
        needs = set(row.needs.values())
        return needs.pop() if len(needs) == 1 else Need.OPTIONAL

    def has(self, key: str) -> bool:
        """Whether this version of the form carries the field."""
        return key in self.application.fields

    def field(self, key: str) -> FieldValue:
        """The field as it was read; an empty one where the form version has none."""
        return self.application.fields.get(key, FieldValue(None, confidence=1.0))

    def filled_rows(self) -> Iterator[tuple[Row, FieldValue]]:
        """Every field of the form that is meant for this type and holds anything."""
        for row in self.table.fields():
            if self.has(row.key) and not self.need(row).greyed and not is_empty(self.field(row.key)):
                yield row, self.field(row.key)

    def day(self, key: str) -> DateReading:
        """A date field: the value as it now stands, and the code of its text where that text still gives this value."""
        field = self.field(key)
        read = dates.read_date(field.raw, self.received_on)
        if field.value is None:
            return read if read.value is None else DateReading(None)
        value = date.fromisoformat(field.value)
        # A value that staff have amended no longer carries the doubts of the old text.
        return read if read.value == value else DateReading(value)


Rule = Callable[[Subject], Iterator[Finding]]


def is_empty(field: FieldValue) -> bool:
    """Whether nothing at all can be seen in the field; what cannot be read is not empty."""
    return field.value is None and not drop_invisible(field.raw).strip()


def text_of(field: FieldValue) -> str:
    """What a person would see in the field: the display value, or the raw text where it cannot be read."""
    return field.value or field.raw
