"""The configuration: one YAML file, read with the place of everything, checked as a whole."""

from driftline.config.columns import SchemaConfig
from driftline.config.load import digest, load
from driftline.config.models import (
    AgentConfig,
    CheckConfig,
    Config,
    ExecutorConfig,
    KeepConfig,
    ModelConfig,
    PluginsConfig,
    ReferenceConfig,
    SinkConfig,
    WindowsConfig,
)

__all__ = [
    "AgentConfig",
    "CheckConfig",
    "Config",
    "ExecutorConfig",
    "KeepConfig",
    "ModelConfig",
    "PluginsConfig",
    "ReferenceConfig",
    "SchemaConfig",
    "SinkConfig",
    "WindowsConfig",
    "digest",
    "load",
]
