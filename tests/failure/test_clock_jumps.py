"""The machine's clock is wrong by a day, in either direction, between rounds and in the middle of one.

Nothing is sent twice, no CRL looks older than the one before, no password leaves before its notice; and when the clock is right again, the life ends as any other.
"""

from datetime import timedelta

import pytest
from sqlalchemy import select

from daemon import schema, upkeep
from daemon.demo.story import HANAKO
from daemon.store import every
from parsers.mail import open_mail
from support.kills import Plan, life_of

DAY = timedelta(days=1).total_seconds()


@pytest.fixture(scope="module")
def play(registered, zygote, kills_folder, tmp_path_factory):
    """Play a life and tell what is left of it."""

    def play_one(plan, **deeds):
        plan.memory = kills_folder / "memory"
        with life_of(zygote, registered, tmp_path_factory.mktemp("life") / "centre", "embedded", plan) as life:
            life.live(**deeds)
            # A day and a bit: what a clock that was ahead has put off is due by now.
            life.pass_time("later", days=1)
            life.pass_time("later", hours=1)
            end, faults = life.judge()
            assert _subjects(life) == sorted(_subjects(life), key=lambda subject: "パスワード" in subject)
            return end.of_the_case().unordered(), faults

    return play_one


def _subjects(life):
    return [open_mail(each.content).subject for each in life.delivered if each.recipient == HANAKO][:2]


@pytest.fixture(scope="module")
def undisturbed(play):
    end, faults = play(Plan())
    assert faults == []
    return end


@pytest.mark.parametrize("seconds", [DAY, -DAY], ids=["ahead", "behind"])
@pytest.mark.parametrize("phase", ["application", "approval", "password"])
def test_a_clock_that_jumps_by_a_day_between_two_rounds_costs_nothing(play, undisturbed, phase, seconds):
    def right(life):
        life.set_wrong(0.0)
        life.pass_time("right again", minutes=1)

    end, faults = play(Plan(), before={phase: lambda life: life.set_wrong(seconds)}, after={phase: right})
    assert faults == []
    assert end == undisturbed


@pytest.mark.parametrize("seconds", [DAY, -DAY], ids=["ahead", "behind"])
@pytest.mark.parametrize("since", [4, 13])
@pytest.mark.parametrize("phase", ["application", "approval"])
def test_a_clock_that_jumps_by_a_day_within_a_round_costs_nothing(play, undisturbed, phase, since, seconds):
    plan = Plan(jumps={phase: (since, seconds)})
    end, faults = play(plan, after={phase: lambda life: life.pass_time("right again", minutes=1)})
    assert faults == []
    assert end == undisturbed


def test_no_crl_looks_older_than_the_one_before(stage, clock):
    for hours in (0, -25, 1, 23, 1):
        clock.time += timedelta(hours=hours)
        upkeep.publish_crl(stage.centre, force=True)
    with stage.centre.store.transaction() as tx:
        table = schema.metadata.tables["crls"]
        rows = every(tx, select(table).order_by(table.c.number))
    updates = [row["this_update"] for row in rows]
    assert len(rows) >= 5
    assert updates == sorted(updates)
    assert all(row["next_update"] > row["this_update"] for row in rows)
