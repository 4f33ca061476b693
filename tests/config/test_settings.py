"""Settings: read once, checked whole, and documented by a file that cannot go stale."""

import contextlib
import dataclasses
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import settings as module
from config.settings import LIMITS, Settings, SettingsError, build, load

EXAMPLE = resources.files("config").joinpath("example.toml").read_text("utf-8")
UNCOMMENTED = re.sub(r"^# (?=\w+ = )", "", EXAMPLE, flags=re.MULTILINE)


def example() -> dict:
    """The least that a configuration must say, parsed anew."""
    return tomllib.loads(EXAMPLE)


def changed(path: str, value: object) -> dict:
    raw = example()
    *blocks, key = path.split(".")
    target = raw
    for block in blocks:
        target = target[block]
    target[key] = value
    return raw


def options(kind: type, prefix: str = "") -> list[tuple[str, dataclasses.Field]]:
    """Every option of the dataclasses, by its dotted name; those of a list of tables under [0]."""
    found = []
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            found += options(hint, f"{prefix}{field.name}.")
        elif get_origin(hint) is tuple and dataclasses.is_dataclass(get_args(hint)[0]):
            found += options(get_args(hint)[0], f"{prefix}{field.name}.0.")
        else:
            found.append((f"{prefix}{field.name}", field))
    return found


def looked_up(raw: dict, name: str) -> object:
    value = raw
    for part in name.split("."):
        value = value[int(part)] if part.isdecimal() else value[part]
    return value


def test_the_example_can_be_loaded_as_it_is(tmp_path):
    path = tmp_path / "ogis-lra.toml"
    path.write_text(EXAMPLE, "utf-8")
    settings = load(path)
    assert settings.data_dir == tmp_path / "data"
    assert settings.database == f"sqlite:///{tmp_path}/data/ogis-lra.sqlite"
    assert len(settings.approvers) == 2


def test_the_example_can_be_loaded_with_every_option_uncommented():
    assert build(tomllib.loads(UNCOMMENTED), base=Path("/srv")) == build(example(), base=Path("/srv"))


@pytest.mark.parametrize(("name", "field"), options(Settings), ids=lambda each: each if isinstance(each, str) else "")
def test_every_option_stands_in_the_example_with_its_default(name, field):
    shown = looked_up(tomllib.loads(UNCOMMENTED), name)
    if field.default is not dataclasses.MISSING:
        assert (tuple(shown) if isinstance(shown, list) else shown) == field.default
        with pytest.raises((KeyError, IndexError)):
            looked_up(example(), name)  # a default is shown as a comment, so that a changed default reaches everybody


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("centre.adress", "address"),
        ("mailbox.user_name", "username"),
        ("smtp.prot", "port"),
        ("ca.crl_day", "crl_days"),
        ("policy.renewal_day", "renewal_days"),
        ("run.pol_seconds", "poll_seconds"),
        ("mail_box", "mailbox"),
    ],
)
def test_an_unknown_key_stops_the_program_and_names_the_nearest(path, nearest):
    with pytest.raises(SettingsError, match=rf"unknown key '{path.split('.')[-1]}'; did you mean '{nearest}'\?"):
        build(changed(path, 1), base=Path())


def test_an_unknown_key_near_to_nothing_lists_what_there_is():
    with pytest.raises(SettingsError, match=r"unknown key 'zzz'; known keys: poll_seconds"):
        build(changed("run.zzz", 1), base=Path())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("mailbox.port", "993"),
        ("mailbox.port", True),
        ("mailbox.port", 993.0),
        ("mailbox.host", 7),
        ("centre", "lra"),
        ("approvers", {"address": "a@lra.example", "name": "A"}),
        ("approvers", ["a@lra.example", "b@lra.example"]),
        ("data_dir", 1),
        ("policy.renewal_days", []),
        ("run", [1]),
    ],
)
def test_a_value_of_the_wrong_type_is_named(path, value):
    with pytest.raises(SettingsError, match=rf"{path.split('.')[-1]}.*must be (of type|a table|a list)"):
        build(changed(path, value), base=Path())


@pytest.mark.parametrize(
    "path",
    [name for name, field in options(Settings) if field.default is dataclasses.MISSING],
)
def test_a_missing_key_is_named(path):
    raw = example()
    *blocks, key = path.split(".")
    target = raw
    for block in blocks:
        target = target[int(block)] if block.isdecimal() else target[block]
    del target[key]
    with pytest.raises(SettingsError, match=f"'{key}' is missing"):
        build(raw, base=Path())


