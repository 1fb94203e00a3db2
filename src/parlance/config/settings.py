"""The settings tree: one frozen value, read once at start. Where its values come from is `config.sources`."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, SecretStr

from parlance.config.sections.access import AccessSettings
from parlance.config.sections.database import DatabaseSettings
from parlance.config.sections.fields import MapOf, NamedMapOf, Section, empty_map
from parlance.config.sections.providers import (
    DoorsSettings,
    ModelsSettings,
    PriceSettings,
    ProviderSettings,
    RequestSettings,
    Window,
)
from parlance.config.sections.server import ConsoleSettings, LoggingSettings, ServerSettings, TelemetrySettings
from parlance.config.sections.turns import (
    ChatsSettings,
    JournalSettings,
    LimitsSettings,
    McpSettings,
    RetentionSettings,
    ToolsSettings,
)


class Settings(Section):
    """Everything an operator can say. `data` is the folder of what is kept; a relative path counts from the working
    folder. `discovery`: look for model servers on this machine when no provider is set."""

    server: ServerSettings = ServerSettings()
    providers: MapOf[ProviderSettings] = Field(default_factory=empty_map)
    models: ModelsSettings = ModelsSettings()
    doors: DoorsSettings = DoorsSettings()
    prices: NamedMapOf[PriceSettings] = Field(default_factory=empty_map)
    windows: NamedMapOf[Window] = Field(default_factory=empty_map)
    access: AccessSettings = AccessSettings()
    chats: ChatsSettings = ChatsSettings()
    journal: JournalSettings = JournalSettings()
    retention: RetentionSettings = RetentionSettings()
    limits: LimitsSettings = LimitsSettings()
    tools: ToolsSettings = ToolsSettings()
    mcp: McpSettings = McpSettings()
    request: RequestSettings = RequestSettings()
    logging: LoggingSettings = LoggingSettings()
    console: ConsoleSettings | None = None
    telemetry: TelemetrySettings = TelemetrySettings()
    discovery: bool = True
    data: Path = Path(".parlance")
    database: DatabaseSettings = DatabaseSettings()
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None

    @property
    def usable_providers(self) -> Mapping[str, ProviderSettings]:
        """Those that are not off, in the order in which they were set."""
        return {name: provider for name, provider in self.providers.items() if provider.off is None}
