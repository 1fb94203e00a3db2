"""A key that was made on the command line lets its holder in, once its hash stands in the settings."""

from pathlib import Path

from click.testing import CliRunner

from parlance.access.authenticate import AccessGate
from parlance.access.options import AccessOptions, ConfiguredKey
from parlance.cli.main import main
from parlance.config import Surroundings, load
from parlance.core.principal import Caller


def test_the_printed_key_and_the_printed_settings_fit_together(tmp_path: Path) -> None:
    printed = CliRunner().invoke(main, ["keys", "make", "phone"]).output
    key = printed.splitlines()[1].strip()
    (tmp_path / "parlance.yaml").write_text(printed[printed.index("  access:") :])
    entry = load(Surroundings({}, tmp_path)).settings.access.keys["phone"]
    assert key not in entry.key.get_secret_value()
    gate = AccessGate(AccessOptions(keys=(ConfiguredKey("phone", entry.key.get_secret_value(), entry.scope),)))
    principal = gate.authenticate(Caller({"authorization": f"Bearer {key}"}, "127.0.0.1", "GET", "/models"))
    assert (principal.key_id, principal.scope) == ("phone", "service")


def test_a_name_that_no_setting_can_have_is_refused() -> None:
    result = CliRunner().invoke(main, ["keys", "make", "My Phone"])
    assert result.exit_code == 2
    assert "My Phone" in result.output
