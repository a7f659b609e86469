"""TLS certificates for connections, checked before anything is connected."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from sessiontui.errors import ConfigError
from sessiontui.text import clean

if TYPE_CHECKING:
    from sessiontui.config import Tls


def tls_arguments(tls: Tls) -> dict[str, Any]:
    """Return what redis-py takes for these certificates; the server is verified unless told not to.

    Raises:
        ConfigError: A file cannot be used; names it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca is not None:
        try:
            context.load_verify_locations(tls.ca)
        except (OSError, ValueError) as error:
            raise _unusable("certificates of authorities", tls.ca, error) from error
    if tls.key is not None and tls.cert is None:
        raise ConfigError("a key for TLS needs the certificate it belongs to: ssl_certfile")
    if tls.cert is not None:
        try:
            # Without a password of ours an encrypted key would ask for one at the terminal.
            context.load_cert_chain(tls.cert, tls.key, password=str)
        except (OSError, ValueError) as error:
            raise _unusable("a certificate and its key", tls.key or tls.cert, error) from error
    return {
        "ssl_ca_certs": tls.ca,
        "ssl_certfile": tls.cert,
        "ssl_keyfile": tls.key,
        "ssl_cert_reqs": "required" if tls.verify else "none",
        "ssl_check_hostname": tls.verify,
    }


def tls_reason(error: ssl.SSLError) -> str:
    """Return in plain words why a connection over TLS was not made."""
    if isinstance(error, ssl.SSLCertVerificationError):
        told = error.verify_message or ""
        if "expired" in told:
            return "its certificate has expired"
        if "not yet valid" in told:
            return "its certificate is not valid yet"
        if "mismatch" in told:
            return "its certificate is for another host"
        if "issuer" in told or "self-signed" in told or "self signed" in told:
            return "its certificate is signed by nobody trusted here (ssl_ca_certs names whom to)"
        return f"its certificate is not valid: {told}"
    told = (error.reason or error.strerror or "").lower().replace("_", " ")
    if "certificate required" in told or "handshake failure" in told:
        return "it wants a certificate of ours (ssl_certfile)"
    if "unknown ca" in told or "bad certificate" in told or "certificate unknown" in told:
        return "it does not take our certificate"
    if "wrong version number" in told or "record layer failure" in told:
        return "it does not speak TLS there: try redis://"
    return f"no TLS: {told or type(error).__name__}"


def _unusable(what: str, file: str, error: Exception) -> ConfigError:
    if isinstance(error, ssl.SSLError):
        reason = "it is encrypted, or holds none" if what.endswith("key") else "it holds none"
    elif isinstance(error, OSError) and error.strerror:
        reason = error.strerror.lower()
    else:
        reason = "it cannot be read"
    return ConfigError(f"{clean(file)}: cannot be used for {what}: {reason}")
