"""Where a host's API begins, as its operator gave it: with or without the version."""

import re

from yarl import URL

from parlance.core.errors import NoProvider
from parlance.core.provider import HostSpec

_VERSION = re.compile(r"/v\d+\w*(/|$)")


class Address:
    """The URLs of one host. `NoProvider` for a base URL that is none.

    A base URL without a version that is not `exact` may be meant as it stands or want `/v1`: it is `open` until one of
    them was answered otherwise than with 404. A query of the base URL stays behind every path.
    """

    def __init__(self, spec: HostSpec) -> None:
        base, question, query = spec.base_url.partition("?")
        if not _is_web(base):
            raise NoProvider(
                f"The provider {spec.name!r} has an address that is none. "
                "Its `base_url` must begin with http:// or https:// and a host."
            )
        self._base = base.rstrip("/")
        self._query = question + query
        self._urls: dict[str, URL] = {}
        self.open = not spec.exact and not self._query and _VERSION.search(self._base) is None

    def url(self, path: str) -> URL:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(f"{self._base}/{path.lstrip('/')}{self._query}")
        return url

    def versioned(self, path: str) -> URL:
        """The same behind `/v1`."""
        return URL(f"{self._base}/v1/{path.lstrip('/')}")

    def settle(self, *, versioned: bool) -> None:
        """It was answered there, so there it is."""
        if versioned and self.open:
            self._base = f"{self._base}/v1"
            self._urls.clear()
        self.open = False


def _is_web(base: str) -> bool:
    try:
        url = URL(base)
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.host)
