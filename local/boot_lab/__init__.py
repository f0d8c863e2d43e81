"""The boot lab: real consoles and real probes of a small Debian machine, under QEMU without any cloud.

root.py      makes a root file system with ``mmdebstrap``, and disks of it with ``mke2fs``; no loop device, no mount
machine.py   boots a disk under ``qemu-system-x86_64`` with software emulation
cases.py     what is booted, and what the product must say of it
"""
