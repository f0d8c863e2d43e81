"""The packages of a plain Ubuntu 22.04 machine in Azure, and findings that Trivy reports for them.

The findings are real. Ubuntu rates them low or medium; where no fixed version is listed, they have been open for years.
A policy that counts findings without a fix would therefore release nothing.
"""

from dataclasses import dataclass

KERNEL = "5.15.0-1075"
KERNEL_VERSION = "5.15.0-1075.84"


@dataclass(frozen=True, slots=True)
class Source:
    """A source package: its version, and the installed binary packages."""

    version: str
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A vulnerability of a source package. An empty `fixed` means that there is no fixed version."""

    id: str
    source: str
    severity: str
    title: str
    fixed: str = ""


@dataclass(frozen=True, slots=True)
class JavaKnown:
    """A critical vulnerability of a jar, in images whose profile has `word`.

    `exploited` is the day on which CISA listed it as exploited.
    """

    word: str
    id: str
    advisory: str
    package: str
    installed: str
    fixed: str
    path: str
    title: str
    vector: str
    score: float
    exploited: str

    @property
    def purl(self) -> str:
        return f"pkg:maven/{self.package.replace(':', '/')}@{self.installed}"


def _ids(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _source(version: str, packages: str) -> Source:
    return Source(version, tuple(packages.split()))


SOURCES: dict[str, Source] = {
    "accountsservice": _source("22.07.5-2ubuntu1.5", "accountsservice libaccountsservice0"),
    "apparmor": _source("3.0.4-2ubuntu2.4", "apparmor libapparmor1"),
    "apt": _source("2.4.13", "apt apt-utils libapt-pkg6.0"),
    "attr": _source("1:2.5.1-1build1", "libattr1"),
    "audit": _source("1:3.0.7-1build1", "libaudit1 libaudit-common"),
    "base-files": _source("12ubuntu4.7", "base-files"),
    "bash": _source("5.1-6ubuntu1.1", "bash"),
    "bind9": _source("1:9.18.30-0ubuntu0.22.04.2", "bind9-dnsutils bind9-host bind9-libs"),
    "binutils": _source("2.38-4ubuntu2.6", "binutils binutils-common binutils-x86-64-linux-gnu libbinutils libctf0"),
    "bzip2": _source("1.0.8-5build1", "bzip2 libbz2-1.0"),
    "ca-certificates": _source("20240203~22.04.1", "ca-certificates"),
    "chrony": _source("4.2-2ubuntu2", "chrony"),
    "cloud-init": _source("24.4-0ubuntu1~22.04.1", "cloud-init"),
    "coreutils": _source("8.32-4.1ubuntu1.2", "coreutils"),
    "cryptsetup": _source("2:2.4.3-1ubuntu1.2", "cryptsetup cryptsetup-bin libcryptsetup12"),
    "curl": _source("7.81.0-1ubuntu1.20", "curl libcurl3-gnutls libcurl4"),
    "dbus": _source("1.12.20-2ubuntu4.1", "dbus libdbus-1-3 dbus-user-session"),
    "dpkg": _source("1.21.1ubuntu2.3", "dpkg"),
    "e2fsprogs": _source("1.46.5-2ubuntu1.2", "e2fsprogs libcom-err2 libext2fs2 libss2 logsave"),
    "expat": _source("2.4.7-1ubuntu0.6", "libexpat1"),
    "gcc-12": _source("12.3.0-1ubuntu1~22.04", "gcc-12-base libgcc-s1 libstdc++6"),
    "git": _source("1:2.34.1-1ubuntu1.12", "git git-man"),
    "glib2.0": _source("2.72.4-0ubuntu2.4", "libglib2.0-0 libglib2.0-bin libglib2.0-data"),
    "glibc": _source("2.35-0ubuntu3.9", "libc-bin libc6 locales"),
    "gnupg2": _source(
        "2.2.27-3ubuntu2.3",
        "dirmngr gnupg gnupg-l10n gnupg-utils gpg gpg-agent gpg-wks-client gpg-wks-server gpgconf gpgsm gpgv",
    ),
    "gnutls28": _source("3.7.3-4ubuntu1.6", "libgnutls30"),
    "krb5": _source("1.19.2-2ubuntu0.6", "krb5-locales libgssapi-krb5-2 libk5crypto3 libkrb5-3 libkrb5support0"),
    "libgcrypt20": _source("1.9.4-3ubuntu3", "libgcrypt20"),
    "libxml2": _source("2.9.13+dfsg-1ubuntu0.6", "libxml2"),
    "linux-azure": _source(
        KERNEL_VERSION,
        f"linux-azure-headers-{KERNEL} linux-headers-{KERNEL}-azure linux-image-{KERNEL}-azure "
        f"linux-modules-{KERNEL}-azure linux-tools-{KERNEL}-azure linux-libc-dev",
    ),
    "lz4": _source("1.9.3-2build2", "liblz4-1"),
    "ncurses": _source("6.3-2ubuntu0.1", "libncurses6 libncursesw6 libtinfo6 ncurses-base ncurses-bin ncurses-term"),
    "openldap": _source("2.5.18+dfsg-0ubuntu0.22.04.3", "libldap-2.5-0 libldap-common"),
    "openssh": _source("1:8.9p1-3ubuntu0.11", "openssh-client openssh-server openssh-sftp-server"),
    "openssl": _source("3.0.2-0ubuntu1.19", "libssl3 openssl"),
    "pam": _source("1.4.0-11ubuntu2.5", "libpam-modules libpam-modules-bin libpam-runtime libpam0g"),
    "patch": _source("2.7.6-7build2", "patch"),
    "pcre2": _source("10.39-3ubuntu0.1", "libpcre2-8-0"),
    "pcre3": _source("2:8.39-13ubuntu0.22.04.1", "libpcre3"),
    "perl": _source("5.34.0-3ubuntu1.3", "libperl5.34 perl perl-base perl-modules-5.34"),
    "python3.10": _source(
        "3.10.12-1~22.04.9", "libpython3.10 libpython3.10-minimal libpython3.10-stdlib python3.10 python3.10-minimal"
    ),
    "rsync": _source("3.2.7-0ubuntu0.22.04.4", "rsync"),
    "shadow": _source("1:4.8.1-2ubuntu2.2", "login passwd uidmap"),
    "sqlite3": _source("3.37.2-2ubuntu0.3", "libsqlite3-0"),
    "sudo": _source("1.9.9-1ubuntu2.4", "sudo"),
    "systemd": _source(
        "249.11-0ubuntu3.12",
        "libnss-systemd libpam-systemd libsystemd0 libudev1 systemd systemd-sysv systemd-timesyncd udev",
    ),
    "tar": _source("1.34+dfsg-1ubuntu0.1.22.04.2", "tar"),
    "tcpdump": _source("4.99.1-3ubuntu0.2", "tcpdump"),
    "util-linux": _source(
        "2.37.2-4ubuntu3.4", "bsdutils fdisk libblkid1 libfdisk1 libmount1 libuuid1 mount util-linux"
    ),
    "vim": _source("2:8.2.3995-1ubuntu2.23", "vim vim-common vim-runtime vim-tiny xxd"),
    "walinuxagent": _source("2.2.46-0ubuntu5.3", "walinuxagent"),
    "wget": _source("1.21.2-2ubuntu1.1", "wget"),
    "xz-utils": _source("5.2.5-2ubuntu1", "liblzma5 xz-utils"),
    "zlib": _source("1:1.2.11.dfsg-2ubuntu9.2", "zlib1g"),
}

_KERNEL_LOW = _ids(
    "CVE-2013-7445 CVE-2015-8553 CVE-2016-8660 CVE-2017-0537 CVE-2017-13165 CVE-2018-12928 CVE-2018-12929 "
    "CVE-2018-12930 CVE-2018-12931 CVE-2018-17977 CVE-2019-14899 CVE-2019-15213 CVE-2019-19378 "
    "CVE-2019-19814 CVE-2020-14304 CVE-2020-35501 CVE-2021-26934 CVE-2022-0400 CVE-2022-0480 "
    "CVE-2022-1247 CVE-2022-25836 CVE-2022-2961 CVE-2022-3238 CVE-2022-38096 CVE-2022-4543 CVE-2022-44033 "
    "CVE-2022-44034 CVE-2022-45884 CVE-2022-45885"
)
_KERNEL_MEDIUM = _ids(
    "CVE-2023-0030 CVE-2023-0160 CVE-2023-1193 CVE-2023-26242 CVE-2023-31082 CVE-2023-3397 CVE-2023-3640 "
    "CVE-2023-4010 CVE-2023-4133 CVE-2023-6238 CVE-2023-6240 CVE-2023-6535"
)

KNOWN: tuple[Known, ...] = (
    Known(
        "CVE-2016-2781",
        "coreutils",
        "LOW",
        "coreutils: Non-privileged session can escape to the parent session in chroot",
    ),
    Known(
        "CVE-2016-20013",
        "glibc",
        "LOW",
        "glibc: sha256crypt and sha512crypt allow attackers to cause a denial of service",
    ),
    Known("CVE-2017-11164", "pcre3", "LOW", "pcre: OP_KETRMAX feature in the match function in pcre_exec.c"),
    Known("CVE-2018-6952", "patch", "LOW", "patch: Double free of memory in pch.c:another_hunk() causes a crash"),
    Known("CVE-2021-31879", "wget", "MEDIUM", "wget: authorization header disclosure on redirect"),
    Known(
        "CVE-2022-27943",
        "gcc-12",
        "LOW",
        "binutils: libiberty/rust-demangle.c allows stack exhaustion in demangle_const",
    ),
    Known(
        "CVE-2022-3219",
        "gnupg2",
        "LOW",
        "gnupg: denial of service issue (resource consumption) using compressed packets",
    ),
    Known(
        "CVE-2022-41409",
        "pcre2",
        "LOW",
        "pcre2: negative repeat value in a pcre2test subject line leads to infinite loop",
    ),
    Known("CVE-2023-29383", "shadow", "LOW", "shadow: Improper input validation in shadow-utils package utility chfn"),
    Known("CVE-2023-45918", "ncurses", "LOW", "ncurses: NULL pointer dereference in tgetstr in tinfo/lib_termcap.c"),
    Known("CVE-2023-50495", "ncurses", "LOW", "ncurses: segmentation fault via _nc_wrap_entry()"),
    Known("CVE-2023-7008", "systemd", "LOW", "systemd-resolved: Unsigned name response in signed zone is not refused"),
    Known("CVE-2024-2236", "libgcrypt20", "LOW", "libgcrypt: vulnerable to Marvin Attack"),
    Known("CVE-2024-26462", "krb5", "LOW", "krb5: Memory leak at /krb5/src/kdc/ndr.c"),
    Known(
        "CVE-2024-41996",
        "openssl",
        "LOW",
        "openssl: remote attackers (from the client side) to trigger costly DHE computations",
    ),
    Known(
        "CVE-2024-56433", "shadow", "LOW", "shadow-utils: Default subordinate ID configuration could lead to compromise"
    ),
    Known(
        "CVE-2017-13716", "binutils", "LOW", "binutils: Memory leak with the C++ symbol demangler routine in libiberty"
    ),
    Known("CVE-2022-48522", "perl", "LOW", "perl: stack-based crash in S_find_uninit_var()"),
    Known("CVE-2024-10041", "pam", "MEDIUM", "pam: libpam: Libpam vulnerable to read hashed password"),
    Known(
        "CVE-2025-0938",
        "python3.10",
        "MEDIUM",
        "python: URL parser allowed square brackets in domain names",
        "3.10.12-1~22.04.10",
    ),
    Known("CVE-2025-22134", "vim", "MEDIUM", "vim: heap-buffer-overflow in vim", "2:8.2.3995-1ubuntu2.24"),
    Known("CVE-2025-0167", "curl", "LOW", "When asked to use a `.netrc` file for credentials **and** to follow HT ..."),
    *(Known(one, "linux-azure", "LOW", "kernel: open in Ubuntu's tracker") for one in _KERNEL_LOW),
    *(Known(one, "linux-azure", "MEDIUM", "kernel: open in Ubuntu's tracker") for one in _KERNEL_MEDIUM),
)

HIGH: tuple[Known, ...] = (
    Known("CVE-2024-6387", "openssh", "HIGH", "openssh: regreSSHion - race condition in SSH", "1:8.9p1-3ubuntu0.12"),
    Known("CVE-2024-12084", "rsync", "HIGH", "rsync: Heap Buffer Overflow in Rsync", "3.2.7-0ubuntu0.22.04.5"),
    Known("CVE-2024-32002", "git", "HIGH", "git: Recursive clones RCE", "1:2.34.1-1ubuntu1.13"),
    Known("CVE-2025-32463", "sudo", "HIGH", "sudo: LPE via chroot option", "1.9.9-1ubuntu2.5"),
)
"""Findings of an image without updates. Each applies to all packages of its source package."""

UPDATED: dict[str, str] = {one.source: one.fixed for one in HIGH if one.source in {"git", "rsync"}}
"""Source packages that have their fixed version in an image with some updates."""

JAVA: tuple[JavaKnown, ...] = (
    JavaKnown(
        word="critical-cve",
        id="CVE-2021-44228",
        advisory="GHSA-jfh8-c2jp-5v3q",
        package="org.apache.logging.log4j:log4j-core",
        installed="2.14.1",
        fixed="2.15.0, 2.3.1, 2.12.2",
        path="opt/telemetry/lib/log4j-core-2.14.1.jar",
        title="log4j-core: Remote code execution in Log4j 2.x when logs contain an attacker-controlled string value",
        vector="CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H",
        score=10,
        exploited="2021-12-10",
    ),
    JavaKnown(
        word="exploited-cve",
        id="CVE-2025-24813",
        advisory="GHSA-83qj-6fr2-vhqg",
        package="org.apache.tomcat.embed:tomcat-embed-core",
        installed="9.0.98",
        fixed="9.0.99",
        path="opt/service/lib/tomcat-embed-core-9.0.98.jar",
        title="tomcat: Potential RCE and/or information disclosure and/or information corruption with partial PUT",
        vector="CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        score=9.8,
        exploited="2025-04-01",
    ),
)
"""Vulnerabilities of software that is not part of the system."""
