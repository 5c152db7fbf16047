"""Who may ask a server, from where, and what browsers are told of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hf_vft.serving.limits import Limits

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names by which a machine asks itself."""


@dataclass(frozen=True)
class AccessPolicy:
    """Rules for who may ask, and from where.

    Attributes:
        limits: How much.
        proxies: Proxies in front of the server whose X-Forwarded-For is believed.
        login: Whether callers log in.
        local: Whether only this machine reaches the server.
        origins: Origins whose pages may ask, besides its own.
        frames: Origins whose pages may show the app in a frame, besides its own.
    """

    limits: Limits = field(default_factory=Limits)
    proxies: int = 0
    login: bool = False
    local: bool = True
    origins: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()

    def caller(self, peer: str, forwarded: Iterable[str]) -> str:
        """The address that asks.

        A proxy appends the address that it was asked from, so what the last trusted one has
        appended is true, and what stands before it is what the caller wrote.

        Args:
            peer: The address of the connection.
            forwarded: The values of all X-Forwarded-For headers, in order.
        """
        named = [
            address.strip() for text in forwarded for address in text.split(",") if address.strip()
        ]
        if not self.proxies or not named:
            return peer
        return named[-min(self.proxies, len(named))]

    def headers(self) -> dict[str, str]:
        """The headers of each answer."""
        frames = " ".join(("'self'", *self.frames))
        policy = {
            "default-src": "'self'",
            # Gradio's page starts with scripts in the page, and its plots compile theirs.
            "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",
            "style-src": "'self' 'unsafe-inline'",
            "img-src": "'self' data: blob:",
            "media-src": "'self' data: blob:",
            "font-src": "'self' data:",
            "connect-src": "'self' data: blob:",
            "worker-src": "'self' blob:",
            "frame-src": "'self' blob: data:",
            "object-src": "'none'",
            "base-uri": "'self'",
            "form-action": "'self'",
            "frame-ancestors": frames,
        }
        headers = {
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "content-security-policy": "; ".join(f"{k} {v}" for k, v in policy.items()),
        }
        return headers if self.frames else headers | {"x-frame-options": "SAMEORIGIN"}
