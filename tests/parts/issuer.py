"""An issuer with all that stands round it: keys, a store, a table of passwords, a clock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from authsvc.attempts import Curve
from authsvc.authn.directories import Directories, Directory
from authsvc.authn.issued import IssuedTokenAuthenticator
from authsvc.authn.passwords import (
    ScryptHash,
    StaticPasswordAuthenticator,
)
from authsvc.authn.passwords_settings import StaticPasswordsSettings
from authsvc.errors import BackendError
from authsvc.files import write_whole
from authsvc.interfaces import TokenAuthenticator, UserInfo
from authsvc.issuer.clients import Client
from authsvc.issuer.issuer import Caller, Issuer
from authsvc.issuer.rotation import rotate
from authsvc.issuer.settings import DEFAULT_CLIENT, ClientSettings, IssuerSettings
from authsvc.store.attempts import StoreAttemptCounter
from authsvc.store.protocol import Store
from authsvc.store.sqlite import SQLiteSettings, SQLiteStore

URL = "https://authsvc.example.org:8443"
PASSWORD = "canary-password"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, now: float = 4_000_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Go on."""
        self.now += seconds


def cheap_hash(password: str) -> str:
    """Return the cheapest hash that a table takes."""
    salt = b"0123456789abcdef"
    digest = hashlib.scrypt(password.encode(), salt=salt, n=1 << 14, r=8, p=1, dklen=32)
    return str(ScryptHash(14, 8, 1, salt, digest))


class Table:
    """A table of passwords, as a directory that can be edited and taken away."""

    def __init__(self, file: Path, store: Store, clock: Clock) -> None:
        self.file = file
        self.rows = {
            "alice": f'{cheap_hash(PASSWORD)}:1001:"team-a,ops"',
            "bob": f"{cheap_hash('canary-bob')}:1002:team-b",
        }
        self.asked = 0
        self.down = False
        curve = Curve(free=3, first_wait=30, longest_wait=900, forget_after=3600)
        counter = StoreAttemptCounter(store, curve, clock)
        self._table = StaticPasswordAuthenticator(StaticPasswordsSettings(file), counter)
        self.write()

    def write(self) -> None:
        """Write the rows and have them read."""
        rows = "".join(f"{name}:{row}\n" for name, row in self.rows.items())
        write_whole(self.file, rows.encode(), 0o600)  # another house may be reading it
        self._table.table.load()

    def remove(self, username: str) -> None:
        """Take a user out."""
        del self.rows[username]
        self.write()

    def authenticate_password(self, username: str, password: str) -> UserInfo | None:
        """Check a password, if the table is there."""
        if self.down:
            raise BackendError("the table is away")
        return self._table.authenticate_password(username, password)

    def lookup(self, username: str) -> UserInfo | None:
        """Look a user up, if the table is there."""
        self.asked += 1
        if self.down:
            raise BackendError("the table is away")
        return self._table.lookup(username)


@dataclass
class House:
    """An issuer and its neighbours."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    exchangeable: TokenAuthenticator | None = None
    store: Store | None = None
    changes: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        keys = self.folder / "keys"
        self.settings = replace(IssuerSettings(URL, keys), **self.changes)  # type: ignore[arg-type]  # any field's
        if not keys.exists():
            self.rotate(0)
        self.opened = self.store or SQLiteStore(SQLiteSettings(self.folder / "store.db"))
        self.table = Table(self.folder / "passwords", self.opened, self.clock)
        self.directories = Directories(
            [Directory("table", self.table, self.table)],
            self.clock,
            ttl=self.settings.facts_ttl,
            stale=self.settings.facts_stale,
        )
        self.issuer = Issuer(
            self.settings, self.opened, self.directories, self.exchangeable, self.clock
        )
        for file in self.issuer.files:
            file.load()
        self.authenticator = IssuedTokenAuthenticator(
            self.issuer.tokens, self.issuer.revocations, self.directories, self.settings.audience
        )

    def rotate(self, activate_in: float = 900) -> None:
        """Make a new signing key."""
        rotate(
            self.settings.keys,
            algorithm="ES256",
            activate_in=activate_in,
            overlap=self.settings.key_overlap,
            now=self.clock(),
        )

    def caller(self, address: str = "192.0.2.7", client: str = DEFAULT_CLIENT) -> Caller:
        """Return who asks."""
        return Caller(Client(ClientSettings(client)), address)

    def close(self) -> None:
        """Give everything back."""
        self.issuer.close()
        self.opened.close()


MakeHouse = Callable[..., House]


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[MakeHouse]:
    """Make houses whose settings are changed as the test likes."""
    houses: list[House] = []

    def make(**arguments: object) -> House:
        house = House(tmp_path, **arguments)  # type: ignore[arg-type]  # fields by name
        houses.append(house)
        return house

    yield make
    for house in houses:
        house.close()


@pytest.fixture
def house(make_house: MakeHouse) -> House:
    """Return a house as the defaults make it."""
    return make_house()
