"""Proxies: those that this program asks through, and those that stand before it."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import urllib.request
from collections.abc import Iterator

import httpx

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SCHEMES = ("http", "https", "all")
logger = logging.getLogger(__name__)


@contextlib.contextmanager
def usable_proxies() -> Iterator[None]:
    """The block without the environment's proxies that httpx cannot use, under which it makes no client at all."""
    hidden = {name: os.environ.pop(name, "") for name in _unusable()}
    try:
        yield
    finally:
        os.environ.update(hidden)


def spare_loopback() -> None:
    """Keep this process from asking itself through a proxy, as gradio does when it starts.

    Downloads go on through the proxy of the environment, or of the system where it names one. One that httpx cannot use
    serves no download either, and is left out for good.
    """
    for name in _unusable():
        logger.warning(
            "the proxy in %s is not used: its kind is unknown, or needs the package socksio (pip install socksio)", name
        )
        os.environ.pop(name, None)
    found = urllib.request.getproxies()
    spared = [name for part in found.get("no", "").split(",") if (name := part.strip())]
    if "*" in spared or not any(found.get(scheme) for scheme in _SCHEMES):
        return
    for scheme in _SCHEMES:  # the system's proxies hold only as long as the environment names none at all
        if found.get(scheme):
            os.environ.setdefault(f"{scheme}_proxy", found[scheme])
    names = ",".join([*spared, *(name for name in LOOPBACK if name not in spared)])
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = names


def _unusable() -> list[str]:
    found = []
    for name in (*(f"{scheme}_proxy" for scheme in _SCHEMES), *(f"{scheme}_PROXY".upper() for scheme in _SCHEMES)):
        value = os.environ.get(name, "")
        try:
            if value:
                httpx.HTTPTransport(proxy=value if "://" in value else f"http://{value}").close()
        except (ImportError, ValueError, httpx.InvalidURL):
            found.append(name)
    return found


def believe_forwarded(proxies: str = "") -> None:
    """Let the server take a client's address from X-Forwarded-For only where the request comes from such a proxy.

    proxies: addresses and networks with commas between them. uvicorn reads them here, and would believe every program
    of this computer otherwise; of what the proxies tell it takes the last address that is none of theirs.
    """
    os.environ["FORWARDED_ALLOW_IPS"] = proxies


def proxies_named(text: str) -> str:
    """The text, addresses and networks with commas between them. Raises ValueError for anything else."""
    for part in text.split(","):
        ipaddress.ip_network(part.strip(), strict=False)
    return text