@pytest.mark.parametrize("block", ["centre", "mailbox", "smtp", "authentication", "approvers"])
def test_a_missing_table_is_named(block):
    raw = example()
    del raw[block]
    with pytest.raises(SettingsError, match=f"'{block}' is missing"):
        build(raw, base=Path())


def approver(address: str) -> dict:
    return {"address": address, "name": "A"}


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("approvers", [], "two different approvers"),
        ("approvers", [approver("a@lra.example")], "two different approvers"),
        ("approvers", [approver("a@lra.example"), approver("A@LRA.example")], "two different approvers"),
        ("approvers", [approver(f"{each}@lra.example") for each in "aba"], "listed twice"),
        ("approvers", [approver("a@lra.example"), approver("nobody")], "not a mail address"),
        ("approvers", [approver("a@lra.example"), approver("OGIS-LRA@lra.example")], "cannot be an approver"),
        ("centre.address", "ogis-lra", "not a mail address"),
        ("authentication.authserv_id", "", "any stamp would count as ours"),
        ("authentication.authserv_id", " \t", "any stamp would count as ours"),
        ("mailbox.security", "ssl", "not one of tls, starttls, plain"),
        ("smtp.security", "", "not one of tls, starttls, plain"),
        ("mailbox.host", " ", "must not be empty"),
        ("smtp.port", 0, "not a port"),
        ("mailbox.port", 65536, "not a port"),
        ("smtp.bounce", "verp", "not one of none, plus, domain"),
        ("smtp.bounce", "domain", 'is needed with bounce = "domain"'),
        ("smtp.bounce_domain", "back.lra.example", "must be empty otherwise"),
        ("smtp", {"host": "x", "bounce": "domain", "bounce_domain": "a b"}, "not a domain name"),
        ("mailbox.filed_folder", "INBOX", "three different folders"),
        ("mailbox.staff_folder", "", "three different folders"),
        ("ca.policy_oid", "1.2.my", "not an object identifier"),
        ("ca.bundle", "rc2", "not one of modern, legacy"),
        ("database_url", "postgresql://lra:hunter2@db/lra", "must not hold a password"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(path, value, sentence):
    with pytest.raises(SettingsError, match=sentence) as caught:
        build(changed(path, value), base=Path())
    assert "hunter2" not in str(caught.value)


def test_a_bounce_address_must_fit_into_a_local_part():
    raw = changed("centre.address", f"{'a' * 31}@lra.example") | {"smtp": {"host": "x", "bounce": "plus"}}
    with pytest.raises(SettingsError, match="too long"):
        build(raw, base=Path())
    raw["smtp"]["bounce"] = "none"
    build(raw, base=Path())


@pytest.mark.parametrize(("name", "limits"), LIMITS.items())
def test_a_number_outside_its_limits_is_refused(name, limits):
    block, key = name.split(".")
    least, most = limits
    for value in (least - 1, most + 1):
        with pytest.raises(SettingsError, match=rf"{name}: {value} is not between {least} and {most}"):
            build(changed(name, value), base=Path())
    for value in limits:
        # The steps of a reminder must grow, so the others go along.
        steps = ("remind_hours", "deputy_hours", "manager_hours")
        raw = example() | {block: dict.fromkeys(steps, value)} if key in steps else changed(name, value)
        assert getattr(getattr(build(raw, base=Path()), block), key) == value


def test_every_number_of_policy_has_its_limits():
    numbers = {f"policy.{field.name}" for field in dataclasses.fields(module.PolicySettings)}
    assert numbers <= LIMITS.keys()


MICROSOFT = {"authority": "https://login.microsoftonline.com/t", "client_id": "c", "scope": "s/.default"}
GMAIL = {"grant": "refresh_token", "token_url": "https://oauth2.googleapis.com/token", "client_id": "c"}


def by_token(oauth: dict, door: str = "mailbox") -> dict:
    raw = changed(f"{door}.login", "xoauth2")
    raw["smtp"]["username"] = "ogis-lra@lra.example"
    raw["oauth"] = oauth
    return raw


@pytest.mark.parametrize("door", ["mailbox", "smtp"])
@pytest.mark.parametrize("oauth", [MICROSOFT, GMAIL])
def test_a_login_by_token_needs_its_table(oauth, door):
    assert build(by_token(oauth, door), base=Path()).logs_in_by_token
    for key in set(oauth) - {"grant"}:
        with pytest.raises(SettingsError, match=rf"oauth\.{key}: is needed"):
            build(by_token({name: value for name, value in oauth.items() if name != key}, door), base=Path())


@pytest.mark.parametrize(
    ("oauth", "fault"),
    [
        (MICROSOFT | {"authority": "http://login.microsoftonline.com/t"}, "oauth.authority: must begin with https"),
        (GMAIL | {"token_url": "http://127.0.0.1/token"}, "oauth.token_url: must begin with https"),
        (GMAIL | {"grant": "password"}, "oauth.grant: 'password' is not one of"),
    ],
)
def test_a_token_server_that_would_show_the_secret_or_a_grant_we_do_not_have_is_refused(oauth, fault):
    with pytest.raises(SettingsError, match=fault):
        build(by_token(oauth), base=Path())


def test_a_login_by_token_needs_a_user_at_the_mail_server_too():
    raw = by_token(MICROSOFT, "smtp")
    del raw["smtp"]["username"]
    with pytest.raises(SettingsError, match=r"smtp\.username: is needed"):
        build(raw, base=Path())


def test_where_both_logins_are_by_password_nothing_of_oauth_is_wanted():
    assert not build(example(), base=Path()).logs_in_by_token


def test_relative_paths_are_taken_from_the_file():
    raw = example() | {"credentials_dir": "secret", "data_dir": "../data"}
    raw["mailbox"]["ca_file"] = "imap.pem"
    raw["smtp"]["ca_file"] = "/etc/smtp.pem"
    settings = build(raw, base=Path("/etc/lra"))
    assert settings.credentials_dir == "/etc/lra/secret"
    assert settings.mailbox.ca_file == "/etc/lra/imap.pem"
    assert settings.smtp.ca_file == "/etc/smtp.pem"
    assert settings.data_dir == Path("/etc/lra/../data")


def test_settings_are_frozen():
    settings = build(example(), base=Path())
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.centre.address = "x@lra.example"


def test_an_approver_is_found_whatever_the_case_of_the_address():
    settings = build(example(), base=Path())
    assert settings.approver("TANAKA@Lra.Example").name == "田中 恵子"
    assert settings.approver("tanaka@elsewhere.example") is None


def test_nothing_secret_has_a_place_in_the_settings():
    """Passwords and keys are credentials: here stand their names only, so that repr may show everything."""
    secretive = {name for name, _ in options(Settings) if re.search("pass|secret|token|key", name)}
    labels = ("ca.key", "ca.key_store", "ca.pkcs11_key", "ca.pkcs11_token")
    harmless = ("policy.password_delay_minutes", "oauth.token_url", *labels)
    assert all(name.endswith("_credential") or name in harmless for name in secretive)
    assert "hidden" not in repr(build(example(), base=Path()))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"centre = [", "not valid TOML"),
        (b"\xff\xfe", "not valid TOML"),
        (b"[centre]\naddress = 'a'\naddress = 'b'\n", "not valid TOML"),
        (b"", "'data_dir' is missing"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content, sentence):
    path = tmp_path / "lra.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=sentence):
        load(path)


