"""`parlance serve`."""

from pathlib import Path

import click

from parlance.app.application import Application
from parlance.app.not_yet import settings_without_effect
from parlance.app.server import run
from parlance.cli.options import load_settings, read_assignments
from parlance.config.errors import ConfigError
from parlance.config.settings import Settings


@click.command()
@click.option("--host", help="The address to listen on; 127.0.0.1 by default.")
@click.option("--port", help="The port; 8000 by default, 0 takes a free one.")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Parlance's own file.")
@click.option(
    "--set", "assignments", multiple=True, metavar="PATH=VALUE", help="Any setting, such as logging.level=DEBUG."
)
def serve(host: str | None, port: str | None, config: Path | None, assignments: tuple[str, ...]) -> None:
    """Serve until stopped. Without any setting: on this machine, with whatever model is found on it."""
    loaded = load_settings({"server.host": host, "server.port": port, **read_assignments(assignments)}, config)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning.text}", err=True)
    for path in settings_without_effect(loaded):
        click.echo(f"warning: {path} is set, and has no effect in this version", err=True)
    try:
        run(loaded.settings, lambda application, port: greet(loaded.settings, application, port))
    except OSError as error:
        server = loaded.settings.server
        place = error.filename or f"{server.host}:{server.port}"
        click.echo(f"Parlance can't start: {place}: {error.strerror or error}.", err=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except ConfigError as error:
        click.echo(error.message, err=True)
        raise SystemExit(2) from None


def greet(settings: Settings, application: Application, port: int) -> None:
    """Where to look, once clients can connect. Goes to standard output; logs go to standard error."""
    scheme = "https" if settings.server.tls else "http"
    bound = settings.server.host.strip("[]")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound)
    address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    default = application.providers.default
    lines = [
        f"Parlance listens on {address}",
        f"Answers come from: {default.provider or 'nobody yet'} ({default.text})",
    ]
    if application.made_key is not None:
        lines += [f"Key, shown this once: {application.made_key}"]
    needs_key = not settings.access.open and (settings.access.keys or not settings.server.loopback)
    key = " -H 'authorization: Bearer YOUR_KEY'" if needs_key else ""
    lines += [
        f"Try: curl -N {address}/chat{key} -H 'content-type: application/json' -d '{{\"message\":\"Hello\"}}'",
    ]
    click.echo("\n".join(lines))
