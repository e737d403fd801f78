"""Static tokens: a table in a file, for bootstrap and for robots.

The file is Kubernetes' own (``--token-auth-file``): ``token,user,uid,"group1,group2"``
a line, the groups optional, no header. A token may be given hashed, as ``sha256:`` and
64 hex digits; `authsvc token hash` makes one. Only hashes are kept in memory.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from authsvc.authn.static_settings import StaticTokensSettings
from authsvc.authn.tables import Row, Table, parse_groups, read_table
from authsvc.interfaces import Identity, UserInfo
from authsvc.reloading import Reloading
from authsvc.truncation import refuse_truncated

_HASHED = "sha256:"
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")

TokenTable = Table[bytes, UserInfo]


class StaticTokenAuthenticator:
    """Knows the tokens of a table; the table follows its file."""

    def __init__(self, settings: StaticTokensSettings, name: str = "static-tokens") -> None:
        file = settings.file
        self.table: Reloading[TokenTable] = Reloading(
            f"authenticator/{name}", refuse_truncated(lambda: read(file), file), [file]
        )

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:  # noqa: ARG002  such a token has no audience of its own
        """Return the user whom the table gives the token, good for no audience in particular."""
        digest = hash_token(token)
        # Found by digest in a dict: Python compares the bytes themselves only
        # after their keyed hashes (SipHash, a key per process) are equal, so the
        # time of a look-up tells nothing about the tokens in the table.
        found = self.table.current.get(digest)
        return None if found is None else Identity(found)


def hash_token(token: str) -> bytes:
    """Return the SHA-256 of a token, which is what a table keeps."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def read(file: Path) -> TokenTable:
    """Read a table.

    Raises:
        InvalidPolicyError: every error of the file with its line; never with a token.
    """
    return read_table(file, _parse_row, key="token")


def _parse_row(cells: list[str]) -> Row[bytes, UserInfo]:
    if not 3 <= len(cells) <= 4:
        raise ValueError(f'expected token,user,uid,"group1,group2", got {len(cells)} cells')
    token, username, uid, groups = (*cells, "")[:4]
    if [cell.lower() for cell in cells[:3]] == ["token", "user", "uid"]:
        raise ValueError("a header, which would be a token: put # in front of it")
    if not token:
        raise ValueError("the token is empty")
    if not username:
        raise ValueError("the user is empty")
    user = UserInfo(username, uid, parse_groups(groups))
    return Row(_digest(token), user, user)


def _digest(token: str) -> bytes:
    # In any case: "SHA256:…" taken as the token itself would make the hash a password.
    if token[: len(_HASHED)].lower() != _HASHED:
        return hash_token(token)
    digest = token[len(_HASHED) :]
    if not _DIGEST.fullmatch(digest):
        raise ValueError("expected 64 hexadecimal digits after sha256:")
    return bytes.fromhex(digest)