def test_a_file_that_is_not_there_is_refused_with_the_next_step(tmp_path):
    with pytest.raises(SettingsError, match="write one with `ogis-lra init`"):
        load(tmp_path / "lra.toml")


def test_a_folder_is_no_configuration(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path)


JSONLIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(name=st.sampled_from([name for name, _ in options(Settings) if ".0." not in name]), value=JSONLIKE)
def test_any_value_of_any_option_is_taken_or_refused(name, value):
    raw = tomllib.loads(UNCOMMENTED)
    *blocks, key = name.split(".")
    target = raw
    for block in blocks:
        target = target[block]
    target[key] = value
    with contextlib.suppress(SettingsError):  # and nothing else
        assert isinstance(build(raw, base=Path()), Settings)


@pytest.mark.parametrize(
    ("block", "values", "sentence"),
    [
        ("approvers", {"methods": ["spf"]}, "must be one or more of login, results, dkim, smime, tenant"),
        ("approvers", {"methods": []}, "must be one or more of"),
        ("approvers", {"methods": ["dkim", "dkim"]}, "each once"),
        ("approvers", {"methods": ["tenant"]}, "tenant_headers and tenant_hosts are needed"),
        ("approvers", {"certificates": ["00:11"]}, "is not a SHA-256 fingerprint"),
        ("approvers", {"dkim_domains": ["lra"]}, "is not a domain"),
        ("authentication", {"tenant_headers": ["X-Y"]}, "is not of the form `Name: value`"),
        ("authentication", {"tenant_hosts": ["*.lra.example"]}, "is not a host name"),
        ("authentication", {"resolvers": ["ns.lra.example"]}, "is not the address of a name server"),
        ("authentication", {"resolvers": ["192.0.2.53:x"]}, "is not the address of a name server"),
    ],
)
def test_a_way_of_knowing_an_approver_that_cannot_work_is_refused(block, values, sentence):
    raw = example()
    target = raw[block][0] if block == "approvers" else raw[block]
    target |= values
    with pytest.raises(SettingsError, match=re.escape(sentence)):
        build(raw, base=Path("/srv"))


