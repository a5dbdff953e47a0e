"""Hosts and registered domains: one spelling of each, and no link lost that leads anywhere."""

from __future__ import annotations

import socket

import pytest

from firehose.records.links import site


@pytest.mark.parametrize(
    ("link", "host", "domain"),
    [
        ("https://WWW.News.Example/a", "news.example", "news.example"),
        ("HTTP://user:pa55@news.example:8443/a?b#c", "news.example", "news.example"),
        ("https://news.example./", "news.example", "news.example"),
        ("https://news.example:", "news.example", "news.example"),
        ("https://news.example?q=1", "news.example", "news.example"),
        ("https://news.example#top", "news.example", "news.example"),
        ("https:/news.example", "news.example", "news.example"),
        ("//news.example/a", "news.example", "news.example"),
        ("news.example/a", "news.example", "news.example"),
        ("news.example:8080/a", "news.example", "news.example"),
        ("  https://news.example \n", "news.example", "news.example"),
        ("https://n%65ws.example/", "news.example", "news.example"),
        ("https://bücher.example/", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://B%C3%9CCHER.example/", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://xn--BCHER-kva.example/", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://新聞。jp/", "xn--efvv70d.jp", "xn--efvv70d.jp"),
        ("https://☃.net/", "xn--n3h.net", "xn--n3h.net"),
        ("https://snake_case.example/", "snake_case.example", "snake_case.example"),
        ("https://a---b.cdn.example/", "a---b.cdn.example", "cdn.example"),
        ("mailto:desk@post.example?subject=x", "post.example", "post.example"),
        ("http://[2001:DB8:0:0::1]:80/", "[2001:db8::1]", "[2001:db8::1]"),
        ("http://192.0.2.7/a", "192.0.2.7", "192.0.2.7"),
        ("https://a.b.co.uk/", "a.b.co.uk", "b.co.uk"),
        ("https://someone.github.io/", "someone.github.io", "someone.github.io"),
        # Without www. these would be public suffixes, which no one has registered.
        ("https://www.gov.uk/", "www.gov.uk", "www.gov.uk"),
        ("https://www.github.io/", "www.github.io", "www.github.io"),
        ("https://media.tenor.com/x/y.gif", "media.tenor.com", "tenor.com"),
    ],
)
def test_a_link_has_one_host_and_one_domain(link: str, host: str, domain: str) -> None:
    assert site(link) == (host, domain)


@pytest.mark.parametrize(
    "link",
    [
        *("", "https://", "tel:123", "at://did:plc:a/b/c", "javascript:x()", "https://a b/", "https://[::zz]/"),
        *("https://" + "a" * 300, "https://%00/", "data:text/html,x"),
    ],
)
def test_what_leads_nowhere_has_no_site(link: str) -> None:
    assert site(link) is None


def test_the_list_of_suffixes_is_never_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a link's domain must not need the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert site("https://never.seen.before.co.uk/") == ("never.seen.before.co.uk", "before.co.uk")
