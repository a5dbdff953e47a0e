"""Where alerts go in tests: a real SMTP server and a real HTTP server on loopback that keep what they are sent."""

from __future__ import annotations

import datetime
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from devstack.embedded.redis import free_port


class Mailbox(Message):
    """Mails, in ``received``; the logins that were tried, in ``logins``; which mails came after STARTTLS."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[Any] = []
        self.logins: list[tuple[str, str]] = []
        self.starttls: list[bool] = []
        self.port = 0

    def prepare_message(self, session: Session, envelope: Envelope) -> Any:
        self.starttls.append(session.ssl is not None)
        return super().prepare_message(session, envelope)

    def handle_message(self, message: Any) -> None:
        self.received.append(message)


class Webhook(HTTPServer):
    """Bodies, in ``bodies``; each is answered with ``status``, once ``before`` has been called."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[dict[str, Any]] = []
        self.status = 200
        self.before: Callable[[], None] = lambda: None

    def url(self, path: str = "alerts") -> str:
        """Where to post to; any path will do."""
        return f"http://127.0.0.1:{self.server_port}/{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(json.loads(body))
        self.server.before()
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def mail_server(
    port: int,
    host: str = "127.0.0.1",
    *,
    tls: str = "",
    context: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
) -> Iterator[Mailbox]:
    """A running mail server at ``host``; ``port`` 0: any, see the mailbox's. ``login`` is what it lets in.

    ``tls``: empty, ``starttls`` (and no login without), or ``smtps``.
    """
    box = Mailbox()

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        box.logins.append((given.login.decode(), given.password.decode()))
        return AuthResult(success=box.logins[-1] == login, handled=False)

    controller = Controller(
        box,
        hostname=host,
        port=port or free_port(),
        ssl_context=context if tls == "smtps" else None,
        tls_context=context if tls == "starttls" else None,
        auth_require_tls=tls == "starttls",
        authenticator=authenticate,
    )
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


def certificate(folder: Path, name: str, days: int = 1) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate for ``name``, valid for ``days``, and the file that clients trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "certificate.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, secret)
    return context, chain


@contextmanager
def web_server() -> Iterator[Webhook]:
    """A running webhook."""
    server = Webhook()
    thread = Thread(target=server.serve_forever, args=(0.02,))  # how often it looks whether it shall stop
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
