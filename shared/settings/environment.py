"""Settings: application settings, which are environment variables, as one frozen value.

``read_settings`` reports every fault at once. No secret is ever part of a fault's text or of a repr. What each setting
means stands in ``SETTINGS``, from which ``docs/settings.md`` is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from shared.domain.limits import MAX_REPORT_BYTES
from shared.domain.messages import Kind
from shared.domain.senders import Sender
from shared.settings.webhook_senders import LEAST_KEY, read_hosts, read_principals, read_readers, read_scanners

DEFAULT_STORAGE: Final = "AzureWebJobsStorage"
OWN_STORAGE: Final = "RINGMASTER_STORAGE"
PLATFORM_AUTH: Final = "WEBSITE_AUTH_ENABLED"
"""Set by App Service, read-only: whether App Service Authentication is on ("Environment variables")."""

# Storage's rule for queue names allows 63 characters; the host adds "-poison", and gives up on poison messages when
# the result is too long.
_QUEUE_NAME: Final = re.compile(r"(?!.*-poison$)[a-z0-9](?:-?[a-z0-9]){2,55}")
_ACCOUNT_NAME: Final = re.compile(r"[a-z0-9]{3,24}")
_CRON_FIELD: Final = re.compile(r"[0-9A-Za-z*,/-]+")
_LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}
_AZURITE: Final = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;"
)
"""What ``UseDevelopmentStorage=true`` means; the key is published and guards nothing."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as people read of it; ``default`` None means that there is none."""

    name: str
    meaning: str
    default: str | None = None


SETTINGS: Final = (
    Setting(
        DEFAULT_STORAGE,
        "The storage account that holds queues, ledger, evidence and reports: a connection string, or, with an "
        "identity, `AzureWebJobsStorage__accountName`, or `AzureWebJobsStorage__blobServiceUri`, `__queueServiceUri` "
        "and `__tableServiceUri`. Needed, unless `RINGMASTER_STORAGE` is there.",
    ),
    Setting(OWN_STORAGE, "The same for an account other than the host's own. It goes before `AzureWebJobsStorage`."),
    Setting("RINGMASTER_POLICY", "The policy file, relative to the app's folder.", "promotion.yaml"),
    Setting("RINGMASTER_ARM_ENDPOINT", "Azure Resource Manager.", "https://management.azure.com"),
    Setting("RINGMASTER_ARM_SCOPE", "The scope of tokens for it. By default its endpoint and `/.default`."),
    Setting(
        "RINGMASTER_CLIENT_ID", "Client id of the user-assigned identity; without it the system-assigned one is used."
    ),
    Setting(
        "RINGMASTER_OWN_WRITERS",
        "Application or object ids under which this app writes to ARM, with commas between: their writes are ours.",
        "",
    ),
    Setting(
        "RINGMASTER_PACE", "Every wait is divided by this; for the local stack, where Azure's time runs faster.", "1"
    ),
    Setting("RINGMASTER_QUEUE_VALIDATE", "The queue for validation.", "image-validate"),
    Setting("RINGMASTER_QUEUE_SCAN", "The queue for scans.", "image-scan"),
    Setting("RINGMASTER_QUEUE_REPLICATE", "The queue for replication.", "image-replicate"),
    Setting(
        "RINGMASTER_QUEUE_BOOT_TEST", "The queue for boot tests, and for deleting what they made.", "image-boot-test"
    ),
    Setting("RINGMASTER_QUEUE_PROMOTE", "The queue for promotion and announcements.", "image-promote"),
    Setting(
        "RINGMASTER_RECONCILE_SCHEDULE", "When galleries are compared with the ledger (NCRONTAB).", "0 */5 * * * *"
    ),
    Setting("RINGMASTER_RETIRE_SCHEDULE", "When retirement is looked into (NCRONTAB).", "0 0 3 * * *"),
    Setting(
        "RINGMASTER_EVENTGRID_TOPIC_ENDPOINT",
        "The Event Grid topic on which consumers of images are told of releases. Without it nobody is told.",
    ),
    Setting(
        "RINGMASTER_WEBHOOK_KEYS",
        'Keys with which scanners sign reports, newest first: `{"trivy": ["key", "older key"]}`, or with limits '
        '`{"ci-grype": {"keys": ["key"], "formats": ["grype", "sarif"], "definitions": ["gallery/ubuntu-*"]}}`. '
        f"Each key has at least {LEAST_KEY} bytes. See [scanners-webhook.md](scanners-webhook.md).",
        "{}",
    ),
    Setting(
        "RINGMASTER_WEBHOOK_PRINCIPALS",
        "Who may send reports with a token of Microsoft Entra instead, by object or application id: "
        '`{"<id>": {"name": "ci", "formats": ["trivy"], "definitions": ["gallery/ubuntu-*"]}}`.',
        "{}",
    ),
    Setting(
        "RINGMASTER_TRUST_EASYAUTH",
        "`true` where App Service Authentication is on and so vouches for the principals in its headers. "
        "Never `true` without it: anybody could write these headers.",
        "false",
    ),
    Setting(
        "RINGMASTER_PAGE_READERS",
        "Who may read the pages in a browser, by object id of a person or group, application id, or tenant id (then "
        "everybody in it), with commas between. App Service Authentication must be trusted. Without any, pages want "
        "the function key in a header. See [ADR 11](adr/0011-pages.md).",
        "",
    ),
    Setting(
        "RINGMASTER_REPORT_HOSTS",
        "Hosts from which reports are fetched that are sent by reference, with commas between, each by itself: "
        "`reports.example.com, store.example.com:8443`. Without any, none are.",
        "",
    ),
    Setting(
        "RINGMASTER_REPORT_FETCH_SECONDS", "How long fetching one report may take, in seconds; at most 240.", "180"
    ),
    Setting("RINGMASTER_WEBHOOK_TOLERANCE_SECONDS", "How old a signed report may be, in seconds.", "300"),
    Setting(
        "RINGMASTER_MAX_REPORT_BYTES",
        f"The largest scan report that is taken, uncompressed; at most {MAX_REPORT_BYTES}.",
        str(MAX_REPORT_BYTES),
    ),
)

