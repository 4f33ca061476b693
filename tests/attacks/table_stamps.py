"""Forgeries of the sender, of our server's stamp, and of the tenant's header fields."""

from attacks.forgeries import Forgery
from support.letters_in import AUTHSERV_ID, STAFF, header, stamped
from support.signed_mails import COVERED, answer, dkim_signed, reported

LOGIN, RESULTS, TENANT = ("login",), ("results",), ("tenant",)
OURS = ("Authentication-Results", f"{AUTHSERV_ID}; auth=pass smtp.auth={STAFF}")
HOP = ("Received", f"from evil.example by {AUTHSERV_ID}; Wed, 01 Jul 2026 13:00:00 +0900")
NARROW = [name for name in COVERED if name != "subject"]
LOOKALIKE = "tanaka@1ra.example"
KELVIN = "tana\u212aa@lra.example"


def by_login(sender=STAFF, login=None, **settings):
    """A mail that somebody submitted with a login of his own."""
    return stamped(answer(sender=sender, **settings), f"auth=pass smtp.auth={login or sender}")


def result(text, raw=None, **settings):
    return stamped(raw or dkim_signed(answer()), text, **settings)


SENDERS = [
    ("a plain forged From", answer, "no_stamp"),
    ("the approver's address as a display name", lambda: by_login(f'"{STAFF}" <x@evil.example>', "x@evil.example"), "sender_is_another"),
    ("the approver's name before a stranger's address", lambda: by_login("Tanaka <x@evil.example>", "x@evil.example"), "sender_is_another"),
    ("a look-alike domain", lambda: by_login(LOOKALIKE), "sender_is_another"),
    ("our domain as the start of another", lambda: by_login(f"{STAFF}.evil.example"), "sender_is_another"),
    ("a letter that becomes ASCII in lower case", lambda: by_login(KELVIN), "sender_is_another"),
    ("a full-width letter in the address", lambda: by_login("ｔanaka@lra.example"), "sender_is_another"),
    ("two From fields, the approver's first", lambda: by_login(f"{STAFF}\r\nFrom: x@evil.example", STAFF), "sender_ambiguous"),
    ("two From fields, the approver's second", lambda: by_login(f"x@evil.example\r\nFrom: {STAFF}", STAFF), "sender_ambiguous"),
    ("two addresses in From", lambda: by_login(f"{STAFF}, x@evil.example", STAFF), "sender_ambiguous"),
    ("two pairs of angle brackets", lambda: by_login(f"<{STAFF}> <x@evil.example>", STAFF), "sender_ambiguous"),
    ("From in an encoded word", lambda: by_login("=?utf-8?Q?tanaka=40lra.example?=", STAFF), "sender_ambiguous"),
    ("the approver as Sender and Reply-To only", lambda: by_login("x@evil.example", fields=[("Sender", STAFF), ("Reply-To", STAFF)]), "sender_is_another"),
    ("a token stolen by the applicant", lambda: by_login("taro@aozora-denki.example"), "sender_is_another"),
    ("a login of a colleague", lambda: by_login(login="suzuki@lra.example"), "other_login"),
    ("a From hidden behind a lone line feed", lambda: by_login(subject="x\nFrom: tanaka@lra.example", sender="x@evil.example"), "sender_ambiguous"),
    ("a lone carriage return in the header", lambda: by_login(subject="x\rX-Y: z"), "header_line_ends"),
    ("a zero octet in the header", lambda: by_login(subject="x\x00y"), "header_controls"),
    ("a header line without a name", lambda: by_login(subject="x\r\nno field"), "header_malformed"),
]  # fmt: skip

STAMPS = [
    ("a stamp of ours below the first hop", lambda: header([HOP, OURS]) + answer(), "no_stamp"),
    ("a stamp without any hop", lambda: header([OURS]) + answer(), "no_stamp"),
    ("a foreign server's stamp", lambda: stamped(answer(), authserv_id="mx.evil.example"), "no_stamp"),
    ("a stamp of a longer name", lambda: stamped(answer(), authserv_id=f"{AUTHSERV_ID}.evil.example"), "no_stamp"),
    ("a stamp with an empty name", lambda: stamped(answer(), authserv_id='""'), "no_stamp"),
    ("our name in a comment", lambda: stamped(answer(), authserv_id=f"({AUTHSERV_ID}) evil"), "no_stamp"),
    ("a second stamp of our name", lambda: header([OURS]) + stamped(answer()), "several_stamps"),
    ("a version that does not exist", lambda: stamped(answer(), authserv_id=f"{AUTHSERV_ID} 2"), "stamp_malformed"),
    ("a pass in a comment", lambda: stamped(answer(), f"spf=fail (; auth=pass smtp.auth={STAFF}) smtp.x=y"), "not_authenticated"),
    ("a pass in a quoted string", lambda: stamped(answer(), f'spf=fail reason="; auth=pass smtp.auth={STAFF}"'), "not_authenticated"),
    ("a pass in an escaped quotation", lambda: stamped(answer(), f'spf=fail reason="\\"; auth=pass smtp.auth={STAFF}; x=\\""'), "not_authenticated"),
    ("a comment that is never closed", lambda: stamped(answer(), f"auth=pass smtp.auth={STAFF} ("), "stamp_malformed"),
    ("two logins in one stamp", lambda: stamped(answer(), f"auth=fail smtp.auth=x@y.example; auth=pass smtp.auth={STAFF}"), "several_results"),
    ("a failed login", lambda: stamped(answer(), f"auth=fail smtp.auth={STAFF}"), "not_authenticated"),
    ("SPF alone for a login", lambda: stamped(answer(), f"spf=pass smtp.mailfrom={STAFF}"), "not_authenticated"),
]  # fmt: skip

