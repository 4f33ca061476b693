from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Approver, AuthenticationSettings
from parsers.authentication import Facts, judge, questions
from parsers.mail import open_mail
from parsers.stamps import MalformedError, Result, read_stamp
from parsers.tenancy import read_rule
from parsers.verdicts import REASONS
from support.letters_in import AUTHSERV_ID, OFFICE, STAFF, header, letter, reply, stamped

NOW = datetime(2024, 7, 1, 0, 31, tzinfo=UTC)


def judged(raw, authserv_id=AUTHSERV_ID):
    return judge(
        raw, open_mail(raw), Approver(STAFF, "田中 恵子"), AuthenticationSettings(authserv_id), Facts(NOW, OFFICE)
    )


def verdict(raw, authserv_id=AUTHSERV_ID):
    found = judged(raw, authserv_id)
    return found.accepted, found.code


def from_staff(**settings):
    return letter("承認", sender=f"Tanaka <{STAFF}>", **settings)


def test_the_stamp_of_our_own_server_for_the_from_address_is_accepted():
    found = judged(reply("承認"))
    assert (found.accepted, found.method, found.identity) == (True, "login", STAFF)
    assert found.reason
    assert dict(found.evidence) == {"method": "login", "identity": STAFF}


@pytest.mark.parametrize("login", ["tanaka@LRA.example", "(x) tanaka@lra.example (y)", '"tanaka"@lra.example'])
def test_the_domain_may_be_in_other_letters_and_comments_may_stand_anywhere(login):
    assert verdict(stamped(from_staff(), f"auth=pass smtp.auth={login}")) == (True, "login_matches")


@pytest.mark.parametrize(
    "result",
    [
        "auth=pass smtp.auth=suzuki@lra.example",
        "auth=pass smtp.auth=Tanaka@lra.example",
        "auth=pass smtp.auth=tanaka",
        "auth=pass smtp.auth=tanaka@lra.example.evil.example",
        "auth=pass smtp.mailfrom=tanaka@lra.example",
        "auth=pass policy.auth=tanaka@lra.example",
        "auth=pass",
        "auth=pass smtp.auth=tanaka@lra.example smtp.auth=suzuki@lra.example",
        'auth=pass reason="smtp.auth=tanaka@lra.example"',
        "auth=pass (smtp.auth=tanaka@lra.example)",
        'auth=pass smtp.auth="tanaka@lra.example suzuki"',
    ],
)
def test_a_login_of_somebody_else_is_refused(result):
    assert verdict(stamped(from_staff(), result)) == (False, "other_login")


@pytest.mark.parametrize(
    "result",
    [
        "auth=fail smtp.auth=tanaka@lra.example",
        "auth=none",
        "none",
        "spf=pass smtp.mailfrom=tanaka@lra.example",
        "dmarc=pass header.from=lra.example",
        "spf=fail (auth=pass smtp.auth=tanaka@lra.example) smtp.mailfrom=x@y.example",
        "spf=fail (; auth=pass smtp.auth=tanaka@lra.example) smtp.mailfrom=x@y.example",
        'spf=fail reason="; auth=pass smtp.auth=tanaka@lra.example"',
        'spf=fail smtp.mailfrom="; auth=pass smtp.auth=tanaka@lra.example"',
        'spf=fail reason="\\"; auth=pass smtp.auth=tanaka@lra.example; x=\\""',
        "spf=fail (a \\) ; auth=pass smtp.auth=tanaka@lra.example (b) c) smtp.mailfrom=x@y.example",
        "x-auth=pass smtp.auth=tanaka@lra.example",
        'spf=fail (dkim=pass header.d=lra.example) reason="dkim=pass header.d=lra.example"',
    ],
)
def test_results_smuggled_in_comments_and_quoted_strings_are_no_results(result):
    assert verdict(stamped(from_staff(), result)) == (False, "not_authenticated")


