"""Application settings: reads environment variables and returns validated values."""

from shared.settings.environment import SETTINGS, Settings, SettingsFaults, read_settings

__all__ = ["SETTINGS", "Settings", "SettingsFaults", "read_settings"]