_DEFAULTS: Final = {setting.name: setting.default for setting in SETTINGS}
_QUEUE_OF_KIND: Final[Mapping[Kind, str]] = {
    Kind.VALIDATE: "RINGMASTER_QUEUE_VALIDATE",
    Kind.SCAN: "RINGMASTER_QUEUE_SCAN",
    Kind.FETCH_REPORT: "RINGMASTER_QUEUE_SCAN",
    Kind.REPLICATE: "RINGMASTER_QUEUE_REPLICATE",
    Kind.BOOT_TEST: "RINGMASTER_QUEUE_BOOT_TEST",
    Kind.CLEAN_UP: "RINGMASTER_QUEUE_BOOT_TEST",
    Kind.PROMOTE: "RINGMASTER_QUEUE_PROMOTE",
    Kind.REVOKE: "RINGMASTER_QUEUE_PROMOTE",
    Kind.ANNOUNCE: "RINGMASTER_QUEUE_PROMOTE",
}


class SettingsFaults(ValueError):
    """Everything that is wrong with the settings: each fault names its setting and says what is expected."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("the settings are not right:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Where the state is: a connection string, or three service addresses to be used with an identity."""

    prefix: str
    """Name of the setting that a queue trigger's ``connection`` must give: ``AzureWebJobsStorage`` or ours."""
    connection_string: str | None = field(default=None, repr=False)
    blob_url: str | None = None
    queue_url: str | None = None
    table_url: str | None = None
    client_id: str | None = None
    """The user-assigned identity for storage, where ``…__clientId`` names one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked."""

    storage: StorageSettings
    policy: str
    arm_endpoint: str
    arm_scope: str
    client_id: str | None
    own_writers: frozenset[str]
    pace: float
    queues: Mapping[Kind, str]
    """The queue of every kind of command."""
    reconcile_schedule: str
    retire_schedule: str
    topic_endpoint: str | None
    scanners: Mapping[str, Sender] = field(repr=False)
    """Scanner -> its keys, and what it may do."""
    principals: Mapping[str, Sender]
    """Object or application id -> what it may do; empty unless App Service Authentication is trusted."""
    webhook_tolerance: timedelta
    max_report_bytes: int
    readers: frozenset[str]
    """Ids of who may read pages in a browser; empty unless App Service Authentication is trusted."""
    report_hosts: frozenset[str]
    report_fetch_seconds: float


