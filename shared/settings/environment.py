"""Application settings, which are environment variables, as one frozen object.

``read_settings`` reports all errors at once. No error message and no repr contains a secret. ``SETTINGS`` describes
every setting; ``docs/settings.md`` is generated from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from shared.domain.addresses import LOOPBACK_HOSTS
from shared.domain.limits import MAX_REPORT_BYTES
from shared.domain.messages import Kind
from shared.domain.senders import Sender
from shared.settings.webhook_senders import MIN_KEY_BYTES, read_hosts, read_principals, read_readers, read_scanners

DEFAULT_STORAGE: Final = "AzureWebJobsStorage"
OWN_STORAGE: Final = "RINGMASTER_STORAGE"
PLATFORM_AUTH: Final = "WEBSITE_AUTH_ENABLED"
"""Set by App Service (read-only): whether App Service Authentication is turned on. Source: Microsoft Learn,
"Environment variables and app settings in Azure App Service".
"""

# A queue name has at most 63 characters. The Functions host adds "-poison" and uses no poison queue if the result is
# too long.
_QUEUE_NAME: Final = re.compile(r"(?!.*-poison$)[a-z0-9](?:-?[a-z0-9]){2,55}")
_ACCOUNT_NAME: Final = re.compile(r"[a-z0-9]{3,24}")
_CRON_FIELD: Final = re.compile(r"[0-9A-Za-z*,/-]+")
_AZURITE: Final = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;"
)
"""The connection string behind ``UseDevelopmentStorage=true``. The key is published and is no secret."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting with its documentation. ``default`` None means that it has no default."""

    name: str
    meaning: str
    default: str | None = None


