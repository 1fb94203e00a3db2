"""TLS before a PostgreSQL, as its own is spoken: asked for in plain text, and begun when the server agrees."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import Struct

from tests.probes.carrying import carry_both

TLS_ASKED = 80_877_103
NO_ENTRY = 'no pg_hba.conf entry for host "127.0.0.1", user "postgres", database "postgres", no encryption'


class Authority:
    """Signs certificates; `file` is its own."""

    def __init__(self, folder: Path, name: str = "Test authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        own = _builder(self._name, self._key.public_key()).add_extension(x509.BasicConstraints(True, None), True)
        self.file.write_bytes(self._sign(own))

    def issue(self, name: str, *, address: str | None = None) -> Path:
        """A file with a key and its certificate, for a server's name, and its address if one is named; or a user."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        if address is not None:
            names.append(x509.IPAddress(ip_address(address)))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        leaf = _builder(subject, key.public_key()).add_extension(x509.SubjectAlternativeName(names), critical=False)
        file = self._folder / f"{name}.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(secret + self._sign(leaf))
        file.chmod(0o600)
        return file

    def _sign(self, builder: x509.CertificateBuilder) -> bytes:
        signed = builder.issuer_name(self._name).sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)


class Front(Struct):
    """What clients find at `port`, and how many of them spoke in which way. `only_tls`: others are turned away."""

    context: ssl.SSLContext
    only_tls: bool
    port: int = 0
    secured: int = 0
    plain: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: int) -> None:
        head = await reader.readexactly(8)
        if struct.unpack("!ii", head)[1] == TLS_ASKED:
            writer.write(b"S")
            await writer.start_tls(self.context)
            self.secured += 1
            head = b""
        elif self.only_tls:
            told = f"SFATAL\0VFATAL\0C28000\0M{NO_ENTRY}\0\0".encode()
            writer.write(b"E" + struct.pack("!i", len(told) + 4) + told)
            await writer.drain()
            return
        else:
            self.plain += 1
        there, back = await asyncio.open_connection("127.0.0.1", to)
        back.write(head)
        try:
            await carry_both(reader, writer, there, back)
        finally:
            back.transport.abort()


@asynccontextmanager
async def behind_tls(
    port: int, chain: Path, *, only_tls: bool = True, users_of: Authority | None = None
) -> AsyncIterator[Front]:
    """`users_of`: clients must show a certificate of this authority's."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain)
    if users_of is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(users_of.file)
    front, tasks = Front(context, only_tls), set[asyncio.Task[None]]()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await front.serve(reader, writer, port)
        writer.transport.abort()

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    front.port = listener.sockets[0].getsockname()[1]
    try:
        yield front
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _builder(subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
    )
