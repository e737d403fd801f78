"""A well-behaved client beside trouble: behaviour alone; `make faults` tells the times."""

from __future__ import annotations

import pytest

from tests.benchmarks import faults
from tests.parts import https

# Those under which a connection may end without an answer: their worker is killed.
_KILLING = {faults.worker_killed}

# The rest of them take their time, or more machine than there is to spare.
_SHORT = (
    faults.worker_killed,
    faults.master_reloaded,
    faults.worker_count_changed,
    faults.says_nothing,
    faults.half_a_header,
    faults.half_a_body,
    faults.a_byte_a_second,
    faults.handshakes_without_a_certificate,
    faults.policy_broken_and_mended,
    faults.disk_full,
    faults.clock_stepped,
)


_PLAYS = [
    pytest.param(engine, fault, id=f"{engine}-{fault.__name__}")
    for engine in ("Gunicorn", "Granian")
    for fault in _SHORT
    if engine == "Gunicorn" or fault not in faults.OF_GUNICORN_ALONE
]


@https.MAY_BE_RESET
@pytest.mark.xdist_group("faults")
@pytest.mark.parametrize(("engine", "fault"), _PLAYS)
def test_a_client_beside_it_gets_every_answer_and_the_right_one(
    engine: str, fault: faults.Fault
) -> None:
    seen = faults.play(fault, seconds=2, share=0.01, engine=engine)

    assert seen.answers > 0
    assert seen.wrong == 0
    if fault not in _KILLING:
        assert not seen.failures