def read_settings(mapping: Mapping[str, str]) -> Settings:
    """Read the settings. Raises SettingsFaults with every fault."""
    read = _Reader(mapping)
    arm_endpoint = read.url("RINGMASTER_ARM_ENDPOINT") or ""
    settings = Settings(
        storage=read.storage(),
        policy=read.text("RINGMASTER_POLICY"),
        arm_endpoint=arm_endpoint,
        arm_scope=read.text("RINGMASTER_ARM_SCOPE") or f"{arm_endpoint}/.default",
        client_id=read.text("RINGMASTER_CLIENT_ID") or None,
        own_writers=frozenset(
            part.strip().lower() for part in read.text("RINGMASTER_OWN_WRITERS").split(",") if part.strip()
        ),
        pace=read.number("RINGMASTER_PACE", float, 1, 1_000_000),
        queues={kind: read.queue(name) for kind, name in _QUEUE_OF_KIND.items()},
        reconcile_schedule=read.schedule("RINGMASTER_RECONCILE_SCHEDULE"),
        retire_schedule=read.schedule("RINGMASTER_RETIRE_SCHEDULE"),
        topic_endpoint=read.url("RINGMASTER_EVENTGRID_TOPIC_ENDPOINT"),
        scanners=read_scanners("RINGMASTER_WEBHOOK_KEYS", read.text("RINGMASTER_WEBHOOK_KEYS"), read.faults),
        principals=read.principals("RINGMASTER_WEBHOOK_PRINCIPALS", "RINGMASTER_TRUST_EASYAUTH"),
        readers=read.readers("RINGMASTER_PAGE_READERS", "RINGMASTER_TRUST_EASYAUTH"),
        webhook_tolerance=timedelta(seconds=read.number("RINGMASTER_WEBHOOK_TOLERANCE_SECONDS", float, 1, 86_400)),
        max_report_bytes=read.number("RINGMASTER_MAX_REPORT_BYTES", int, 1, MAX_REPORT_BYTES),
        report_hosts=read_hosts("RINGMASTER_REPORT_HOSTS", read.text("RINGMASTER_REPORT_HOSTS"), read.faults),
        report_fetch_seconds=read.number("RINGMASTER_REPORT_FETCH_SECONDS", float, 1, 240),
    )
    read.check_queues_differ()
    if read.faults:
        raise SettingsFaults(tuple(dict.fromkeys(read.faults)))
    return settings


