"""Application settings: reads environment variables and returns validated values."""

from shared.settings.environment import LARGEST_REPORT, SETTINGS, Settings, SettingsFaults, read_settings

__all__ = ["LARGEST_REPORT", "SETTINGS", "Settings", "SettingsFaults", "read_settings"]