SETTINGS: Final = (
    Setting(
        DEFAULT_STORAGE,
        "The storage account for queues, ledger, evidence and reports. Set a connection string. To use an identity, "
        "set `AzureWebJobsStorage__accountName`, or `AzureWebJobsStorage__blobServiceUri`, `__queueServiceUri` and "
        "`__tableServiceUri`. Required unless `RINGMASTER_STORAGE` is set.",
    ),
    Setting(
        OWN_STORAGE,
        "A storage account that differs from the one of the Functions host, in the same form. It takes precedence over "
        "`AzureWebJobsStorage`.",
    ),
    Setting("RINGMASTER_POLICY", "Path of the policy file, relative to the app's folder.", "promotion.yaml"),
    Setting("RINGMASTER_ARM_ENDPOINT", "Endpoint of Azure Resource Manager.", "https://management.azure.com"),
    Setting(
        "RINGMASTER_ARM_SCOPE",
        "Scope of the tokens for Azure Resource Manager. The default is the endpoint followed by `/.default`.",
    ),
    Setting(
        "RINGMASTER_CLIENT_ID",
        "Client id of the user-assigned managed identity. If it is not set, the system-assigned identity is used.",
    ),
    Setting(
        "RINGMASTER_OWN_WRITERS",
        "Application ids or object ids under which this app writes to Azure Resource Manager, separated by commas. The "
        "app recognizes its own writes by them.",
        "",
    ),
    Setting(
        "RINGMASTER_PACE",
        "Divisor for every wait. Use it only in the local stack, where Azure's time runs faster.",
        "1",
    ),
    Setting("RINGMASTER_QUEUE_VALIDATE", "Queue for validation.", "image-validate"),
    Setting("RINGMASTER_QUEUE_SCAN", "Queue for scans.", "image-scan"),
    Setting("RINGMASTER_QUEUE_REPLICATE", "Queue for replication.", "image-replicate"),
    Setting(
        "RINGMASTER_QUEUE_BOOT_TEST", "Queue for boot tests and for the deletion of their resources.", "image-boot-test"
    ),
    Setting("RINGMASTER_QUEUE_PROMOTE", "Queue for promotion, revocation and announcements.", "image-promote"),
    Setting("RINGMASTER_QUEUE_IN_USE", "Queue for listing the users of a revoked version.", "image-in-use"),
    Setting(
        "RINGMASTER_RECONCILE_SCHEDULE",
        "NCRONTAB schedule of the timer that compares galleries with the ledger.",
        "0 */5 * * * *",
    ),
    Setting("RINGMASTER_RETIRE_SCHEDULE", "NCRONTAB schedule of the retention report.", "0 0 3 * * *"),
    Setting(
        "RINGMASTER_EVENTGRID_TOPIC_ENDPOINT",
        "Endpoint of the Event Grid topic to which the app publishes events for the consumers of images. If it is not "
        "set, no events are published.",
    ),
    Setting(
        "RINGMASTER_WEBHOOK_KEYS",
        'Keys that scanners sign their reports with, newest first: `{"trivy": ["key", "older key"]}`, or with '
        'restrictions `{"ci-grype": {"keys": ["key"], "formats": ["grype", "sarif"], "definitions": '
        f'["gallery/ubuntu-*"]}}}}`. Each key has at least {MIN_KEY_BYTES} bytes. See '
        "[scanners-webhook.md](scanners-webhook.md).",
        "{}",
    ),
    Setting(
        "RINGMASTER_WEBHOOK_PRINCIPALS",
        "Principals that may send reports with a Microsoft Entra token, by object id or application id: "
        '`{"<id>": {"name": "ci", "formats": ["trivy"], "definitions": ["gallery/ubuntu-*"]}}`.',
        "{}",
    ),
    Setting(
        "RINGMASTER_TRUST_EASYAUTH",
        "Whether the app trusts the identity headers of App Service Authentication. Set it to `true` only if App "
        "Service Authentication is turned on; otherwise anyone can forge these headers.",
        "false",
    ),
    Setting(
        "RINGMASTER_PAGE_READERS",
        "Who may read the pages in a browser, separated by commas: object ids of users or groups, application ids, or "
        "a tenant id for everyone in that tenant. Requires `RINGMASTER_TRUST_EASYAUTH`. If it is empty, the pages "
        "require the function key in a header. See [ADR 11](adr/0011-pages.md).",
        "",
    ),
    Setting(
        "RINGMASTER_REPORT_HOSTS",
        "Hosts from which the app may download reports that are sent by reference, separated by commas: "
        "`reports.example.com, store.example.com:8443`. Wildcards are not supported. If it is empty, the app downloads "
        "no reports.",
        "",
    ),
    Setting(
        "RINGMASTER_REPORT_FETCH_SECONDS", "Time limit for the download of one report, in seconds; at most 240.", "180"
    ),
    Setting(
        "RINGMASTER_WEBHOOK_TOLERANCE_SECONDS",
        "How far the timestamp of a signed report may differ from the app's clock, in seconds.",
        "300",
    ),
    Setting(
        "RINGMASTER_MAX_REPORT_BYTES",
        f"Maximum size of a scan report in bytes, uncompressed; at most {MAX_REPORT_BYTES}.",
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
    Kind.HIDE: "RINGMASTER_QUEUE_PROMOTE",
    Kind.HEALTH: "RINGMASTER_QUEUE_PROMOTE",
    Kind.ANNOUNCE: "RINGMASTER_QUEUE_PROMOTE",
    Kind.IN_USE: "RINGMASTER_QUEUE_IN_USE",
}


class SettingsFaults(ValueError):
    """The settings are invalid. Each error names the setting and what is allowed."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("the app settings have errors:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """How to connect to storage: a connection string, or the URLs of three services and an identity."""

    prefix: str
    """The name that a queue trigger's ``connection`` must have: ``AzureWebJobsStorage`` or ``RINGMASTER_STORAGE``."""
    connection_string: str | None = field(default=None, repr=False)
    blob_url: str | None = None
    queue_url: str | None = None
    table_url: str | None = None
    client_id: str | None = None
    """Client id of the user-assigned identity for storage; None for the system-assigned identity."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, validated."""

    storage: StorageSettings
    policy: str
    arm_endpoint: str
    arm_scope: str
    client_id: str | None
    own_writers: frozenset[str]
    pace: float
    queues: Mapping[Kind, str]
    """Queue name by kind of command."""
    reconcile_schedule: str
    retire_schedule: str
    topic_endpoint: str | None
    scanners: Mapping[str, Sender] = field(repr=False)
    """By scanner name: its keys and permissions."""
    principals: Mapping[str, Sender]
    """Permissions by object id or application id. Empty unless App Service Authentication is trusted."""
    webhook_tolerance: timedelta
    max_report_bytes: int
    trusts_platform_auth: bool
    """Whether App Service Authentication is in front, so that its identity headers say who calls."""
    readers: frozenset[str]
    """Ids of those who may read the pages in a browser. Empty unless App Service Authentication is trusted."""
    report_hosts: frozenset[str]
    report_fetch_seconds: float


def read_settings(mapping: Mapping[str, str]) -> Settings:
    """Read and validate the settings. Raises SettingsFaults with all errors."""
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
        trusts_platform_auth=read.flag("RINGMASTER_TRUST_EASYAUTH"),
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
    """Reads settings one by one and collects the errors."""

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self._mapping = mapping
        self.faults: list[str] = []

    def text(self, name: str) -> str:
        """The value of a setting. Returns its default when it is absent or empty."""
        return self._mapping.get(name, "").strip() or _DEFAULTS.get(name) or ""

    def number[N: (int, float)](self, name: str, kind: Callable[[str], N], least: N, most: N) -> N:
        text = self.text(name)
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            self.faults.append(f"{name} is {text[:80]!r}, but must be a number from {least} to {most}")
            return least
        return value

    def url(self, name: str) -> str | None:
        """A URL without a trailing slash: https, or http on this computer."""
        text = self.text(name)
        if text and not _is_address(text):
            self.faults.append(
                f"{name} is not a valid URL: use https://… (http only for this computer), "
                "without user, query or fragment"
            )
        return text.rstrip("/") or None

    def queue(self, name: str) -> str:
        text = self.text(name)
        if not _QUEUE_NAME.fullmatch(text):
            self.faults.append(
                f"{name} is {text[:80]!r}, but must be a queue name: 3 to 56 lowercase letters, digits and single "
                "hyphens, not ending in -poison"
            )
        return text

    def check_queues_differ(self) -> None:
        """Require a different queue for each stage.

        With a shared queue, a stage would receive the commands of another.
        """
        owner: dict[str, str] = {}
        for name in dict.fromkeys(_QUEUE_OF_KIND.values()):
            other = owner.setdefault(self.text(name), name)
            if other != name:
                self.faults.append(
                    f"{name} and {other} are both {self.text(name)[:80]!r}; use a different queue for each"
                )

    def schedule(self, name: str) -> str:
        text = self.text(name)
        parts = text.split()
        if len(parts) != 6 or not all(_CRON_FIELD.fullmatch(part) for part in parts):
            self.faults.append(
                f"{name} is {text[:80]!r}, but must be an NCRONTAB expression with six fields, such as '0 */5 * * * *'"
            )
        return text

    def flag(self, name: str) -> bool:
        text = self.text(name).lower()
        if text not in {"true", "false"}:
            self.faults.append(f"{name} is {text[:80]!r}, but must be true or false")
        return text == "true"

    def principals(self, name: str, trust: str) -> Mapping[str, Sender]:
        """Principals that may send reports. They require that the headers of App Service Authentication are trusted."""
        found = read_principals(name, self.text(name), self.faults)
        self._check_trust(name, trust, named=bool(found))
        return found

    def readers(self, name: str, trust: str) -> frozenset[str]:
        """Who may read the pages. Same requirement as for principals."""
        found = read_readers(name, self.text(name), self.faults)
        self._check_trust(name, trust, named=bool(found))
        return found

    def _check_trust(self, name: str, trust: str, *, named: bool) -> None:
        trusted = self.flag(trust)
        if named and not trusted:
            self.faults.append(
                f"{name} names principals, but {trust} is not true, so their identity cannot be verified"
            )
        if trusted and self._mapping.get(PLATFORM_AUTH, "true").strip().lower() not in {"true", "1"}:
            self.faults.append(
                f"{trust} is true, but App Service Authentication is off ({PLATFORM_AUTH}), so anyone can forge its "
                "headers. Turn it on, or set this setting to false"
            )

    def storage(self) -> StorageSettings:
        """The storage account in RINGMASTER_STORAGE if it is set, otherwise that of the Functions host."""
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
                f"{prefix}__accountName is {account[:80]!r}, but must have 3 to 24 lowercase letters and digits"
            )
        blob, queue, table = (self._service(prefix, service, account) for service in ("blob", "queue", "table"))
        if not account and not (blob or queue or table):
            self.faults.append(
                f"{prefix} is not set: set it to a connection string, or set {prefix}__accountName to use an identity"
            )
        elif not (blob and queue and table):
            self.faults.append(
                f"{prefix} is incomplete: set all of __blobServiceUri, __queueServiceUri and __tableServiceUri, or set "
                "__accountName"
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
                f"{name} is not a valid connection string: use AccountName=…;AccountKey=… (the value is not shown), "
                f"or remove it and set {name}__accountName to use an identity"
            )
        return text


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK_HOSTS)
    return bool(secure and host and not (parts.query or parts.fragment or parts.username or parts.password))
