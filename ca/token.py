"""Keys that stay in a token (HSM, smart card) and sign there, by PKCS#11; beside `ca.signer` the only room of CA keys.

Does: logs in, makes a key pair in the token or finds one, and gives it out as a `CaKey` like every other.
Trusts: the module (a library of the token's maker, loaded into this process) and the token.
Promises: a key made here is born in the token, sensitive and not extractable; only digests go in and signatures come
out. What goes wrong is CaError(key_unavailable): a token that was pulled out is looked for again at the next
signature, a refused PIN is not offered a second time, since a few wrong ones lock a token for good.
Weak: one session, one signature at a time. A module that hangs makes its caller hang. The PIN lies in memory, to log
in again.
"""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from threading import RLock
from typing import Any, NoReturn, TypeAlias, TypeVar

import pkcs11
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from pkcs11.exceptions import (
    MultipleObjectsReturned,
    NoSuchKey,
    PinExpired,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
    TokenNotPresent,
    UserAlreadyLoggedIn,
)

from ca.errors import CaError, CaErrorKind
from ca.keys import RSA_EXPONENT, KeyKind, PublicKey, kind_of
from ca.signer import CaKey

_Found = TypeVar("_Found")
Lock: TypeAlias = AbstractContextManager[Any]

_RSA_BITS = {KeyKind.RSA_2048: 2048, KeyKind.RSA_3072: 3072, KeyKind.RSA_4096: 4096}
# DER of namedCurve OBJECT IDENTIFIER (RFC 5480, 2.1.1.1): what CKA_EC_PARAMS holds.
_CURVES: Mapping[KeyKind, bytes] = {
    KeyKind.P_256: bytes.fromhex("06082a8648ce3d030107"),
    KeyKind.P_384: bytes.fromhex("06052b81040022"),
}
_CURVE_OF: Mapping[bytes, type[ec.EllipticCurve]] = {
    _CURVES[KeyKind.P_256]: ec.SECP256R1,
    _CURVES[KeyKind.P_384]: ec.SECP384R1,
}
# DigestInfo without the digest (RFC 8017, 9.2): PKCS#11's RSA_PKCS pads what it is given and hashes nothing.
_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
}
_PIN_REFUSED = (PinIncorrect, PinInvalid, PinLocked, PinExpired, PinLenRange)
_PRIVATE: dict[pkcs11.Attribute, Any] = {
    pkcs11.Attribute.TOKEN: True,
    pkcs11.Attribute.PRIVATE: True,
    pkcs11.Attribute.SENSITIVE: True,
    pkcs11.Attribute.EXTRACTABLE: False,
    pkcs11.Attribute.SIGN: True,
    pkcs11.Attribute.DECRYPT: False,
    pkcs11.Attribute.UNWRAP: False,
}
_PUBLIC: dict[pkcs11.Attribute, Any] = {
    pkcs11.Attribute.TOKEN: True,
    pkcs11.Attribute.VERIFY: True,
    pkcs11.Attribute.ENCRYPT: False,
    pkcs11.Attribute.WRAP: False,
}


