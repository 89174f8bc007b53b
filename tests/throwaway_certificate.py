"""A key and the chain of its certificate, as C2PA asks for them, for one test."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_USAGES = "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
_USAGES += " encipher_only decipher_only"


def write_certificate(folder: Path, common_name: str = "Throwaway") -> tuple[Path, Path]:
    """Paths of the key and of the chain."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _signed("Root", "Root", root_key, root_key, x509.BasicConstraints(True, None), "key_cert_sign")
    leaf = _signed(common_name, "Root", key, root_key, x509.BasicConstraints(False, None), "digital_signature")
    pem = serialization.Encoding.PEM
    (folder / "chain.pem").write_bytes(leaf.public_bytes(pem) + root.public_bytes(pem))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *form))
    return folder / "key.pem", folder / "chain.pem"


def _signed(name, issuer, key, issuer_key, constraints, usage) -> x509.Certificate:
    named = [
        x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, each), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test")]
        )
        for each in (name, issuer)
    ]
    now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(1)
    builder = x509.CertificateBuilder(*reversed(named), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - day).not_valid_after(now + day).add_extension(constraints, True)
    usages = x509.KeyUsage(**{each: each == usage for each in _USAGES.split()})
    builder = builder.add_extension(usages, True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False)
    if usage == "digital_signature":
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
    return builder.sign(issuer_key, hashes.SHA256())
