"""Keys are made ahead in threads, each for one case, and none is left over or given twice."""

import threading

from daemon import key_making
from daemon.key_making import KeyMaker
from support.authorities import profile

P256 = profile("subscriber-p256")


def test_each_case_gets_a_key_of_its_own_whether_it_was_foreseen_or_not():
    with KeyMaker(P256, 2, range(10)) as keys:
        made = [keys.take(number) for number in (*range(10), 99, 0)]
    assert len({each.private_numbers().private_value for each in made}) == 12


def test_no_more_keys_than_twice_the_threads_lie_ready(monkeypatch):
    with KeyMaker(P256, 2, range(100)) as keys:
        assert len(keys._making) == 4
        keys.take(0)
        assert sorted(keys._making) == [1, 2, 3, 4]
        keys.drop(1)
        keys.drop(77)
        assert sorted(keys._making) == [2, 3, 4, 5]
    assert keys._making == {}


def test_keys_are_made_at_the_same_time_and_nothing_is_made_where_one_case_waits(monkeypatch):
    both = threading.Barrier(2, timeout=30)
    make_key = key_making.bundle.make_key

    def meet(of):
        both.wait()
        return make_key(of)

    monkeypatch.setattr(key_making.bundle, "make_key", meet)
    with KeyMaker(P256, 2, (1, 2)) as keys:
        assert keys.take(1) is not keys.take(2)
    monkeypatch.setattr(key_making.bundle, "make_key", make_key)
    with KeyMaker(P256, 2, (1,)) as keys:
        assert keys._pool is None
        assert keys.take(1)