class Token:
    """One token, found by the label it was initialised with. Safe to share between threads."""

    def __init__(self, module: str, label: str, pin: str, lock: Lock | None = None) -> None:
        """`module` is the path of the PKCS#11 library. Nothing is loaded before the first use. Tokens of one module in
        one process share a `lock`: starting the module anew ends the sessions of all."""
        self._module, self._label, self._pin = module, label, pin
        self.lock: Lock = RLock() if lock is None else lock
        self._session: pkcs11.Session | None = None
        self._refused = False

    def make_key(self, label: str, kind: KeyKind) -> CaKey:
        """A new key pair in the token. Raises CaError(key_unavailable), also where the label is taken: two keys of one
        name cannot be told apart when it counts."""

        def make(session: pkcs11.Session) -> None:
            taken = list(session.get_objects({pkcs11.Attribute.LABEL: label}))
            if taken:
                raise _unavailable(f"the token has an object {label!r} already; name another label (ca.pkcs11_key)")
            # CKA_ID ties the two halves together for other programs, too.
            identity = hashlib.sha256(label.encode()).digest()[:20]
            public, private = dict(_PUBLIC), dict(_PRIVATE)
            if kind in _RSA_BITS:
                public[pkcs11.Attribute.PUBLIC_EXPONENT] = RSA_EXPONENT.to_bytes(3)
                session.generate_keypair(
                    pkcs11.KeyType.RSA,
                    _RSA_BITS[kind],
                    id=identity,
                    label=label,
                    store=True,
                    public_template=public,
                    private_template=private,
                )
                return
            # What a curve cannot do is not even forbidden: some modules refuse the word.
            del public[pkcs11.Attribute.ENCRYPT], private[pkcs11.Attribute.DECRYPT]
            parameters: dict[pkcs11.Attribute, Any] = {pkcs11.Attribute.EC_PARAMS: _CURVES[kind]}
            session.create_domain_parameters(pkcs11.KeyType.EC, parameters, local=True).generate_keypair(
                id=identity, label=label, store=True, public_template=public, private_template=private
            )

        self.use(make)
        return self.find_key(label)

    def find_key(self, label: str) -> CaKey:
        """The key pair of that label. Raises CaError(key_unavailable): there is none, or several; of a kind not ours;
        one that may leave the token."""

        def find(session: pkcs11.Session) -> PublicKey:
            private = _private(session, label)
            if private[pkcs11.Attribute.EXTRACTABLE] or not private[pkcs11.Attribute.SENSITIVE]:
                raise _unavailable(f"the key {label!r} can be taken out of the token: no place for a CA key")
            return _public(session, label)

        public = self.use(find)
        kind = kind_of(public)
        if kind is None:
            raise _unavailable(f"the key {label!r} is of a kind we do not sign with")
        if isinstance(public, rsa.RSAPublicKey):
            return CaKey(_TokenRsaKey(self, label, public))
        return CaKey(_TokenEcKey(self, label, public))

    def has_key(self, label: str) -> bool:
        """Whether anything of that label is in the token. Raises CaError(key_unavailable)."""
        return self.use(lambda session: bool(list(session.get_objects({pkcs11.Attribute.LABEL: label}))))

    def check_key(self, label: str) -> None:
        """Look whether the key can be used now. Raises CaError(key_unavailable)."""
        self.use(lambda session: _private(session, label))

    def sign_digest(self, label: str, mechanism: pkcs11.Mechanism, data: bytes) -> bytes:
        """A signature made in the token. Raises CaError(key_unavailable)."""
        return self.use(lambda session: bytes(_private(session, label).sign(data, mechanism=mechanism)))

    def use(self, work: Callable[[pkcs11.Session], _Found]) -> _Found:
        """Do this in the session; where the session is gone, log in once more and do it again.

        Doing it again is harmless: a signature that nobody got signs nothing else, and a second key of one label is
        refused. Raises CaError(key_unavailable).
        """
        with self.lock:
            for last in (False, True):
                try:
                    return work(self._open(anew=last))
                except MultipleObjectsReturned as error:
                    raise _unavailable("the token has several keys of that label") from error
                except PKCS11Error as error:
                    # Some modules go on with the session of a token that was pulled out: then only its keys are gone.
                    self._drop()
                    if last or self._refused:
                        what = "has no such key" if isinstance(error, NoSuchKey) else "does not answer"
                        raise _unavailable(f"the token {what} ({type(error).__name__})") from error
            raise AssertionError("the second try returns or raises")

    def close(self) -> None:
        """Log out."""
        with self.lock:
            self._drop()

    def _open(self, *, anew: bool) -> pkcs11.Session:
        if self._session is not None:
            return self._session
        if self._refused:
            raise _unavailable("the PIN was refused before and is not offered again; mend the credential, then restart")
        try:
            library = pkcs11.lib(self._module)
        except (PKCS11Error, RuntimeError, OSError) as error:
            raise _unavailable(f"the PKCS#11 module {self._module} cannot be loaded") from error
        if anew:
            # Many modules look for tokens only when they start.
            library.reinitialize()
        tokens = [slot.get_token() for slot in library.get_slots(token_present=True)]
        found = [token for token in tokens if token.label == self._label]
        if not found and not anew:
            raise TokenNotPresent
        if len(found) != 1:
            raise _unavailable(f"{len(found)} tokens are labelled {self._label!r}; one must be")
        try:
            self._session = found[0].open(rw=True, user_pin=self._pin)
        except UserAlreadyLoggedIn:
            # The login is the process's, not the session's (PKCS#11 section 5.6.8): another session of ours has it.
            self._session = found[0].open(rw=True)
        except _PIN_REFUSED as error:
            self._refused = True
            raise _unavailable(f"the token refuses the PIN ({type(error).__name__})") from error
        return self._session

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except PKCS11Error:
                # What is gone needs no goodbye.
                return

    def __repr__(self) -> str:
        return f"<Token {self._label}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not pickled")


def _private(session: pkcs11.Session, label: str) -> Any:  # noqa: ANN401 - the library's classes are made at run time
    return session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=label)


