"""Stop the service at any place of any of the six steps and start it again: the same end as without the stop.

Each fault below ends the process at exactly one place (runtime notes §7). The application is a reissue, because it
does everything: it reads, asks, decides, issues, revokes, publishes a CRL, and sends a notice and a password.
"""

import pytest
from daemon import intake, upkeep
from support.stops import (
    Stop,
    Tripwire,
    Trouble,
    at_door,
    at_event,
    at_function,
    at_part,
    at_sql,
    end_of,
    faults_of,
)

UNDISTURBED = []


@pytest.fixture
def undisturbed(request):
    """The end of a life that nothing interrupted; lived once per process."""
    return request.getfixturevalue("undisturbed_end")


# phase, where, what else is left behind: skipped touches, letters sent twice, serial numbers abandoned
FETCH = {
    "mail fetched, nothing stored": ("application", at_part("blobs", "put"), {}),
    "mail stored, not in the ledger": ("application", at_part("blobs", "put", after=True), {}),
    "ledger row not committed": ("application", at_sql("INSERT INTO sightings"), {}),
    "ledger row committed": ("application", at_sql("INSERT INTO sightings", committed=True), {}),
}
