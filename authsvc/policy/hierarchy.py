"""Roles among themselves: each that is given is defined, and none inherits itself."""

from __future__ import annotations

from difflib import get_close_matches

from authsvc.errors import PolicyError


class Hierarchy:
    """Collects the roles of a policy while it is read, then says what is wrong with them."""

    def __init__(self) -> None:
        self._defined: set[str] = set()
        self._used: dict[str, tuple[str, int]] = {}
        self._inherits: dict[str, dict[str, tuple[str, int]]] = {}

    def define(self, role: str) -> None:
        """A role has a rule."""
        self._defined.add(role)

    def grant(self, holder: str, role: str, file: str, line: int) -> None:
        """A role is given to a subject, or to a role, which is then defined as well."""
        self._used.setdefault(role, (file, line))
        if holder.startswith("role:"):
            self._defined.add(holder)
            self._inherits.setdefault(holder, {}).setdefault(role, (file, line))

    def faults(self) -> list[PolicyError]:
        """Return each role that is used but has no rows, and each cycle."""
        return self._undefined() + self._cycles()

    def _undefined(self) -> list[PolicyError]:
        faults = []
        for role, (file, line) in self._used.items():
            if role not in self._defined:
                near = get_close_matches(role, self._defined, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                faults.append(
                    PolicyError(file, line, f"{role} is given but no row says what it may{hint}")
                )
        return faults

    def _cycles(self) -> list[PolicyError]:
        """Find one cycle for each role that closes one, without recursion: 10,000 deep is fine."""
        faults = []
        finished: set[str] = set()
        for start in self._inherits:
            path: dict[str, None] = {}
            stack = [(start, iter(self._inherits[start]))] if start not in finished else []
            path[start] = None
            while stack:
                role, heirs = stack[-1]
                following = next(heirs, None)
                if following is None:
                    stack.pop()
                    path.pop(role)
                    finished.add(role)
                elif following in path:
                    file, line = self._inherits[role][following]
                    roles = list(path)
                    cycle = [*roles[roles.index(following) :], following]
                    faults.append(
                        PolicyError(file, line, f"roles inherit in a circle: {' → '.join(cycle)}")
                    )
                elif following not in finished and following in self._inherits:
                    path[following] = None
                    stack.append((following, iter(self._inherits[following])))
        return faults
