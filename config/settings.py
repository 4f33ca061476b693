"""The settings of a centre: read once, checked whole, frozen.

One TOML file (`example.toml` documents every option). An unknown key stops the program and names the nearest known
one; secrets are never in the file, only the names of credentials (`config.credentials`).
"""

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from config.faults import LIMITS, find_faults
from config.options import (
    ApprovalSettings,
    Approver,
    AuthenticationSettings,
    CaSettings,
    CentreSettings,
    CrlSettings,
    FormsSettings,
    HttpSettings,
    MailboxSettings,
    OAuthSettings,
    OcspSettings,
    PolicySettings,
    RunSettings,
    Settings,
    SmtpSettings,
)

__all__ = [
    "LIMITS",
    "ApprovalSettings",
    "Approver",
    "AuthenticationSettings",
    "CaSettings",
    "CentreSettings",
    "CrlSettings",
    "FormsSettings",
    "HttpSettings",
    "MailboxSettings",
    "OAuthSettings",
    "OcspSettings",
    "PolicySettings",
    "RunSettings",
    "Settings",
    "SettingsError",
    "SmtpSettings",
    "build",
    "load",
]


class SettingsError(ValueError):
    """The configuration cannot be used; the sentence says which key, why, and what to write instead."""


def load(path: Path) -> Settings:
    """Read one configuration file. Raises SettingsError for anything that is missing, unknown or impossible."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); write one with `ogis-lra init`") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    return build(raw, base=path.parent, source=str(path))


def build(raw: Mapping[str, Any], *, base: Path, source: str = "settings") -> Settings:
    """Make settings from parsed TOML; relative paths are taken from `base`. Raises SettingsError."""
    settings = typing.cast(Settings, _read(Settings, raw, source))
    _check(settings, source)
    return dataclasses.replace(
        settings,
        data_dir=(base / settings.data_dir).absolute(),
        credentials_dir=_absolute(base, settings.credentials_dir),
        forms=dataclasses.replace(settings.forms, folder=_absolute(base, settings.forms.folder)),
        authentication=dataclasses.replace(
            settings.authentication,
            smime_roots=_absolute(base, settings.authentication.smime_roots),
            smime_crls=_absolute(base, settings.authentication.smime_crls),
        ),
        mailbox=dataclasses.replace(settings.mailbox, ca_file=_absolute(base, settings.mailbox.ca_file)),
        smtp=dataclasses.replace(settings.smtp, ca_file=_absolute(base, settings.smtp.ca_file)),
        oauth=dataclasses.replace(settings.oauth, ca_file=_absolute(base, settings.oauth.ca_file)),
    )


def _absolute(base: Path, path: str) -> str:
    return str((base / path).absolute()) if path else ""


def _check(settings: Settings, source: str) -> None:
    """Refuse what has the right type and still cannot work."""
    for key, fault in find_faults(settings):
        raise SettingsError(f"{source}: {key}: {fault}")


def _read(kind: type, raw: Mapping[str, Any], where: str) -> object:
    hints = get_type_hints(kind)
    known = {each.name: each for each in dataclasses.fields(kind)}
    for key in raw:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(known)}"
            raise SettingsError(f"{where}: unknown key {key!r}{hint}")
    values: dict[str, object] = {}
    for name, each in known.items():
        if name in raw:
            values[name] = _value(hints[name], raw[name], f"{where}: {name}")
        elif each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
            raise SettingsError(f"{where}: {name!r} is missing")
    return kind(**values)


def _value(kind: Any, raw: Any, where: str) -> object:  # noqa: ANN401 - the shape of a type hint is not a type
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(raw, Mapping):
            raise SettingsError(f"{where}: must be a table")
        return _read(kind, raw, where)
    if get_origin(kind) is tuple:
        if not isinstance(raw, list):
            raise SettingsError(f"{where}: must be a list")
        (item, _) = get_args(kind)
        return tuple(_value(item, each, f"{where}[{index}]") for index, each in enumerate(raw))
    if kind is Path:
        kind, wrap = str, Path
    else:
        wrap = None
    if isinstance(kind, types.UnionType) or not isinstance(raw, kind) or isinstance(raw, bool) is not (kind is bool):
        raise SettingsError(f"{where}: must be of type {getattr(kind, '__name__', kind)}")
    return wrap(raw) if wrap else raw
