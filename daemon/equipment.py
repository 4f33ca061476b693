"""What the confined children of this centre are told: its own forms and the public half of its code key.

Reads the folder once, at the start of the service or of a command; a form that is added later is known after the next
start. A folder that is wrong stops the start: a form that silently is not known would come back as no form at all.
"""

from pathlib import Path

from config import forms
from config.settings import Settings, SettingsError
from parsers.equipment import Equipment


def equipment_of(settings: Settings, code_key: bytes = b"") -> Equipment:
    """The equipment of a centre; `code_key` is a public half. Raises SettingsError, which names file and key."""
    folder = settings.forms.folder
    return equipment_from(Path(folder), code_key, source="forms.folder") if folder else Equipment(code_key=code_key)


def equipment_from(folder: Path, code_key: bytes = b"", *, source: str) -> Equipment:
    """Equipment with the forms of this folder; `source` is where the folder was named. Raises SettingsError."""
    try:
        equipment = Equipment(tuple(forms.read_folder(folder).items()), code_key)
        equipment.library()
    except OSError as error:
        raise SettingsError(f"{source}: {error.filename or folder} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise SettingsError(f"{source}: {folder}: {error}") from error
    return equipment
