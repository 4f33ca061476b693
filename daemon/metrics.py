"""What the service measures about itself: names, meanings, and the text that Prometheus reads. Pure.

Every gauge has a row here or it is not measured. The portal shows the text (stage 7); until then `queue` and `check`
show what is not in order.
"""

from collections.abc import Mapping
from types import MappingProxyType

PREFIX = "ogis_lra_"

GAUGES: Mapping[str, str] = MappingProxyType(
    {
        "mailbox_listed": "Mails in the mailbox folder at the last comparison.",
        "mailbox_missing": "Mails the server lists that are not in the ledger; 0 when nothing is missing.",
        "mailbox_unfiled": "Mails that were dealt with and still lie in the mailbox folder.",
        "mails_unread": "Mails in the ledger that wait to be read.",
        "mails_held": "Mails that were set aside for a person.",
        "compared_timestamp_seconds": "When mailbox and ledger were last compared to the end, as a Unix time.",
        "silent_timestamp_seconds": "When a round first found no fresh comparison; old news where one was made since.",
        "junk_listed": "Mails in the junk folder when it was last looked at.",
        "junk_noticed": "Mails in the junk folder that staff were told about, ever.",
        "junk_timestamp_seconds": "When the junk folder was last looked at, as a Unix time.",
        "crl_next_update_timestamp_seconds": "When the first of the newest CRLs runs out, as a Unix time.",
        "crl_entries": "Entries on the newest full CRLs, all authorities together.",
        "crl_waiting_seconds": "For how long the oldest revocation waits that no CRL knows; 0 when there is none.",
        "ca_issues_until_timestamp_seconds": "Until when the newest issuing CA can issue whole terms, as a Unix time.",
        "audit_events": "Number of the newest event of the audit log when a checkpoint was last kept.",
        "audit_checkpoint_timestamp_seconds": "When a checkpoint of the audit log was last kept, as a Unix time.",
        "disk_free_bytes": "Room left on the disk of the data directory.",
    }
)


def render(values: Mapping[str, float]) -> str:
    """The gauges in Prometheus' text format 0.0.4, in the order of GAUGES. Raises KeyError for one without a row."""
    unknown = sorted(set(values) - set(GAUGES))
    if unknown:
        raise KeyError(f"no such gauge: {', '.join(unknown)}")
    lines = []
    for name, meaning in GAUGES.items():
        if name in values:
            lines += [
                f"# HELP {PREFIX}{name} {meaning}",
                f"# TYPE {PREFIX}{name} gauge",
                f"{PREFIX}{name} {_number(values[name])}",
            ]
    return "".join(f"{line}\n" for line in lines)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
