"""`form`: the blank form as Excel or PDF, a filled one with its code, and another layout learnt. Needs no centre.

A configuration is only looked at for the key that signs codes; without one, codes are unsigned and the answer says so.
"""

import argparse
import json
from pathlib import Path

from config import forms, request_types
from config.settings import load
from parsers.codes import CodeError
from parsers.errors import ParseError

from .console import Answer, UsageError, file_bytes
from .form import write_xlsx
from .form_code import modules_of
from .form_fonts import FontError
from .form_learning import learn_form
from .form_pdf import blank_pdf, filled_pdf
from .form_values import ValueFault, check_values
from .keyring import form_code_key

_USAGE = (
    "say what to write: `ogis-lra form --xlsx OUT`, `form --pdf OUT`, `form --fill VALUES.json --pdf OUT` "
    "or `form --learn BLANK.pdf --out FORM.toml`"
)


def form(arguments: argparse.Namespace) -> Answer:
    """Write one form, or the definition of one. Raises UsageError."""
    given = {name for name in ("xlsx", "pdf", "fill", "learn", "out") if getattr(arguments, name) is not None}
    if given == {"xlsx"}:
        return _excel(arguments.xlsx)
    if given == {"pdf"}:
        return _blank(arguments.pdf)
    if given == {"fill", "pdf"}:
        return _filled(arguments)
    if given == {"learn", "out"}:
        return _learnt(arguments.learn, arguments.out)
    raise UsageError(_USAGE)


def _excel(out: Path) -> Answer:
    newest = forms.newest()
    try:
        write_xlsx(out, form=newest, table=request_types.load())
    except OSError as error:
        raise _unwritable(out, error) from error
    return _written(out, newest.mark, newest.version)


def _blank(out: Path) -> Answer:
    newest = forms.newest()
    try:
        data = blank_pdf(newest, request_types.load())
    except FontError as error:
        raise UsageError(str(error)) from error
    _write(out, data)
    return _written(out, newest.mark, newest.version)


def _filled(arguments: argparse.Namespace) -> Answer:
    newest, table = forms.newest(), request_types.load()
    key = form_code_key(load(arguments.config)) if arguments.config.exists() else None
    try:
        values = check_values(_json(arguments.fill), newest, table)
        modules = modules_of(values, newest.version, key=key)
        data = filled_pdf(newest, table, values, modules)
    except ValueFault as error:
        raise UsageError(f"{arguments.fill}: {error}") from error
    except CodeError as error:
        raise UsageError(f"{arguments.fill}: the values are too long for the code; shorten the remarks") from error
    except FontError as error:
        raise UsageError(str(error)) from error
    _write(arguments.pdf, data)
    signed = "" if key else "; the code is not signed, for this centre has no form-code-key"
    return _written(arguments.pdf, f"{newest.mark}{signed}", newest.version, signed=key is not None)


def _learnt(blank: Path, out: Path) -> Answer:
    try:
        text = learn_form(file_bytes(blank))
    except ParseError as error:
        raise UsageError(f"{blank} cannot be read: {error}") from error
    except ValueError as error:
        raise UsageError(f"{blank}: {error}") from error
    _write(out, text.encode())
    return Answer(f"{out}: a proposal; compare it with the form and correct it", {"file": str(out)})


def _json(path: Path) -> object:
    try:
        return json.loads(file_bytes(path).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}") from error


def _write(out: Path, data: bytes) -> None:
    try:
        out.write_bytes(data)
    except OSError as error:
        raise _unwritable(out, error) from error


def _unwritable(out: Path, error: OSError) -> UsageError:
    return UsageError(f"{out} cannot be written: {error.strerror}")


def _written(out: Path, words: str, version: str, **more: bool) -> Answer:
    return Answer(f"{out}: {words}", {"file": str(out), "form_version": version, **more})