@pytest.mark.parametrize(
    "result",
    [
        "auth=pass smtp.auth=tanaka@lra.example (",
        'auth=pass smtp.auth="tanaka@lra.example',
        "auth pass smtp.auth=tanaka@lra.example",
        "auth=pass smtp auth=tanaka@lra.example",
        "auth=pass smtp.auth=",
        "; auth=pass smtp.auth=tanaka@lra.example",
        "auth=pass smtp.auth=tanaka@lra.example, x",
    ],
)
def test_a_malformed_stamp_under_our_name_is_refused(result):
    assert verdict(stamped(from_staff(), result)) == (False, "stamp_malformed")


def test_an_unknown_version_is_refused_and_the_known_one_is_read():
    stamp = f"auth=pass smtp.auth={STAFF}"
    assert verdict(stamped(from_staff(), stamp, authserv_id=f"{AUTHSERV_ID} 2")) == (False, "stamp_malformed")
    assert verdict(stamped(from_staff(), stamp, authserv_id=f"{AUTHSERV_ID} 1")) == (True, "login_matches")


def test_two_login_results_are_refused():
    result = f"auth=fail smtp.auth=x@y.example; auth=pass smtp.auth={STAFF}"
    assert verdict(stamped(from_staff(), result)) == (False, "several_results")


def test_a_dkim_pass_is_no_login():
    assert verdict(stamped(from_staff(), "dkim=pass header.d=lra.example header.b=aB/c=")) == (
        False,
        "not_authenticated",
    )


FORGED = ("Authentication-Results", f"{AUTHSERV_ID}; auth=pass smtp.auth={STAFF}")


def test_nothing_is_refused():
    assert verdict(from_staff()) == (False, "no_stamp")


def test_a_stamp_without_any_received_field_is_nobodys():
    assert verdict(header([FORGED]) + from_staff()) == (False, "no_stamp")


def test_a_stamp_below_the_first_received_field_is_the_senders():
    received = ("Received", f"from evil by {AUTHSERV_ID}; Mon, 01 Jul 2024 09:31:00 +0900")
    assert verdict(header([received, FORGED]) + from_staff()) == (False, "no_stamp")


@pytest.mark.parametrize(
    "name", ["mx.evil.example", "mx.lra.example.evil.example", "mx", "(mx.lra.example) x", '"mx.lra.example;"']
)
def test_a_foreign_stamp_is_not_ours(name):
    assert verdict(stamped(from_staff(), authserv_id=name)) == (False, "no_stamp")


@pytest.mark.parametrize(
    "text",
    ["spf=pass smtp.auth=tanaka@lra.example; auth=pass", "", "(", '"', ";", "=?utf-8?Q?mx.lra.example?=; auth=pass"],
)
def test_a_field_without_a_readable_name_is_not_ours(text):
    raw = header([("Authentication-Results", text), ("Received", "x")]) + from_staff()
    assert verdict(raw) == (False, "no_stamp")


def test_a_second_stamp_of_our_name_is_refused():
    raw = header([FORGED]) + stamped(from_staff())
    assert verdict(raw) == (False, "several_stamps")


def test_a_foreign_stamp_beside_ours_changes_nothing():
    raw = header([("Authentication-Results", "mx.evil.example; auth=fail")]) + stamped(from_staff())
    assert verdict(raw) == (True, "login_matches")


def test_our_name_is_compared_without_regard_to_case_and_quotes():
    assert verdict(stamped(from_staff(), authserv_id='"MX.lra.example"')) == (True, "login_matches")


@pytest.mark.parametrize("authserv_id", ["", " "])
def test_without_a_configured_name_everything_is_refused(authserv_id):
    assert verdict(stamped(from_staff(), authserv_id='""'), authserv_id) == (False, "authserv_id_missing")


