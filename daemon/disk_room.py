"""Room on the disk: before it is used up, mail stays where it is safe, in the mailbox.

A reserve is kept for what must go on when no mail is taken in any more: the audit log, the revocations, the letter to
staff that says so. Weak: others may fill the disk within the reserve; then a write fails as such, nothing is lost
either, and staff cannot be told by a letter until there is room.
"""

import shutil

from .centre import Centre
from .failures import Failure, Kind

_MB = 1024 * 1024


def free(centre: Centre) -> int:
    """Octets left on the disk that the mails are stored on."""
    folder = centre.blobs.folder
    return shutil.disk_usage(folder if folder.exists() else folder.parent).free


def require(centre: Centre, octets: int = 0) -> None:
    """Raise Failure(DISK_FULL) where taking in so many octets would touch the reserve."""
    left = free(centre)
    if left - octets < centre.settings.run.reserve_mb * _MB:
        raise Failure(Kind.DISK_FULL, f"{left // _MB} MB left, {centre.settings.run.reserve_mb} MB are kept free")
