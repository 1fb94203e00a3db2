"""The models of a server, from its `GET /models`."""

import asyncio
import http.client
import urllib.error
import urllib.request

import msgspec
from msgspec import Struct

from parlance.cli.chat.connection import OPEN_SECONDS, Server

MAX_BYTES = 8 * 2**20


class Model(Struct, frozen=True):
    id: str
    provider: str = ""
    default: bool = False


class _Models(Struct, frozen=True):
    models: tuple[Model, ...] = ()


class NoModels(Exception):
    """Why there is no list, in words for people."""


async def list_models(server: Server) -> tuple[Model, ...]:
    """Raises `NoModels`."""
    return await asyncio.to_thread(_fetch, server)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key is for this server alone."""

    def redirect_request(self, *_: object) -> None:
        return None


def _fetch(server: Server) -> tuple[Model, ...]:
    request = urllib.request.Request(f"{server.address}/models", headers=server.headers)  # noqa: S310 - http(s) alone
    proxies = [urllib.request.ProxyHandler({})] if server.local else []
    opener = urllib.request.build_opener(_NoRedirect, *proxies)
    try:
        with opener.open(request, timeout=OPEN_SECONDS) as response:
            body = response.read(MAX_BYTES)
        return msgspec.json.decode(body, type=_Models).models
    except urllib.error.HTTPError as error:
        error.close()
        raise NoModels(f"{server.address} answered {error.code}. {_advice(error.code)}".rstrip()) from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        text = getattr(reason, "strerror", None) or reason
        raise NoModels(f"No connection to {server.address}: {text}.") from None
    except (http.client.InvalidURL, UnicodeError):
        raise NoModels(f"{server.address} can be no server's address. Check --url.") from None
    except (http.client.HTTPException, msgspec.MsgspecError):
        raise NoModels(f"What {server.address} answered is no list of models. Check --url.") from None


def _advice(status: int) -> str:
    return "Check the key in --key or PARLANCE_KEY." if status in (401, 403) else ""