@pytest.mark.parametrize("resolver", ["192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353"])
def test_a_resolver_may_be_written_in_every_usual_way(resolver):
    raw = example()
    raw["authentication"]["resolvers"] = [resolver]
    assert build(raw, base=Path("/srv")).authentication.resolvers == (resolver,)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"approval": {"remind_hours": 9}}, "must grow in this order"),
        ({"approval": {"day_begins": "9:00"}}, "not a time of day"),
        ({"approval": {"day_begins": "18:00"}}, "later than day_begins"),
        ({"approval": {"digest_at": "nine"}}, "not a time of day"),
        ({"approval": {"closed_days": ["12/29"]}}, "neither MM-DD nor YYYY-MM-DD"),
    ],
)
def test_business_time_that_cannot_be_is_refused(change, word):
    with pytest.raises(SettingsError, match=word):
        build(example() | change, base=Path())


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"role": "boss"}, "'boss' is not one of approver, deputy, manager"),
        ({"deputy": "nobody@lra.example"}, "is not another approver's address"),
        ({"deputy": "TANAKA@lra.example"}, "is not another approver's address"),
    ],
)
def test_a_role_or_deputy_that_cannot_be_is_refused(values, word):
    raw = example()
    raw["approvers"][0] |= values
    with pytest.raises(SettingsError, match=word):
        build(raw, base=Path())


def test_somebody_must_be_asked_first():
    raw = example()
    for approver in raw["approvers"]:
        approver["role"] = "manager"
    with pytest.raises(SettingsError, match="at least one must have the role approver"):
        build(raw, base=Path())


def test_no_digest_is_asked_for_by_no_time():
    assert build(example() | {"approval": {"digest_at": ""}}, base=Path()).approval.digest_at == ""


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"ocsp": {"url": "https://ocsp.lra.example/"}}, "not a plain http"),
        ({"ocsp": {"url": "http://ocsp.lra.example/?x"}}, "not a plain http"),
        ({"ocsp": {"url": "http://ocsp.lra.example/"}, "http": {"listen": ""}}, "is needed, since ocsp.url"),
        ({"ocsp": {"validity_minutes": 4}}, "not between 5 and 10080"),
        *(
            ({"http": {"listen": listen}}, "neither an address")
            for listen in ("8080", "localhost:80", ":80", "[::1]", "127.0.0.1:0")
        ),
    ],
)
def test_a_responder_or_server_that_cannot_work_is_refused(change, word):
    with pytest.raises(SettingsError, match=word):
        build(example() | {"http": {"listen": "127.0.0.1:8080"}} | change, base=Path())


@pytest.mark.parametrize("listen", ["127.0.0.1:8080", "[::1]:8080", "0.0.0.0:80", "systemd"])
def test_a_server_listens_where_it_is_told(listen):
    settings = build(example() | {"ocsp": {"url": "http://ocsp.lra.example/"}, "http": {"listen": listen}}, base=Path())
    assert settings.http.listen == listen


def test_without_being_told_there_is_neither_server_nor_responder():
    settings = build(example(), base=Path())
    assert (settings.http.listen, settings.ocsp.url) == ("", "")
