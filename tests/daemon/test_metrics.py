"""Gauges as Prometheus reads them."""

import re

import pytest

from daemon import gauges
from daemon.metrics import GAUGES, render
from support.centres import START
from support.rooms import bare_centre


def test_the_text_has_help_type_and_value_a_gauge():
    text = render({"mails_held": 2, "mailbox_missing": 0.0, "disk_free_bytes": 1.5})
    assert text.splitlines()[:3] == [
        "# HELP ogis_lra_mailbox_missing Mails the server lists that are not in the ledger; 0 when nothing is missing.",
        "# TYPE ogis_lra_mailbox_missing gauge",
        "ogis_lra_mailbox_missing 0",
    ]
    assert "ogis_lra_mails_held 2\n" in text
    assert "ogis_lra_disk_free_bytes 1.5\n" in text
    assert render({}) == ""


def test_every_name_is_one_that_prometheus_takes_and_has_a_sentence():
    for name, meaning in GAUGES.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert meaning.endswith(".")
        assert "\n" not in meaning


def test_a_gauge_without_a_row_is_refused_and_the_newest_value_counts(tmp_path):
    centre = bare_centre(tmp_path)
    with centre.store.transaction() as tx:
        with pytest.raises(KeyError):
            gauges.note(tx, {"nonsense": 1}, now=START)
        gauges.note(tx, {"mails_held": 1, "mails_unread": 5}, now=START)
        gauges.note(tx, {"mails_held": 2}, now=START)
        assert gauges.values(tx) == {"mails_held": 2, "mails_unread": 5}
        assert gauges.moment(gauges.values(tx), "junk_timestamp_seconds") is None
    centre.store.close()
