"""Answers that are kept: asked for once, for as long as is said; failures never."""

from __future__ import annotations

import asyncio

import pytest

from firehose.errors import FirehoseError
from firehose_ui.kept import Kept


class Question:
    """Counts how often it is asked, and answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = asyncio.Event()

    async def __call__(self) -> bytes:
        self.asked += 1
        await self.go.wait()
        return b"%d" % self.asked


def test_all_who_ask_the_same_wait_for_one_answer() -> None:
    async def readers() -> None:
        kept, question = Kept(), Question()
        waiting = [asyncio.create_task(kept.answer("q", 60, question)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()  # a reader who goes away
        question.go.set()
        assert await asyncio.gather(*waiting[1:]) == [b"1", b"1"]
        assert await kept.answer("q", 60, question) == b"1"
        assert await kept.answer("another", 60, question) == b"2"

    asyncio.run(readers())


def test_after_a_while_it_is_asked_again() -> None:
    async def reader() -> None:
        now = [0.0]
        kept, question = Kept(lambda: now[0]), Question()
        question.go.set()
        for moment, wanted in ((0.0, b"1"), (59.0, b"1"), (60.0, b"2")):
            now[0] = moment
            assert await kept.answer("q", 60, question) == wanted

    asyncio.run(reader())


def test_a_failure_is_told_and_not_kept() -> None:
    async def reader() -> None:
        kept, question = Kept(), Question()
        question.go.set()

        async def fails() -> bytes:
            raise FirehoseError("away")

        with pytest.raises(FirehoseError, match="away"):
            await kept.answer("q", 60, fails)
        assert await kept.answer("q", 60, question) == b"1"

    asyncio.run(reader())


def test_what_is_kept_is_bounded() -> None:
    async def reader() -> None:
        kept, question = Kept(), Question()
        question.go.set()
        for number in range(300):
            await kept.answer(number, 60, question)
        assert await kept.answer(0, 60, question) == b"301"
        assert await kept.answer(299, 60, question) == b"300"

    asyncio.run(reader())
