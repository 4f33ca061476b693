"""Asking for TXT records, with a real name server on loopback."""

import dns.rcode
import pytest

from daemon import dns as names
from daemon.failures import Consequence, NameServerUnavailable, consequence_of
from support.names import name_server


@pytest.fixture
def server():
    with name_server() as running:
        yield running


def test_a_long_record_comes_in_one_piece_and_several_come_each(server):
    server.records["s._domainkey.lra.example"] = ("v=DKIM1; p=" + "A" * 500,)
    server.records["two.lra.example"] = ("one", "two")
    ask = names.asker([server.address])
    assert ask("s._domainkey.lra.example") == ("v=DKIM1; p=" + "A" * 500,)
    assert sorted(ask("two.lra.example")) == ["one", "two"]
    assert names.look_up(ask, ["two.lra.example"]).keys() == {"two.lra.example"}


@pytest.mark.parametrize("name", ["nowhere.lra.example", "a" * 70 + ".lra.example", "x..lra.example"])
def test_a_name_that_is_not_there_or_cannot_be_has_no_records(server, name):
    assert names.asker([server.address])(name) == ()


def test_a_server_in_trouble_is_a_passing_failure_and_no_empty_answer(server):
    server.rcode = dns.rcode.SERVFAIL
    with pytest.raises(NameServerUnavailable) as raised:
        names.asker([server.address])("lra.example")
    assert consequence_of(raised.value) is Consequence.RETRY


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.53", "192.0.2.53", 53),
        ("192.0.2.53:5353", "192.0.2.53", 5353),
        ("2001:db8::53", "2001:db8::53", 53),
        ("[2001:db8::53]:5353", "2001:db8::53", 5353),
    ],
)
def test_a_resolver_is_an_address_with_or_without_a_port(text, address, port):
    server = names._server(text)
    assert (server.address, server.port) == (address, port)
