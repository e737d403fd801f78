"""Who has to go where there are too many connections."""

from __future__ import annotations

from authsvc.server.connections import Connections


class Client:
    """A connection that remembers whether it was closed."""

    def __init__(self, active: int = 0) -> None:
        self.active = active
        self.is_closed = False

    def close(self) -> None:
        raise AssertionError("nobody is waited for")

    def abort(self) -> None:
        self.is_closed = True


def test_a_holder_of_a_certificate_takes_the_place_of_the_oldest_stranger() -> None:
    connections = Connections(20)
    oldest, other = Client(), Client()
    assert connections.admit(oldest, anonymous=True)
    assert connections.admit(other, anonymous=True)
    assert all(connections.admit(Client(), anonymous=False) for _ in range(18))

    assert connections.admit(Client(), anonymous=False)
    assert (oldest.is_closed, other.is_closed) == (True, False)
    assert len(connections) == 20


def test_strangers_have_a_tenth_of_the_places_and_take_each_others() -> None:
    connections = Connections(20)
    first, second, third = (Client() for _ in range(3))
    assert connections.admit(first, anonymous=True)
    assert connections.admit(second, anonymous=True)

    assert connections.admit(third, anonymous=True)
    assert [each.is_closed for each in (first, second, third)] == [True, False, False]


def test_a_stranger_who_is_being_answered_keeps_the_place() -> None:
    connections = Connections(10)
    busy = Client(active=1)
    assert connections.admit(busy, anonymous=True)

    assert not connections.admit(Client(), anonymous=True)
    assert not busy.is_closed


def test_a_holder_of_a_certificate_is_never_closed_for_another() -> None:
    connections = Connections(1)
    first = Client()
    assert connections.admit(first, anonymous=False)

    assert not connections.admit(Client(), anonymous=False)
    assert not connections.admit(Client(), anonymous=True)
    assert not first.is_closed


def test_one_that_ended_leaves_its_place() -> None:
    connections = Connections(1)
    first = Client()
    assert connections.admit(first, anonymous=True)

    connections.discard(first)
    connections.discard(first)
    assert list(connections) == []
    assert connections.admit(Client(), anonymous=False)
