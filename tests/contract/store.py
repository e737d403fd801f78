"""What holds for every store. A test module inherits the class and brings a ``store`` fixture.

``open_store`` opens the same store anew, as another process would.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier

from authsvc.attempts import Curve
from authsvc.store.protocol import RefreshState, Session, Store

OpenStore = Callable[[], Store]
NOW = 4_000_000_000.0  # far in the future: Redis ends keys by its own clock

_FORK = multiprocessing.get_context("fork")


def session(session_id: str = "s1", username: str = "alice", **changes: object) -> Session:
    """Make a session that was opened at NOW."""
    made = Session(
        id=session_id,
        username=username,
        directory="corp",
        client="kubectl-authsvc",
        address="192.0.2.7",
        audience="kubernetes",
        created_at=NOW,
        used_at=NOW,
        expires_at=NOW + 100,
        ends_at=NOW + 1000,
        refresh=RefreshState(b"family", b"one", b"", b"", NOW),
    )
    return made._replace(**changes)  # type: ignore[arg-type]  # fields by name


def rotated(current: Session, to: bytes) -> Session:
    """Return the session after a rotation of its refresh token."""
    state = current.refresh
    return current._replace(
        used_at=NOW + 1,
        refresh=state._replace(current=to, previous=state.current, salt=b"\x00salt"),
    )


def _rotate_once(open_store: OpenStore, together: Barrier, name: bytes) -> bool:
    store = open_store()
    found = store.find("s1")
    assert found is not None
    together.wait()
    won = store.replace(rotated(found, name), found.refresh.current)
    store.close()
    return won


def _rotate_and_tell(
    open_store: OpenStore, together: Barrier, name: bytes, answers: multiprocessing.Queue[bool]
) -> None:
    answers.put(_rotate_once(open_store, together, name))


class StoreContract:
    """Every store passes these."""

    def test_a_session_is_found_as_it_was_kept(self, store: Store) -> None:
        kept = session(username="Ünïcödé|(o)*", address="::1")

        store.create(kept)

        assert store.find("s1") == kept
        assert store.find("s2") is None

    def test_what_one_keeps_another_finds(self, store: Store, open_store: OpenStore) -> None:
        store.create(session())
        other = open_store()

        assert other.find("s1") == session()
        other.close()

    def test_a_refresh_token_is_replaced_only_by_who_knew_the_current_one(
        self, store: Store
    ) -> None:
        store.create(session())
        after = rotated(session(), b"two")

        assert store.replace(after, b"one")
        assert not store.replace(rotated(after, b"three"), b"one")
        assert store.find("s1") == after

    def test_of_two_processes_that_rotate_at_once_exactly_one_wins(
        self, store: Store, open_store: OpenStore
    ) -> None:
        for _ in range(10):
            store.create(session())
            together, answers = _FORK.Barrier(2), _FORK.Queue()
            processes = [
                _FORK.Process(target=_rotate_and_tell, args=(open_store, together, name, answers))
                for name in (b"mine", b"yours")
            ]

            for process in processes:
                process.start()
            won = [answers.get(timeout=30) for _ in processes]
            for process in processes:
                process.join()

            assert sorted(won) == [False, True]
            store.revoke("s1", NOW)

    def test_of_sixteen_threads_that_rotate_at_once_exactly_one_wins(self, store: Store) -> None:
        store.create(session())

        with ThreadPoolExecutor(16) as pool:
            won = list(
                pool.map(
                    lambda number: store.replace(rotated(session(), b"t%d" % number), b"one"),
                    range(16),
                )
            )

        assert won.count(True) == 1

    def test_sessions_are_listed_by_user_the_oldest_first_without_the_expired(
        self, store: Store
    ) -> None:
        store.create(session("late", created_at=NOW + 5))
        store.create(session("early", created_at=NOW + 1))
        store.create(session("bobs", "bob", created_at=NOW + 3))
        store.create(session("over", expires_at=NOW + 10))

        assert [each.id for each in store.sessions(NOW + 10)] == ["early", "bobs", "late"]
        assert [each.id for each in store.sessions(NOW + 10, "alice")] == ["early", "late"]
        assert store.sessions(NOW + 10, "alic*") == []

    def test_a_revoked_session_is_gone_and_listed_until_its_tokens_have_expired(
        self, store: Store
    ) -> None:
        store.create(session())

        ended = store.revoke("s1", NOW + 60)

        assert ended == session()
        assert store.find("s1") is None
        assert store.sessions(NOW) == []
        assert store.revoked(NOW + 59) == {"s1"}
        assert store.revoked(NOW + 60) == frozenset()

    def test_a_revoked_session_cannot_be_refreshed_by_who_read_it_before(
        self, store: Store
    ) -> None:
        store.create(session())
        store.revoke("s1", NOW + 60)

        assert not store.replace(rotated(session(), b"two"), b"one")
        assert store.find("s1") is None

    def test_revoking_what_is_unknown_says_so_and_lists_nothing(self, store: Store) -> None:
        assert store.revoke("nobody", NOW + 60) is None
        assert store.revoke_user("nobody", NOW, NOW + 60) == []
        assert store.revoked(NOW) == frozenset()

    def test_everything_of_a_user_before_a_time_ends_at_once(self, store: Store) -> None:
        store.create(session("old", created_at=NOW))
        store.create(session("older", created_at=NOW - 1))
        store.create(session("new", created_at=NOW + 2))
        store.create(session("bobs", "bob", created_at=NOW))

        ended = store.revoke_user("alice", NOW + 2, NOW + 60)

        assert {each.id for each in ended} == {"old", "older"}
        assert store.revoked(NOW) == {"old", "older"}
        assert {each.id for each in store.sessions(NOW)} == {"new", "bobs"}

    def test_purging_forgets_what_has_expired_and_nothing_else(self, store: Store) -> None:
        store.create(session("over", expires_at=NOW + 10))
        store.create(session("live", expires_at=NOW + 11))
        store.create(session("ended"))
        store.revoke("ended", NOW + 11)

        assert store.purge(NOW + 10) == 1
        assert store.purge(NOW + 10) == 0
        assert [each.id for each in store.sessions(0)] == ["live"]
        assert store.revoked(NOW + 10) == {"ended"}

    def test_attempts_are_counted_for_everybody_who_shares_the_store(
        self, store: Store, open_store: OpenStore
    ) -> None:
        curve, other = Curve(free=2, first_wait=10, longest_wait=15, forget_after=100), open_store()

        assert store.admit("user:a", NOW, curve) == 0
        assert other.admit("user:a", NOW, curve) == 0
        assert store.admit("user:a", NOW + 1, curve) == 9
        assert other.admit("user:b", NOW + 1, curve) == 0
        assert other.admit("user:a", NOW + 10, curve) == 0
        assert store.admit("user:a", NOW + 10, curve) == 15
        other.close()

    def test_attempts_are_forgotten_forgiven_and_withdrawn(self, store: Store) -> None:
        curve = Curve(free=1, first_wait=10, longest_wait=10, forget_after=100)
        for key in ("forgotten", "forgiven", "withdrawn"):
            assert store.admit(key, NOW, curve) == 0
            assert store.admit(key, NOW, curve) == 10

        store.forgive("forgiven")
        store.withdraw("withdrawn")
        store.withdraw("never seen")

        assert store.admit("forgiven", NOW, curve) == 0
        assert store.admit("withdrawn", NOW, curve) == 0
        assert store.admit("never seen", NOW, curve) == 0
        assert store.admit("forgotten", NOW + 100, curve) == 0

    def test_a_hundred_attempts_at_once_get_no_more_tries_than_in_a_row(self, store: Store) -> None:
        curve = Curve(free=3)

        with ThreadPoolExecutor(16) as pool:
            waits = list(pool.map(lambda _: store.admit("user:a", NOW, curve), range(100)))

        assert waits.count(0.0) == 3

    def test_a_closed_store_opens_again(self, store: Store) -> None:
        store.create(session())
        store.close()
        store.close()

        assert store.find("s1") == session()