class _Reader:
    """Reads one setting after the other and remembers the faults."""

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self._mapping = mapping
        self.faults: list[str] = []

    def text(self, name: str) -> str:
        """A setting, or its default when it is absent or empty."""
        return self._mapping.get(name, "").strip() or _DEFAULTS.get(name) or ""

    def number[N: (int, float)](self, name: str, kind: Callable[[str], N], least: N, most: N) -> N:
        text = self.text(name)
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            self.faults.append(f"{name} is {text[:80]!r}; a number from {least} to {most} is expected")
            return least
        return value

    def url(self, name: str) -> str | None:
        """An address without a slash at its end; https, or http on this machine."""
        text = self.text(name)
        if text and not _is_address(text):
            self.faults.append(
                f"{name} is no address that we use: https://… is expected (http only on this machine), "
                "without user, query or fragment"
            )
        return text.rstrip("/") or None

    def queue(self, name: str) -> str:
        text = self.text(name)
        if not _QUEUE_NAME.fullmatch(text):
            self.faults.append(
                f"{name} is {text[:80]!r}; a queue name is expected: 3 to 56 lower-case letters, digits and single "
                "hyphens, not ending in -poison"
            )
        return text

    def check_queues_differ(self) -> None:
        """One queue has one stage; two settings that name one queue would send commands to the wrong one."""
        owner: dict[str, str] = {}
        for name in dict.fromkeys(_QUEUE_OF_KIND.values()):
            other = owner.setdefault(self.text(name), name)
            if other != name:
                self.faults.append(f"{name} and {other} are both {self.text(name)[:80]!r}; each needs its own queue")

    def schedule(self, name: str) -> str:
        text = self.text(name)
        parts = text.split()
        if len(parts) != 6 or not all(_CRON_FIELD.fullmatch(part) for part in parts):
            self.faults.append(
                f"{name} is {text[:80]!r}; an NCRONTAB expression of six fields is expected, such as '0 */5 * * * *'"
            )
        return text

    def flag(self, name: str) -> bool:
        text = self.text(name).lower()
        if text not in {"true", "false"}:
            self.faults.append(f"{name} is {text[:80]!r}; true or false is expected")
        return text == "true"

    def principals(self, name: str, trust: str) -> Mapping[str, Sender]:
        """Principals, which are believed only where App Service Authentication vouches for the header they come in."""
        found = read_principals(name, self.text(name), self.faults)
        self._check_trust(name, trust, named=bool(found))
        return found

    def readers(self, name: str, trust: str) -> frozenset[str]:
        """Who may read pages; believed like principals."""
        found = read_readers(name, self.text(name), self.faults)
        self._check_trust(name, trust, named=bool(found))
        return found

    def _check_trust(self, name: str, trust: str, *, named: bool) -> None:
        trusted = self.flag(trust)
        if named and not trusted:
            self.faults.append(f"{name} names principals, but {trust} is not true: nobody would vouch for them")
        if trusted and self._mapping.get(PLATFORM_AUTH, "true").strip().lower() not in {"true", "1"}:
            self.faults.append(
                f"{trust} is true, but App Service Authentication is off ({PLATFORM_AUTH}): anybody could write its "
                "headers. Turn it on, or set this to false"
            )

    def storage(self) -> StorageSettings:
        """The account under our own name if there is one, else the host's."""
        own = any(name == OWN_STORAGE or name.startswith(f"{OWN_STORAGE}__") for name in self._mapping)
        prefix = OWN_STORAGE if own else DEFAULT_STORAGE
        text = self.text(prefix)
        if text:
            return StorageSettings(prefix, connection_string=self._connection_string(prefix, text))
        return self._storage_by_identity(prefix)

    def _storage_by_identity(self, prefix: str) -> StorageSettings:
        account = self.text(f"{prefix}__accountName")
        if account and not _ACCOUNT_NAME.fullmatch(account):
            self.faults.append(
                f"{prefix}__accountName is {account[:80]!r}; 3 to 24 lower-case letters and digits are expected"
            )
        blob, queue, table = (self._service(prefix, service, account) for service in ("blob", "queue", "table"))
        if not account and not (blob or queue or table):
            self.faults.append(
                f"{prefix} is missing: give a connection string, or {prefix}__accountName to use an identity"
            )
        elif not (blob and queue and table):
            self.faults.append(
                f"{prefix} lacks a service: __blobServiceUri, __queueServiceUri and __tableServiceUri are all needed, "
                "or __accountName"
            )
        client_id = self.text(f"{prefix}__clientId") or self.text("RINGMASTER_CLIENT_ID") or None
        return StorageSettings(prefix, blob_url=blob, queue_url=queue, table_url=table, client_id=client_id)

    def _service(self, prefix: str, service: str, account: str) -> str | None:
        given = self.url(f"{prefix}__{service}ServiceUri")
        return given or (f"https://{account}.{service}.core.windows.net" if account else None)

    def _connection_string(self, name: str, text: str) -> str:
        if text.lower().rstrip(";") == "usedevelopmentstorage=true":
            return _AZURITE
        parts = {part.partition("=")[0].strip().lower() for part in text.split(";") if "=" in part}
        has_account = "accountname" in parts or {"blobendpoint", "queueendpoint", "tableendpoint"} <= parts
        if not has_account or not parts & {"accountkey", "sharedaccesssignature"}:
            self.faults.append(
                f"{name} is no connection string: AccountName=…;AccountKey=… is expected (it isn't shown here); "
                f"or leave it out and give {name}__accountName to use an identity"
            )
        return text


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    return bool(secure and host and not (parts.query or parts.fragment or parts.username or parts.password))
