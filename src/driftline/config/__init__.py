"""The configuration: one YAML file, read with the line of each value and validated as a whole."""

from driftline.config.columns import SchemaConfig
from driftline.config.load import load_config, model_digest
from driftline.config.models import (
    ActionConfig,
    AgentConfig,
    CheckConfig,
    Config,
    ExecutorConfig,
    KeepConfig,
    ModelConfig,
    PluginsConfig,
    ReferenceConfig,
    SinkConfig,
    WhenConfig,
    WindowsConfig,
)

__all__ = [
    "ActionConfig",
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
    "WhenConfig",
    "WindowsConfig",
    "load_config",
    "model_digest",
]
