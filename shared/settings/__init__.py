"""Application settings: environment variables in, checked values out."""

from shared.settings.environment import SETTINGS, Settings, SettingsFaults, read_settings

__all__ = ["SETTINGS", "Settings", "SettingsFaults", "read_settings"]
