"""C2PA content credentials: the record of a file signed with a person's own key, so that changes of it show.

Specification: c2pa.org, version 2; done by the library of its authors, which comes with the extra "c2pa".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from paints_undo.atomic import explained, written_atomically
from paints_undo.errors import InputError
from paints_undo.provenance.metadata import read_record
from paints_undo.provenance.records import PROGRAM, Record
from paints_undo.run.folder import RunFolder

_KINDS = {".png": "image/png", ".mp4": "video/mp4", ".gif": "image/gif", ".webp": "image/webp"}
# Reading a file must reach no network, whatever address stands in it; a picture of the picture is of no use here.
_SETTINGS = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}
_UNTRUSTED = "signingCredential.untrusted"


@dataclass(frozen=True)
class Credentials:
    """What a person signs with: files in PEM format, the certificate with those that lead to its root after it."""

    key: Path
    certificate: Path

    def __post_init__(self) -> None:
        for name in ("key", "certificate"):
            file = Path(getattr(self, name))
            if not file.is_file():
                raise InputError(f"the C2PA {name} is {str(file)!r}, which is no file; give one in PEM format")
            object.__setattr__(self, name, file)
        _library()


@dataclass(frozen=True)
class Signature:
    """What the content credentials of a file come to."""

    signer: str  # as the certificate names it
    intact: bool  # signed as it is, and not changed since
    trusted: bool  # the certificate leads to a root on the list of the C2PA


def sign_file(path: Path, record: Record, credentials: Credentials) -> None:
    """Put signed content credentials into a PNG, MP4, GIF or WebP file; all or nothing. One that has some stays.

    A picture that a person gave gets none: how it was made is not for this program to sign.

    Raises InputError where key or certificate do not serve, OSError (one sentence) where it cannot be written.
    """
    c2pa = _library()
    if path.suffix.lower() not in _KINDS or not record.made_by_ai or read_signature(path) is not None:
        return
    kind = _KINDS[path.suffix.lower()]
    try:
        signer = c2pa.Signer.from_info(
            c2pa.C2paSignerInfo(
                alg=_algorithm(credentials.key),
                sign_cert=credentials.certificate.read_bytes(),
                private_key=credentials.key.read_bytes(),
                ta_url=None,
            )
        )
        builder = c2pa.Builder(_manifest(path, record, kind), context=c2pa.Context.from_dict(_SETTINGS))
        with (
            builder,
            written_atomically(path) as temporary,
            explained("sign", path),
            open(path, "rb") as source,
            open(temporary, "w+b") as signed,
        ):
            builder.sign(signer, kind, source, signed)
    except c2pa.C2paError as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"the C2PA key {credentials.key.name} and certificate {credentials.certificate.name} cannot sign "
            f"{path.name} ({reason}); give a private key and the chain of its certificate in PEM format"
        ) from None


def sign_run(folder: Path, credentials: Credentials) -> None:
    """Sign what a finished run is looked at by: its keyframes, frames and video. Raises as sign_file()."""
    run = RunFolder.open(folder)
    with run.held():
        for path in sorted(
            each for pattern in ("keyframes/*.png", "frames/*.png", "*.mp4") for each in folder.glob(pattern)
        ):
            record = read_record(path)
            if record is not None and run.is_whole(path):
                sign_file(path, record, credentials)
                run.note_rewritten(path)


def read_signature(path: Path) -> Signature | None:
    """The content credentials of a file, checked against its content; None where it has none. No network is asked."""
    c2pa = _library()
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        return None
    try:
        with open(path, "rb") as file, c2pa.Reader(kind, file, context=c2pa.Context.from_dict(_SETTINGS)) as reader:
            told = json.loads(reader.json())
    except c2pa.C2paError as error:
        if "ManifestNotFound" in f"{type(error).__name__} {error}":
            return None
        return Signature("", intact=False, trusted=False)
    active = told["manifests"][told["active_manifest"]]
    failures = {each["code"] for each in told.get("validation_status", [])}
    about = active.get("signature_info", {})
    signer = about.get("common_name") or about.get("issuer") or "someone unnamed"
    return Signature(signer, intact=not failures - {_UNTRUSTED}, trusted=not failures)


def _manifest(path: Path, record: Record, kind: str) -> dict[str, Any]:
    action = {"action": "c2pa.created", "digitalSourceType": record.digital_source_type}
    return {
        "claim_generator_info": [{"name": PROGRAM, "version": record.version}],
        "title": path.name,
        "format": kind,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [action]}},
            {"label": "paints-undo.record", "data": record.to_dict()},
        ],
    }


def _algorithm(key: Path) -> Any:
    """The signature algorithm that a private key is for. Raises InputError for a file without one."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(key.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        raise InputError(f"the C2PA key {key.name} is no private key in PEM format without a password") from None
    algorithms = _library().C2paSigningAlg
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return {256: algorithms.ES256, 384: algorithms.ES384, 521: algorithms.ES512}.get(private.curve.key_size)
    if isinstance(private, rsa.RSAPrivateKey):
        return algorithms.PS256
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return algorithms.ED25519
    raise InputError(f"the C2PA key {key.name} is of a kind that C2PA does not know; use one of P-256")


def _library() -> ModuleType:
    try:
        import c2pa
    except ImportError:
        raise InputError(
            "content credentials need the package c2pa-python, which is not installed here: pip install '.[c2pa]'"
        ) from None
    return c2pa