@pytest.mark.parametrize(
    "sender",
    [
        f"{STAFF}\r\nFrom: evil@y.example",
        f"evil@y.example\r\nfrom: {STAFF}",
        f"{STAFF}, evil@y.example",
        f"<{STAFF}> <evil@y.example>",
        "Tanaka",
        None,
    ],
)
def test_a_from_that_is_not_one_address_is_refused(sender):
    assert verdict(stamped(letter("承認", sender=sender))) == (False, "sender_ambiguous")


def test_a_stamp_is_read_whole():
    stamp = read_stamp(
        'mx.a.example 1; spf/1=pass reason="a;b" smtp.mailfrom="x y"@z.example;\r\n dkim=pass header.d=z.example; x=y;'
    )
    assert stamp.authserv_id == "mx.a.example"
    assert stamp.results == (
        Result("spf", "pass", (("smtp.mailfrom", '"x y"@z.example'),)),
        Result("dkim", "pass", (("header.d", "z.example"),)),
        Result("x", "y"),
    )


@given(st.text(alphabet='a=;.()"\\ @/1\t', max_size=60))
def test_any_text_is_a_stamp_or_malformed(text):
    try:
        read_stamp("mx.a.example; " + text)
    except MalformedError:
        return


@given(st.text(alphabet='dkim=pasutho;.()"\\ @/1\tlrexn', max_size=80))
def test_no_text_inside_a_comment_or_a_quoted_string_gives_a_login(text):
    inside = text.replace("\\", "").replace("(", "").replace(")", "")
    assert not verdict(stamped(from_staff(), f"spf=fail (auth=pass smtp.auth={STAFF} {inside}) smtp.x=y"))[0]
    inside = text.replace("\\", "").replace('"', "")
    assert not verdict(stamped(from_staff(), f'spf=fail reason="auth=pass smtp.auth={STAFF} {inside}" smtp.x=y'))[0]


def asked(raw, *methods, settings=None):
    approver = Approver(STAFF, "田中 恵子", methods=methods)
    return judge(raw, open_mail(raw), approver, settings or AuthenticationSettings(AUTHSERV_ID), Facts(NOW, OFFICE))


def test_a_way_that_is_not_configured_is_never_tried():
    assert asked(reply("承認"), "login").accepted
    for other in ("results", "dkim", "smime"):
        assert not asked(reply("承認"), other).accepted
    assert asked(reply("承認")).code == "no_method"
    assert asked(reply("承認"), "tenant").code == "tenant_not_configured"


def test_one_way_that_holds_is_enough_and_of_several_refusals_the_telling_one_is_told():
    assert asked(reply("承認"), "smime", "dkim", "login").method == "login"
    assert asked(from_staff(), "smime", "dkim", "login").code == "smime_missing"
    other = stamped(from_staff(), "auth=pass smtp.auth=suzuki@lra.example")
    assert (asked(other, "smime", "login").method, asked(other, "smime", "login").code) == ("login", "other_login")


def test_name_servers_are_asked_only_where_dkim_counts():
    signed = b"DKIM-Signature: v=1; a=rsa-sha256; d=lra.example; s=k; h=from; bh=AA==; b=AA==\r\n" + from_staff()
    assert questions(signed, Approver(STAFF, "x", methods=("login", "dkim"))) == ("k._domainkey.lra.example",)
    assert questions(signed, Approver(STAFF, "x", methods=("dkim",), dkim_domains=("other.example",))) == ()
    assert questions(signed, Approver(STAFF, "x", methods=("login",))) == ()
    assert questions(b"no header\r\n" + signed, Approver(STAFF, "x", methods=("dkim",))) == ()


@pytest.mark.parametrize("line", ["X-Y", "X-Y:", "X Y: z", ": z"])
def test_a_tenant_rule_is_a_name_and_a_value(line):
    with pytest.raises(ValueError, match="Name: value"):
        read_rule(line)


def test_every_reason_is_a_japanese_clause_without_a_full_stop():
    assert all(reason and not reason.endswith("。") and not reason.isascii() for reason in REASONS.values())