REPORTS = [
    ("SPF alone", lambda: result(f"spf=pass smtp.mailfrom={STAFF}"), "not_authenticated"),
    ("DMARC that rests on SPF", lambda: result(f"dmarc=pass header.from=lra.example; spf=pass smtp.mailfrom={STAFF}"), "not_authenticated"),
    ("dkim=pass in a comment", lambda: result("dkim=fail (dkim=pass header.d=lra.example) header.d=lra.example"), "not_authenticated"),
    ("dkim=pass in a reason", lambda: result('spf=fail reason="dkim=pass header.d=lra.example"'), "not_authenticated"),
    ("dkim=pass in the envelope sender", lambda: result('spf=pass smtp.mailfrom="; dkim=pass header.d=lra.example"@evil.example'), "not_authenticated"),
    ("a pass for another domain", lambda: result("dkim=pass header.d=evil.example"), "dkim_not_aligned"),
    ("a pass for a domain below ours", lambda: result("dkim=pass header.d=guest.lra.example"), "dkim_not_aligned"),
    ("a pass for two domains at once", lambda: result("dkim=pass header.d=evil.example header.d=lra.example"), "dkim_not_aligned"),
    ("a pass for an identity of another domain", lambda: result("dkim=pass header.i=@evil.example"), "dkim_not_aligned"),
    ("an identity that only looks like ours", lambda: result('dkim=pass header.i="@lra.example@evil.example"'), "dkim_not_aligned"),
    ("a pass without any signature", lambda: reported(answer()), "dkim_missing"),
    ("a pass for a signature without the subject", lambda: reported(dkim_signed(answer(), names=NARROW)), "dkim_not_covered"),
    ("a wide signature added above a narrow one", lambda: reported(dkim_signed(dkim_signed(answer(), names=NARROW))), "dkim_report_ambiguous"),
    ("a report about another selector", lambda: reported(dkim_signed(answer()), s="other"), "dkim_missing"),
    ("a report about another signature", lambda: reported(dkim_signed(answer()), b="AAAAAAAA"), "dkim_missing"),
    ("a signature of part of the body", lambda: reported(dkim_signed(answer(), length=10)), "dkim_length_tag"),
    ("an expired signature", lambda: reported(dkim_signed(answer(), tags="x=1782868000; ")), "dkim_expired"),
    ("a report below the hop", lambda: header([HOP]) + reported(dkim_signed(answer())), "no_stamp"),
    ("a signed mail to somebody else", lambda: reported(dkim_signed(answer(to="suzuki@lra.example"))), "not_to_us"),
]  # fmt: skip


def in_tenant(*more, auth_as="Internal", hops=("a.prod.outlook.example", "b.prod.outlook.example"), **settings):
    fields = [("X-MS-Exchange-Organization-AuthAs", auth_as), *more]
    sent, received = hops
    hop = (
        "Received",
        f"from {sent} (2001:db8::1)\r\n by {received} (2001:db8::2) with HTTPS; Wed, 01 Jul 2026 13:00 +0900",
    )
    return header([hop, *fields]) + answer(**settings)


AGAIN = ("X-MS-Exchange-Organization-AuthAs", "Internal")
TENANTS = [
    ("a mail from outside with the tenant's fields", lambda: header([HOP]) + in_tenant(), "tenant_foreign_hop"),
    ("one foreign hop below", lambda: in_tenant(("Received", "from x.evil.example by a.prod.outlook.example; x")), "tenant_foreign_hop"),
    ("a host that only ends alike", lambda: in_tenant(hops=("evilprod.outlook.example", "b.prod.outlook.example")), "tenant_foreign_hop"),
    ("a host that only begins alike", lambda: in_tenant(hops=("a.prod.outlook.example.evil.example", "b.prod.outlook.example")), "tenant_foreign_hop"),
    ("our hosts in a comment", lambda: in_tenant(hops=("x.evil.example (a.prod.outlook.example)", "b.prod.outlook.example")), "tenant_foreign_hop"),
    ("a hop that cannot be read", lambda: in_tenant(("Received", "by b.prod.outlook.example; x")), "tenant_foreign_hop"),
    ("a sender from outside", lambda: in_tenant(auth_as="Anonymous"), "tenant_header_differs"),
    ("the field twice", lambda: in_tenant(AGAIN), "tenant_header_repeated"),
    ("no hop at all", lambda: header([AGAIN]) + answer(), "tenant_no_hop"),
    ("no field", lambda: stamped(answer()), "tenant_header_missing"),
]  # fmt: skip

FORGERIES = [
    Forgery(name, build, code, methods)
    for table, methods in ((SENDERS, LOGIN), (STAMPS, LOGIN), (REPORTS, RESULTS), (TENANTS, TENANT))
    for name, build, code in table
]
GENUINE = [
    Forgery("a login", by_login, "accepted", LOGIN),
    Forgery("a report", lambda: reported(dkim_signed(answer()), s="s2026"), "accepted", RESULTS),
    Forgery(
        "a report by identity", lambda: result("dkim=pass header.i=@lra.example header.s=s2026"), "accepted", RESULTS
    ),
    Forgery("a tenant", in_tenant, "accepted", TENANT),
]
