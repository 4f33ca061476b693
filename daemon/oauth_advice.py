"""What an operator does about a login by token that failed, in plain words: the table behind `ogis-lra check` (pure).

The codes are those of RFC 6749 section 5.2 and Microsoft's numbers, as its documentation of sign-in errors lists them.
"""

import re

_MICROSOFT = {
    "AADSTS7000215": "the client secret is wrong: write its value, not its id, into the credential",
    "AADSTS7000222": "the client secret has expired: make another in Entra ID and write it into the credential",
    "AADSTS700016": "the tenant knows no such application: mend oauth.client_id, or the tenant in oauth.authority",
    "AADSTS700027": "the certificate is not the one registered for the application, or it has expired",
    "AADSTS90002": "there is no such tenant: mend oauth.authority",
    "AADSTS1002012": "oauth.scope must be https://outlook.office365.com/.default",
    "AADSTS70011": "oauth.scope must be https://outlook.office365.com/.default",
    "AADSTS500011": "oauth.scope names a service that the tenant does not have",
}

_CODES = {
    "invalid_client": "the token server does not know the client: mend oauth.client_id or the secret in the credential",
    "invalid_grant": "the refresh token was withdrawn or has expired: let the service in again and write the new one",
    "unauthorized_client": "the application may not use this grant: mend oauth.grant or its registration",
    "invalid_scope": "mend oauth.scope",
    "unsupported_grant_type": "mend oauth.grant",
    "invalid_request": "mend oauth.token_url or oauth.authority",
}

_REFUSED_BY_SERVER = (
    "the token is good and the mail server refuses it: for Microsoft 365, is the application's service principal "
    "registered in Exchange with FullAccess to this mailbox, has it IMAP.AccessAsApp and SMTP.SendAsApp, is the user "
    "name the mailbox's address, and is authenticated SMTP on for it? For Gmail, is the scope https://mail.google.com/?"
)


def advice(detail: str) -> str:
    """The next step for a failure's detail; empty where it is not about a token."""
    if detail.startswith("token "):
        return _REFUSED_BY_SERVER
    if not detail.startswith("oauth: "):
        return "mend the login: the server offers another than the settings name" if "not offered" in detail else ""
    number = re.search(r"AADSTS\d+", detail)
    if number is not None and number[0] in _MICROSOFT:
        return _MICROSOFT[number[0]]
    code = detail.removeprefix("oauth: ").partition(" ")[0]
    if code in _CODES:
        return _CODES[code]
    return "is the token server of [oauth] up, is its address right, is a firewall in between?"
