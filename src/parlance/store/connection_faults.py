"""Why a connection to PostgreSQL could not be made: what is wrong with the address, TLS, the user, or a pooler."""

import errno
import re
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from parlance.store.addresses import PostgresqlAddress
from parlance.store.faults import REFUSED, Outage, Unusable

FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")

OTHER_NAME = frozenset({62, 64})
"""OpenSSL's reasons for which a certificate is somebody else's: its names, or its addresses."""

POOLER = Outage(
    "lies behind a pooler that refuses what a connection asks for; write prepared_statement_cache_size=0 behind its "
    "address",
    True,
    lasting=True,
)
NO_TLS = Outage("speaks no TLS, which its sslmode asks for; turn it on there, or choose another sslmode", True)
TLS_ONLY = Outage("takes connections from here with TLS only; write sslmode=require behind its address", True)
NO_ENTRY = Outage("lets this user not in from this machine; add a line to its pg_hba.conf", True)
NO_SERVER_FITS = Outage("has no server that is what its target_session_attrs asks for", True)
NO_AUTHORITY = Outage(
    "can't be trusted yet: its sslmode needs the file of the authority that signed its certificate; name it in "
    "sslrootcert, or take sslrootcert=system for those that this machine trusts",
    True,
    lasting=True,
)
UNKNOWN_HOST = Outage("can't be found: nobody knows the name of its host; correct its address", True)
BROKEN_OFF = Outage(
    "broke off while the connection was made; look whether it is a PostgreSQL that runs, and whether it asks for a "
    "client's certificate (sslcert)",
    True,
)


def check_files(address: PostgresqlAddress) -> None:
    """`Unusable` names the file of the address that can't be read: the driver would not."""
    query = parse_qs(urlsplit(address.dsn).query)
    for name in FILES:
        for file in query.get(name, ()):
            try:
                open(file, "rb").close()
            except OSError as error:
                reason = error.strerror or str(error)
                told = f"can't be reached: its {name} {file} can't be read: {reason}"
                raise Unusable(Outage(told, True, lasting=True)) from None


def outage_while_connecting(error: BaseException) -> Outage | None:
    """None where `outage_in` knows as much."""
    match error:
        case ssl.SSLCertVerificationError():
            return _untrusted(error)
        case socket.gaierror():
            return UNKNOWN_HOST
        case ssl.SSLError():
            return Outage(f"can't be spoken to by TLS: {error.reason or error}; look at its ssl settings", True)
        case ConnectionError() if "rejected SSL upgrade" in str(error):
            return NO_TLS
        case ConnectionError() if not isinstance(error, ConnectionRefusedError):
            return BROKEN_OFF
        case OSError() if f"[Errno {errno.ECONNREFUSED}]" in str(error):
            # Of all addresses that the host's name has.
            return REFUSED
        case _:
            return _refused_by_server(error)


def outage_of_driver(error: BaseException) -> Outage:
    """Of what the driver says of the address, or of the servers in it."""
    told = str(error).partition("\n")[0].rstrip(".")
    if "target attribute" in told:
        return NO_SERVER_FITS
    if "root certificate" in told:
        return NO_AUTHORITY
    if isinstance(error, ValueError):
        return Outage(f"has an address that leads nowhere: {told}; correct it", True, lasting=True)
    return Outage(f"can't be reached: {told}", True)


def _untrusted(error: ssl.SSLCertVerificationError) -> Outage:
    if error.verify_code in OTHER_NAME:
        return Outage(
            "has a certificate for another name; name it as the certificate does, or take sslmode=verify-ca",
            True,
            lasting=True,
        )
    return Outage(
        f"has a certificate that is not trusted ({error.verify_message}); name the file of the authority that signed "
        "it in sslrootcert",
        True,
        lasting=True,
    )


def _refused_by_server(error: BaseException) -> Outage | None:
    told = str(error)
    match getattr(error, "sqlstate", None):
        case "42704":
            named = _QUOTED.search(told)
            name = f" {named[1]}" if named else ""
            return Outage(f"does not know the setting{name} in its address; take it out", True, lasting=True)
        case "08P01" if "startup parameter" in told:
            return POOLER
        case "08000" | "08001" | "08003" | "08006":
            return BROKEN_OFF
        case "28000":
            return next((outage for words, outage in _REFUSALS.items() if words in told), None)
        case _:
            return None


# In the words of a server that speaks English; of another one only the general reason is told.
_REFUSALS: Mapping[str, Outage] = {
    "no encryption": TLS_ONLY,
    "pg_hba.conf": NO_ENTRY,
    "does not exist": Outage("does not know its user; create the role, or correct the address", True),
}
_QUOTED = re.compile(r'"([\w.]+)"')