def _public(session: pkcs11.Session, label: str) -> PublicKey:
    """The public half, from the token's public object. Raises CaError(key_unavailable) for a kind not ours."""
    found: Any = session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, label=label)
    if found.key_type is pkcs11.KeyType.RSA:
        modulus = int.from_bytes(found[pkcs11.Attribute.MODULUS])
        exponent = int.from_bytes(found[pkcs11.Attribute.PUBLIC_EXPONENT])
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    curve = _CURVE_OF.get(found[pkcs11.Attribute.EC_PARAMS]) if found.key_type is pkcs11.KeyType.EC else None
    if curve is None:
        raise _unavailable(f"the key {label!r} is of a kind we do not sign with")
    point = found[pkcs11.Attribute.EC_POINT]
    size = 1 + 2 * ((curve().key_size + 7) // 8)
    # An OCTET STRING around the point (PKCS#11 section 2.3.3); some modules give the point bare.
    return ec.EllipticCurvePublicKey.from_encoded_point(curve(), point[-size:])


def _digest(data: bytes, algorithm: hashes.HashAlgorithm | Prehashed) -> tuple[bytes, str]:
    """The digest to be signed and the name of its hash: only digests go into a token, however long the CRL is."""
    if isinstance(algorithm, Prehashed):
        inner: hashes.HashAlgorithm = algorithm._algorithm  # noqa: SLF001 - Prehashed shows only the size
        if len(data) != inner.digest_size:
            raise ValueError("not a digest of that hash")
        return data, inner.name
    hasher = hashes.Hash(algorithm)
    hasher.update(data)
    return hasher.finalize(), algorithm.name


class _InToken:
    """What keys of both kinds have in common: they sign in their token and do not leave it."""

    _token: "Token"
    _label: str

    def check(self) -> None:
        """Raises CaError(key_unavailable) where the token could not sign now."""
        self._token.check_key(self._label)

    def private_numbers(self) -> NoReturn:
        raise _stays()

    def private_bytes(self, encoding: Any, format: Any, encryption_algorithm: Any) -> NoReturn:  # noqa: A002, ANN401, ARG002
        raise _stays()

    def __copy__(self) -> NoReturn:
        raise _stays()

    def __deepcopy__(self, memo: Any) -> NoReturn:  # noqa: ANN401
        raise _stays()


class _TokenRsaKey(_InToken, rsa.RSAPrivateKey):
    """An RSA key in a token, as `cryptography` takes it for one of its own."""

    def __init__(self, token: Token, label: str, public: rsa.RSAPublicKey) -> None:
        self._token, self._label, self._public = token, label, public

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public

    def sign(self, data: Any, padding: Any, algorithm: Any) -> bytes:  # noqa: ANN401 - as the class it is one of
        if not isinstance(padding, _PKCS1V15):
            raise UnsupportedAlgorithm("a CA key here signs with PKCS#1 v1.5")
        digest, name = _digest(bytes(data), algorithm)
        return self._token.sign_digest(self._label, pkcs11.Mechanism.RSA_PKCS, _DIGEST_INFO[name] + digest)

    def decrypt(self, ciphertext: bytes, padding: Any) -> NoReturn:  # noqa: ANN401, ARG002
        raise UnsupportedAlgorithm("a CA key deciphers nothing")


class _TokenEcKey(_InToken, ec.EllipticCurvePrivateKey):
    """The same for a key on a curve."""

    def __init__(self, token: Token, label: str, public: ec.EllipticCurvePublicKey) -> None:
        self._token, self._label, self._public = token, label, public

    @property
    def key_size(self) -> int:
        return self._public.key_size

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    def sign(self, data: Any, signature_algorithm: Any) -> bytes:  # noqa: ANN401 - as the class it is one of
        digest, _ = _digest(bytes(data), signature_algorithm.algorithm)
        both = self._token.sign_digest(self._label, pkcs11.Mechanism.ECDSA, digest)
        # PKCS#11 gives r and s side by side, X.509 wants them as a SEQUENCE (RFC 3279, 2.2.3).
        half = len(both) // 2
        return encode_dss_signature(int.from_bytes(both[:half]), int.from_bytes(both[half:]))

    def exchange(self, algorithm: Any, peer_public_key: Any) -> NoReturn:  # noqa: ANN401, ARG002
        raise UnsupportedAlgorithm("a CA key agrees on nothing")


_PKCS1V15 = padding.PKCS1v15


def _unavailable(sentence: str) -> CaError:
    return CaError(CaErrorKind.KEY_UNAVAILABLE, sentence)


def _stays() -> CaError:
    return _unavailable("a key in a token is not taken out of it")
