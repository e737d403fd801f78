"""joserfc's algorithms, kept to a list: nothing is signed or verified by any other."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from joserfc.errors import UnsupportedAlgorithmError
from joserfc.jws import JWSRegistry


class Algorithms(JWSRegistry):
    """The listed algorithms. Immutable."""

    # joserfc's 512 bytes are too few for the headers that carry an x5c chain.
    max_header_length = 8192

    def __init__(self, algorithms: Collection[str]) -> None:
        super().__init__(algorithms=frozenset(algorithms), strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        """Return a listed algorithm.

        Unlike joserfc's own this does not warn of ``EdDSA``: RFC 9864 wants
        the name gone, not the algorithm, and every provider still says it.
        """
        if name not in (self.allowed or ()) or name not in self.algorithms:
            raise UnsupportedAlgorithmError(f"Algorithm of '{name}' is not allowed")
        return self.algorithms[name]
