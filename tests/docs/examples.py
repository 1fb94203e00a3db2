"""Carries out the blocks of one page, in order, as a reader would: one folder, one server, one terminal."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from parlance.config.load import load
from parlance.config.surroundings import Surroundings
from tests.acceptance.server_process import ServerProcess, clean_environment
from tests.docs.agreement import ANY, Mismatch, Names, match_json, match_lines
from tests.docs.pages import Block

SECONDS = 10.0
SOURCE = Path(__file__).resolve().parents[2] / "src"
OWN_ADDRESS = re.compile(r"(?<=[/@ ])(127\.0\.0\.1|localhost):8000")
HOSTS = ("https://api.acme.example", "http://127.0.0.1:11434", "http://localhost:1234")
"""Addresses of models' hosts in the pages: in their place stands the scripted one."""


class Reader:
    """Use it in `with`, then `follow` each block. `upstream` is the origin of a scripted host."""

    def __init__(self, folder: Path, upstream: str) -> None:
        self._folder = folder
        self._upstream = upstream
        self._names = Names()
        self._output: list[str] = []
        self._server: ServerProcess | None = None
        self._starts = 0

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def follow(self, block: Block) -> None:
        text = self._here(block.text)
        match block.language, block.task:
            case "sh", _:
                self._run(["sh", "-eu", "-c", text], code=int(block.argument("exit") or 0))
            case "python", "":
                self._run([sys.executable, "-c", text])
            case (("yaml" | "dotenv"), task):
                self._set(text, block.language, serve=task == "serve")
            case "diff", _:
                self._edit(block.argument("edit") or "", text)
            case _, "greeting":
                match_lines(text.splitlines(), self._serving().greeting, self._names)
            case _, "output":
                match_lines(text.splitlines(), self._output, self._names)
            case "text", _:
                self._talk(text, self._names.put_into(block.argument("socket") or "/ws/chat"))
            case _:
                self._write(block.argument("file") or "", text)

    def _here(self, text: str) -> str:
        for address in HOSTS:
            text = text.replace(address, self._upstream)
        if OWN_ADDRESS.search(text):
            text = OWN_ADDRESS.sub(rf"\1:{self._serving().port}", text)
        return self._names.put_into(text)

    def _run(self, command: list[str], *, code: int = 0) -> None:
        environment = clean_environment(self._folder, self._source())
        environment["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), environment["PATH"]))
        ran = subprocess.run(
            command, cwd=self._folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert ran.returncode == code, f"ended with {ran.returncode}\n{ran.stdout}{ran.stderr}"
        self._output = [line.rstrip() for line in ran.stdout.splitlines() if line.strip()]

    def _set(self, text: str, language: str, *, serve: bool) -> None:
        """Settings must be understood without a complaint; every variable they name is set."""
        name = ".env" if language == "dotenv" else text.partition("\n")[0].removeprefix("# ").strip()
        folder = self._folder if serve else self._folder / "read"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "value-0123456789")
        loaded = load(Surroundings(environ, folder))
        assert not loaded.warnings, loaded.warnings
        assert loaded.sources
        if serve:
            self._stop()
        else:
            (folder / name).unlink()

    def _edit(self, path: str, text: str) -> None:
        """A change as `diff` shows it, without line numbers: its old lines must be there, once."""
        lines = text.splitlines()
        before = "\n".join(line[1:] for line in lines if not line.startswith("+"))
        after = "\n".join(line[1:] for line in lines if not line.startswith("-"))
        file = self._own(path)
        assert file.read_text().count(before) == 1, f"{path} does not hold these lines once:\n{before}"
        file.write_text(file.read_text().replace(before, after))

    def _write(self, path: str, text: str) -> None:
        file = self._own(path)
        assert not file.exists() or not path.startswith("src/"), f"{path} is there already"
        file.write_text(text)

    def _own(self, path: str) -> Path:
        """A file of the reader's own copy; a copy of the sources is made for the first that lies in them."""
        if path.startswith("src/"):
            self._stop()
            if not self._source():
                shutil.copytree(SOURCE, self._folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
        return self._folder / path

    def _source(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self._folder / "src")} if (self._folder / "src").exists() else {}

    def _serving(self) -> ServerProcess:
        if self._server is None:
            self._server = ServerProcess(self._folder, self._source())
            self._server.__enter__()
        return self._server

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.__exit__()

    def _talk(self, text: str, path: str) -> None:
        address = f"ws://127.0.0.1:{self._serving().port}{path}"
        with connect(address, proxy=None, open_timeout=SECONDS) as connection:
            skipping = False
            for line in text.splitlines():
                words = line[1:].strip()
                if line.startswith(">"):
                    connection.send(self._names.put_into(words))
                elif words == ANY:
                    skipping = True
                else:
                    self._hear(connection, words, skipping=skipping)
                    skipping = False

    def _hear(self, connection: ClientConnection, shown: str, *, skipping: bool) -> None:
        reason = "nothing came"
        while True:
            try:
                came = str(connection.recv(timeout=SECONDS))
            except TimeoutError:
                raise Mismatch(f"shown {shown}\n{reason}") from None
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else None
                assert shown == f"closed {code}", f"closed with {code} instead of {shown}"
                return
            try:
                self._names |= match_json(json.loads(shown), json.loads(came), self._names)
            except Mismatch as mismatch:
                reason = f"came  {came}\n{mismatch}"
                if not skipping:
                    raise Mismatch(f"shown {shown}\n{reason}") from None
            else:
                return
