"""Who may read, how often, and where: passwords, sessions, rates, addresses that would send passwords as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firehose.errors import FirehoseError
from firehose.settings import Settings, SettingsError
from firehose_ui.place import Place, place
from firehose_ui.rates import Buckets
from firehose_ui.sessions import LIFE_S, Readers, Sessions, line


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def at(**settings: Any) -> Place:
    return place(Settings(**{f"ui_{name}": value for name, value in settings.items()}))


def test_on_this_machine_nobody_logs_in() -> None:
    for listen in ("127.0.0.1:8082", "localhost:8082", "[::1]:8082"):
        assert not at(listen=listen).login, listen


@pytest.mark.parametrize("listen", ["0.0.0.0:8082", "192.0.2.1:8082", "[::]:8082", "page.example.org:8082"])
def test_beyond_it_it_needs_tls(listen: str) -> None:
    with pytest.raises(
        SettingsError, match=r"plain text: set FIREHOSE_UI_CERTIFICATE and FIREHOSE_UI_KEY, or FIREHOSE_UI_URL"
    ):
        at(listen=listen)
    with pytest.raises(SettingsError, match="plain text"):
        at(listen=listen, url="http://page.example.org")
    own = at(listen=listen, certificate="/c.pem", key="/k.pem")
    assert own.login and own.secure and own.url.startswith("https://")
    proxied = at(listen=listen, url="https://page.example.org")
    assert proxied.login and proxied.secure and "page.example.org" in proxied.hosts


def test_a_proxys_page_on_loopback_asks_too() -> None:
    """Whoever comes through the proxy comes from this machine, as it sees it."""
    proxied = at(url="https://page.example.org")
    assert proxied.login and proxied.secure


def test_a_port_that_a_container_publishes_on_its_machine_asks_without_tls() -> None:
    contained = at(listen="0.0.0.0:8082", url="http://localhost:8082")
    assert contained.login and not contained.secure


def test_half_a_certificate_is_refused() -> None:
    with pytest.raises(SettingsError, match="set both"):
        at(certificate="/c.pem")


def test_readers_have_passwords_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "readers"
    file.write_text(f"# readers\n{line('ann', 'ann-s')}\n\n{line('bob', 'bob-s')}\n")
    readers = Readers(Settings(ui_readers=str(file), clickhouse_analyst_password="reads"))
    assert readers.knows("ann", "ann-s") and readers.knows("bob", "bob-s") and readers.knows("analyst", "reads")
    for name, password in (
        ("ann", "bob-s"),
        ("cyd", "ann-s"),
        ("analyst", ""),
        ("", ""),
        ("loader", "reads"),
        ("ann", "\ud800"),
    ):
        assert not readers.knows(name, password), (name, password)
    assert "ann-s" not in file.read_text()


def test_an_analyst_without_a_password_is_nobody() -> None:
    assert not Readers(Settings()).knows("analyst", "")


@pytest.mark.parametrize("content", ["ann", "ann:x:y", "ann:secret", b"\xff"])
def test_a_broken_file_of_readers_is_one_line_without_its_content(tmp_path: Path, content: str | bytes) -> None:
    file = tmp_path / "readers"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FirehoseError, match="FIREHOSE_UI_READERS") as caught:
        Readers(Settings(ui_readers=str(file)))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a:b", "a\nb", " a"])
def test_a_name_that_no_line_can_hold(name: str) -> None:
    with pytest.raises(FirehoseError, match="cannot be a reader's name"):
        line(name, "x")


def test_a_session_ends_by_time_by_logout_and_by_crowding() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    first, second = sessions.begin("ann"), sessions.begin("bob")
    assert (sessions.reader(first), sessions.reader(second), sessions.reader("x")) == ("ann", "bob", None)
    sessions.end(first)
    assert sessions.reader(first) is None
    clock.now = LIFE_S - 1
    assert sessions.reader(second) == "bob"
    clock.now = LIFE_S
    assert sessions.reader(second) is None
    third = sessions.begin("cyd")
    for _ in range(1000):
        sessions.begin("flood")
    assert sessions.reader(third) is None


def test_a_bucket_fills_again_and_is_ones_own() -> None:
    clock = Clock()
    buckets = Buckets(60, 3, clock)
    assert [buckets.wait_s("ann") for _ in range(4)] == [0, 0, 0, 1]
    assert buckets.wait_s("bob") == 0
    clock.now = 2
    assert [buckets.wait_s("ann") for _ in range(3)] == [0, 0, 1]
    clock.now = 1000
    assert [buckets.wait_s("ann") for _ in range(4)] == [0, 0, 0, 1]


def test_no_rate_is_no_limit() -> None:
    assert not any(Buckets(0, 1, Clock()).wait_s("ann") for _ in range(1000))
