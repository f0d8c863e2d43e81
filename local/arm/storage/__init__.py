"""Managed disks, snapshots and storage accounts."""
