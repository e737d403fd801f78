"""Whose token may this be? Told by its shape alone, so that no credential strays.

Each authenticator of this package that would send a token somewhere, or look
up keys for it, first asks here what the token looks like and declines (None,
without any network call) what is not meant for its provider. Nothing here
verifies anything.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from enum import Enum
from typing import Any, NamedTuple

# RFC 6750 2.1 (b64token). What has other characters is no bearer token at all.
_BEARER = re.compile(r"[A-Za-z0-9\-._~+/]+=*", re.ASCII)
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# kubeadm's bootstrap tokens (k8s.io/cluster-bootstrap/token/api)
_BOOTSTRAP = re.compile(r"[a-z0-9]{6}\.[a-z0-9]{16}", re.ASCII)
# https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
GITHUB_PREFIXES = ("ghp_", "github_pat_", "gho_", "ghu_", "ghs_", "ghr_")
# https://docs.gitlab.com/security/tokens/#token-prefixes
GITLAB_PREFIXES = ("glpat-", "gloas-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glagent-")


class Shape(Enum):
    """What a token looks like."""

    NO_TOKEN = "no bearer token (RFC 6750)"  # noqa: S105  a description
    JWT = "a JWT"
    PASSWORD = "base64 of user:password"  # noqa: S105  a description
    BOOTSTRAP = "a bootstrap token of kubeadm"
    GITHUB = "a token of GitHub"
    GITLAB = "a token of GitLab"
    OPAQUE = "an opaque token"


class Route(NamedTuple):
    """Whether an authenticator takes a token, and why."""

    takes: bool
    reason: str


def shape_of(token: str) -> Shape:
    """Say what a token looks like."""
    if not _BEARER.fullmatch(token):
        return Shape.NO_TOKEN
    if _JWT.fullmatch(token):
        return Shape.JWT
    if _BOOTSTRAP.fullmatch(token):
        return Shape.BOOTSTRAP
    if token.startswith(GITHUB_PREFIXES):
        return Shape.GITHUB
    if token.startswith(GITLAB_PREFIXES):
        return Shape.GITLAB
    if _is_password(token):
        return Shape.PASSWORD
    return Shape.OPAQUE


def _is_password(token: str) -> bool:
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    # One password more than can be typed is better than one that goes to a
    # stranger; chance makes nearly no random token into text without controls.
    return ":" in text and not _CONTROL.search(text)


class UnverifiedJWT(NamedTuple):
    """What a JWT says of itself before anybody checked it: good for routing, for nothing else."""

    header: dict[str, Any]
    claims: dict[str, Any]

    @property
    def issuer(self) -> str:
        """The issuer it names, or nothing."""
        issuer = self.claims.get("iss")
        return issuer if isinstance(issuer, str) else ""


def read_unverified(token: str) -> UnverifiedJWT | None:
    """Read a JWT without verifying it; None where it is not one."""
    if not _JWT.fullmatch(token):
        return None
    header, claims = (_json_object(part) for part in token.split(".")[:2])
    return None if header is None or claims is None else UnverifiedJWT(header, claims)


def _json_object(part: str) -> dict[str, Any] | None:
    try:
        document = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):  # binascii.Error and UnicodeDecodeError are ValueErrors
        return None
    return document if isinstance(document, dict) else None


def route_issuer(token: str, issuer: str) -> Route:
    """Route by the issuer that a JWT names."""
    jwt = read_unverified(token)
    if jwt is None:
        return Route(False, f"it is {shape_of(token).value}, not a readable JWT")
    if jwt.issuer != issuer:
        return Route(False, f"its issuer is {jwt.issuer!r}, not {issuer!r}")
    return Route(True, f"its issuer is {issuer!r}")


def route_prefix(token: str, prefixes: tuple[str, ...]) -> Route:
    """Route by what a token starts with."""
    if shape_of(token) is Shape.NO_TOKEN:
        return Route(False, f"it is {Shape.NO_TOKEN.value}")
    prefix = next((prefix for prefix in prefixes if token.startswith(prefix)), None)
    if prefix is None:
        return Route(False, f"it does not start with {' or '.join(prefixes)}")
    return Route(True, f"it starts with {prefix}")
