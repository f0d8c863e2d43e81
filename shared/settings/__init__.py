"""Application settings: environment variables in, checked values out."""

from shared.settings.environment import LARGEST_REPORT, SETTINGS, Settings, SettingsFaults, read_settings

__all__ = ["LARGEST_REPORT", "SETTINGS", "Settings", "SettingsFaults", "read_settings"]
