"""The issuing authorities of a centre and their parts: which one issues, which only look after what they issued.

The register holds them by number (issuing-1, issuing-2 …). The one of the highest number that has begun issues; the
others sign CRLs and have a responder until the last certificate of theirs has expired and one more CRL was made
(RFC 5280, 3.3). Nothing of this is stored: it follows from certificates and dates.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, func, select

from ca import register
from ca.authority import Authority
from ca.errors import CaError, CaErrorKind
from ca.hierarchy import ISSUING_ID, ROOT_ID, number_of
from config.settings import Settings

from .centre import profiles_of


class Standing(StrEnum):
    """What an issuing authority does at a moment."""

    COMING = "coming"
    """Made and published; issues from its not_before on."""
    CURRENT = "current"
    RETIRING = "retiring"
    """Issues nothing more, signs CRLs and has a responder."""
    RETIRED = "retired"
    """Nothing it issued is valid any more; its key is not needed."""


def issuing(tx: Connection) -> list[Authority]:
    """Every issuing authority, the newest first."""
    found = [each for each in register.every_authority(tx) if each.id != ROOT_ID]
    return sorted(found, key=lambda each: number_of(each.id), reverse=True)


def standings(tx: Connection, now: datetime) -> list[tuple[Authority, Standing]]:
    """Every issuing authority and what it does, the newest first."""
    known = issuing(tx)
    begun = [each.id for each in known if each.not_before <= now]
    current = next(iter(begun), known[0].id if known else "")
    return [(each, _standing(tx, each, current, now)) for each in known]


def serving(tx: Connection, now: datetime) -> list[Authority]:
    """Those whose keys are needed, the newest first. Raises CaError(not_found) where the CA was never established."""
    found = [each for each, standing in standings(tx, now) if standing is not Standing.RETIRED]
    if not found:
        raise CaError(CaErrorKind.NOT_FOUND, "no such authority in the register")
    return found


def rests(tx: Connection, authority_id: str, now: datetime) -> bool:
    """Whether an authority signs no CRL at that moment: it begins later, or is retired. The root never rests."""
    found = {each.id: standing for each, standing in standings(tx, now)}
    return found.get(authority_id) in (Standing.COMING, Standing.RETIRED)


def last_full_day(settings: Settings, tx: Connection) -> datetime | None:
    """Until when the newest authority can issue certificates of the profile's whole term; afterwards it is to issue
    none (`lint`: validity_outside_issuer). None where there is no CA."""
    newest = next(iter(issuing(tx)), None)
    return None if newest is None else newest.not_after - profiles_of(settings)[settings.ca.profile].validity


def public_stem(authority_id: str) -> str:
    """What the published files of an authority are called, without suffix: the first is `issuing`, as ever."""
    return "issuing" if authority_id == ISSUING_ID else authority_id


def _standing(tx: Connection, authority: Authority, current: str, now: datetime) -> Standing:
    if authority.id == current:
        return Standing.CURRENT
    if now < authority.not_before:
        return Standing.COMING
    if authority.not_after < now:
        return Standing.RETIRED
    columns = register.certificates.c
    last: datetime | None = tx.execute(
        select(func.max(columns.not_after)).where(columns.authority_id == authority.id)
    ).scalar_one()
    newest = register.latest_crl(tx, authority.id)
    over = last is None or (last < now and newest is not None and newest.this_update > last)
    return Standing.RETIRED if over else Standing.RETIRING
