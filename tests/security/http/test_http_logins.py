"""Guessing passwords: wrong ones wait, right ones do not, and the log says so once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import httpx
import pytest

from clickhouse_http import EndpointProcess
from clickhouse_http.http.bursts import QUIET_S, Bursts
from clickhouse_http.http.passwords import FREE, WrongPasswords

from .tools import WAIT_S, Repeated, ask, code, endpoint, others_are_served

WRONG = ("loader", "guessed")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    with endpoint(tmp_path_factory.mktemp("logins")) as made:
        yield made


def test_guesses_wait_while_the_loader_loads(running: EndpointProcess) -> None:
    """A wrong password after the first few is still unanswered when a later right one has been served."""
    for _ in range(FREE + 4):  # from here on each wrong password waits for the longest time, four seconds
        assert code(ask(running, "SELECT 1", WRONG)) == "516"
    guesses = [threading.Thread(target=lambda: ask(running, "SELECT 1", WRONG)) for _ in range(20)]
    for guess in guesses:
        guess.start()
    answer = ask(running, "SELECT 1")
    assert answer.text == "1\n"
    assert all(guess.is_alive() for guess in guesses)
    for guess in guesses:
        guess.join()


def test_a_burst_of_guesses_is_one_line_in_the_log(running: EndpointProcess) -> None:
    with Repeated(lambda: _guess(running), threads=16) as guessing:
        others_are_served(running, guessing.under_way, pings=5)
    log = running.log.read_text()
    assert log.count("wrong passwords from 127.0.0.1") == 1
    assert WRONG[1] not in log
    assert "code 516" not in log


def _guess(running: EndpointProcess) -> None:
    answer = httpx.post(running.url, content="SELECT 1", auth=WRONG, timeout=WAIT_S)
    assert code(answer) == "516"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_delays_grow_end_and_are_forgiven() -> None:
    clock = Clock()
    wrong = WrongPasswords(Bursts(clock), clock)
    delays = [wrong.delay("a") for _ in range(FREE + 20)]
    assert delays[:FREE] == [0.0] * FREE
    assert delays[FREE:] == sorted(delays[FREE:])
    assert 0 < delays[FREE] < delays[-1] == delays[-2] < 10
    assert wrong.delay("b") == 0.0
    clock.now += 61
    assert wrong.delay("a") == 0.0


def test_what_is_remembered_of_attackers_is_bounded() -> None:
    wrong = WrongPasswords(bursts := Bursts())
    for number in range(5000):
        wrong.delay(f"address {number}")
        bursts.note(f"kind {number}")
    assert len(wrong._counts) <= 1024
    assert len(bursts._bursts) <= 256


def test_only_so_many_answers_wait() -> None:
    async def burst() -> int:
        wrong = WrongPasswords(Bursts())
        waiting = [asyncio.create_task(wrong.slow_down("a")) for _ in range(2000)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        left = sum(not task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        return left

    assert 0 < asyncio.run(burst()) <= 512


def test_a_burst_says_at_its_end_how_many_there_were(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    bursts = Bursts(clock)
    with caplog.at_level("INFO"):
        for _ in range(100):
            bursts.note("knocks", threshold=3)
        clock.now += QUIET_S + 1
        bursts.note("something else", threshold=3)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "knocks: 100 times" in caplog.text
