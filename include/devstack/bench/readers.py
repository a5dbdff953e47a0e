"""Readers of a benchmark: clients of the page's server, one alone or many who open one view after the other.

Lives here: asking. It runs in a process of its own, so that what else the benchmark does is not in its times.
Must not: load, judge, know the questions (views.py).
"""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from devstack.bench.subjects import Subjects
from devstack.bench.views import VIEWS, Question, openings

#: Longer than any query may take, and may wait for its memory.
_PATIENCE_S: Final = 300.0
#: An answer that comes in lines tells its error in one of them.
_ERROR: Final = b'{"error":'


class Sample(NamedTuple):
    """One question, from its request to the last byte. ``error`` is what was answered where it failed."""

    view: str
    name: str
    seconds: float
    error: str


def ask_alone(url: str, subjects: Subjects, rounds: int) -> list[Sample]:
    """Open every view ``rounds`` times, a question at a time, after a round that does not count."""
    samples: list[Sample] = []
    with closing(_connection(url)) as connection:
        for number in range(rounds + 1):
            draw = random.Random(number)  # noqa: S311 - the same for the same seed
            if number == 1:
                samples.clear()
            for view in VIEWS:
                for question in openings(view, subjects, draw):
                    samples.extend(_asked(connection, question))
    return samples


def ask_together(url: str, subjects: Subjects, readers: int, seconds: float, pause_s: float) -> list[Sample]:
    """Ask for ``seconds`` seconds as this many readers, who look at each view for ``pause_s`` on average."""
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(readers) as pool:
        asking = [
            pool.submit(lambda seed: [*_until(url, subjects, seed, end, pause_s)], seed) for seed in range(readers)
        ]
        return [sample for each in asking for sample in each.result()]


def _until(url: str, subjects: Subjects, seed: int, end: float, pause_s: float) -> Iterator[Sample]:
    draw = random.Random(1000 + seed)  # noqa: S311 - the same for the same seed
    with closing(_connection(url)) as connection:
        while time.monotonic() < end:
            for question in openings(draw.choice(VIEWS), subjects, draw):
                yield from _asked(connection, question)
            time.sleep(min(draw.expovariate(1 / pause_s) if pause_s else 0.0, max(0.0, end - time.monotonic())))


def _connection(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=_PATIENCE_S)


def _asked(connection: http.client.HTTPConnection, question: Question) -> Iterator[Sample]:
    yield _sample(connection, question, question.name)
    if question.again:
        yield _sample(connection, question, f"{question.name} (kept)")


def _sample(connection: http.client.HTTPConnection, question: Question, name: str) -> Sample:
    method = "GET" if question.body is None else "POST"
    body = None if question.body is None else json.dumps(question.body)
    began = time.monotonic()
    try:
        connection.request(method, question.path, body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        answer = response.read()
        failed = response.status != http.client.OK or _ERROR in answer
        error = answer.decode(errors="replace").strip() if failed else ""
    except (OSError, http.client.HTTPException) as broken:
        connection.close()
        error = f"{type(broken).__name__}: {broken}"
    return Sample(question.view, name, time.monotonic() - began, error)
