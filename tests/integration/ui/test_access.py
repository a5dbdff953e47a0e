"""Who gets in: other hosts, other pages, no session, a wrong password, too many questions."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from devstack.embedded.redis import free_port
from devstack.embedded.ui import served
from firehose.settings import Settings
from firehose_ui.app import create_app
from firehose_ui.place import place
from firehose_ui.sessions import line
from tests.integration.ui.conftest import Site
from tests.support.waiting import until


@pytest.fixture(scope="module")
def private(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client without a session of a page that others may reach, with a certificate of its own."""
    folder = tmp_path_factory.mktemp("private")
    key, certificate = certified(folder)
    readers = folder / "readers"
    readers.write_text(line("ann", "ann-s") + "\n")
    more = {"listen": f"0.0.0.0:{(port := free_port())}", "certificate": certificate, "key": key}
    more |= {"readers": str(readers), "requests_a_minute": "1", "url": f"https://localhost:{port}"}
    with served(site.settings, **more) as url:
        context = ssl.create_default_context(cafile=certificate)
        with httpx.Client(base_url=url, verify=context, timeout=60) as client:
            yield client


def certified(folder: Path) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "key.pem", folder / "certificate.pem"
    encoding = serialization.Encoding.PEM
    files[0].write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    files[1].write_bytes(made.public_bytes(encoding))
    return str(files[0]), str(files[1])


ASKED = (
    ("GET", "/api/query/freshness"),
    ("GET", "/api/coverage"),
    ("POST", "/api/search/freshness"),
    ("GET", "/api/post"),
    ("GET", "/api/cookbook"),
    ("POST", "/api/sql"),
    ("POST", "/api/sql/cancel"),
    ("POST", "/api/download"),
    ("POST", "/api/download/end"),
)


def test_every_question_needs_a_session(private: httpx.Client) -> None:
    routes = create_app(Settings(), place(Settings()))._app.routes  # type: ignore[attr-defined]
    public = {"/api/session", "/api/login", "/api/logout"}
    paths = {route.path.replace("{name}", "freshness") for route in routes if route.path.startswith("/api/")}
    assert {path for _, path in ASKED} == paths - public, "a new question stands in neither list"
    for method, path in ASKED:
        for cookie in ("", f"firehose_ui={'x' * 43}"):
            assert private.request(method, path, headers={"Cookie": cookie}).status_code == 401, path


def test_a_password_opens_and_logout_closes(private: httpx.Client) -> None:
    assert private.get("/api/session").json() == {"login": True, "reader": None}
    for name, password in (("ann", "wrong"), ("loader", "loads"), ("analyst", "")):
        answer = private.post("/api/login", json={"name": name, "password": password})
        assert answer.status_code == 401 and "set-cookie" not in answer.headers
    for name, password in (("ann", "ann-s"), ("analyst", "reads")):
        answer = private.post("/api/login", json={"name": name, "password": password})
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"].lower()
        assert all(part in cookie for part in ("httponly", "secure", "samesite=strict", "path=/"))
        assert private.get("/api/session").json()["reader"] == name
        assert private.get("/api/query/freshness").status_code == 200
        token = private.cookies["firehose_ui"]
        private.post("/api/logout")
        closed = private.get("/api/query/freshness", headers={"Cookie": f"firehose_ui={token}"})
        assert closed.status_code == 401
        private.cookies.clear()


def test_questions_and_guesses_have_a_rate(private: httpx.Client) -> None:
    until(lambda: private.post("/api/login", json={"name": "ann", "password": "ann-s"}).status_code == 200, 60)
    found = list(itertools.takewhile(lambda status: status != 429, (nothing(private) for _ in range(500))))
    assert 50 < len(found) < 200 and set(found) == {400}
    answer = private.get("/api/query/nothing")
    assert int(answer.headers["retry-after"]) >= 1 and answer.json()["error"]["kind"] == "often"
    guesses = (private.post("/api/login", json={"name": "ann", "password": "x"}) for _ in range(100))
    refused = next(answer for answer in guesses if answer.status_code != 401)
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
    private.cookies.clear()


def nothing(client: httpx.Client) -> int:
    """Ask for what there is not; the status."""
    return client.get("/api/query/nothing").status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example.org"},
        {"Host": "127.0.0.1.evil.example.org"},
        {"Origin": "http://evil.example.org"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_foreign_hosts_and_pages_are_refused(site: Site, headers: dict[str, str]) -> None:
    with site.client() as client:
        for method, path in ASKED:
            assert client.request(method, path, headers=headers).status_code == 403, path
        assert client.get("/overview", headers=headers).status_code == 403


def test_a_link_from_elsewhere_opens_a_view_and_asks_nothing(site: Site) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    with site.client() as client:
        assert client.get("/overview", headers=link).status_code == 200
        # A form of another site is a navigation as well.
        assert (
            client.post("/api/download", headers=link | {"Origin": "http://evil.example.org"}).status_code == 403
        )
        assert client.get("/api/query/freshness", headers=link).status_code == 403


def test_every_answer_has_the_strict_headers(site: Site) -> None:
    with site.client() as client:
        for path in (
            "/overview",
            "/static/index.html",
            "/static/none",
            "/api/query/freshness",
            "/api/query/x",
            "/x",
        ):
            headers = client.get(path).headers
            assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'"), path
            assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["..%2fapp.py", "manifest.json", "%2e%2e/app.py", "index.html%00", "../serve.py"])
def test_no_name_leads_out_of_the_bundle(site: Site, name: str) -> None:
    with site.client() as client:
        assert client.get(f"/static/{name}").status_code == 404
