"""Ways to a scripted host that are not straight: through a proxy, and over TLS with an authority of the test's own."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.probes.carrying import carry_both

Streams = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Proxy:
    """An HTTP proxy on loopback. `heads` are the heads of the requests that it was sent."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        method, target, _ = head.split(" ", 2)
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await tunnel(reader, writer, host, int(port), b"")
        else:
            host, _, path = target.removeprefix("http://").partition("/")
            first = head.replace(target, f"/{path}", 1).encode()
            await tunnel(reader, writer, host.partition(":")[0], int(host.partition(":")[2]), first)


@asynccontextmanager
async def proxy() -> AsyncIterator[Proxy]:
    double = Proxy()
    async with listening(double.serve) as port:
        double.port = port
        yield double


@asynccontextmanager
async def behind_tls(port: int, folder: Path) -> AsyncIterator[tuple[int, Path]]:
    """A port that speaks TLS in front of another, and the file of the authority that signed its certificate."""
    ca_file, chain = make_certificates(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await tunnel(reader, writer, "127.0.0.1", port, b"")

    async with listening(serve, context) as secured:
        yield secured, ca_file


@asynccontextmanager
async def listening(serve: Streams, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serves on a free port; what is still open at the end is closed."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(run, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, first: bytes
) -> None:
    """Carries bytes both ways until either side ends."""
    there, back = await asyncio.open_connection(host, port)
    back.write(first)
    try:
        await carry_both(reader, writer, there, back)
    finally:
        back.close()


def make_certificates(folder: Path) -> tuple[Path, Path]:
    """An authority's certificate, and a server's with its key, for loopback; each in a file."""
    authority, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    ca = certificate(root, authority).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    leaf = certificate(own, server).issuer_name(root).add_extension(names, critical=False)
    ca_file, chain = folder / "ca.pem", folder / "server.pem"
    ca_file.write_bytes(ca.issuer_name(root).sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    key = server.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signed = leaf.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    chain.write_bytes(key + signed)
    return ca_file, chain


def certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
    )
