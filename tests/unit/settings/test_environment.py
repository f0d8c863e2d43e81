"""Settings are read whole, every fault is named at once, and no secret is shown."""

import json
from datetime import timedelta

import pytest

from local.docs.settings_reference import page
from shared.domain.image import DefinitionId, GalleryId
from shared.domain.limits import MAX_REPORT_BYTES
from shared.domain.messages import Kind
from shared.domain.senders import Sender
from shared.settings import SETTINGS, SettingsFaults, read_settings

CONNECTION = (
    "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=c2VjcmV0LWtleQ==;EndpointSuffix=core.windows.net"
)
LEAST = {"AzureWebJobsStorage": CONNECTION}
ID = "0a0b0c0d-0000-4000-8000-00000000000a"


def faults(**mapping: str) -> tuple[str, ...]:
    with pytest.raises(SettingsFaults) as caught:
        read_settings(mapping)
    return caught.value.faults


def test_storage_alone_is_enough() -> None:
    settings = read_settings(LEAST)
    assert settings.storage.connection_string == CONNECTION
    assert settings.storage.prefix == "AzureWebJobsStorage"
    assert settings.policy == "promotion.yaml"
    assert settings.arm_endpoint == "https://management.azure.com"
    assert settings.arm_scope == "https://management.azure.com/.default"
    assert (settings.client_id, settings.topic_endpoint) == (None, None)
    assert settings.own_writers == frozenset()
    assert settings.pace == 1
    assert settings.reconcile_schedule == "0 */5 * * * *"
    assert (settings.scanners, settings.principals, settings.report_hosts) == ({}, {}, frozenset())
    assert settings.webhook_tolerance == timedelta(minutes=5)
    assert settings.max_report_bytes == 200 * 1024 * 1024


def test_every_kind_of_command_has_a_queue() -> None:
    assert read_settings(LEAST).queues == {
        Kind.VALIDATE: "image-validate",
        Kind.SCAN: "image-scan",
        Kind.FETCH_REPORT: "image-scan",
        Kind.BOOT_TEST: "image-boot-test",
        Kind.CLEAN_UP: "image-boot-test",
        Kind.REPLICATE: "image-replicate",
        Kind.PROMOTE: "image-promote",
        Kind.REVOKE: "image-promote",
        Kind.HIDE: "image-promote",
        Kind.HEALTH: "image-promote",
        Kind.ANNOUNCE: "image-promote",
        Kind.IN_USE: "image-in-use",
    }


def test_everything_can_be_set() -> None:
    settings = read_settings(
        {
            "RINGMASTER_STORAGE": CONNECTION,
            "RINGMASTER_POLICY": "other.yaml",
            "RINGMASTER_ARM_ENDPOINT": "https://127.0.0.1:8443/",
            "RINGMASTER_CLIENT_ID": "me",
            "RINGMASTER_OWN_WRITERS": " ABC, def ,,",
            "RINGMASTER_PACE": "60.5",
            "RINGMASTER_QUEUE_SCAN": "scans",
            "RINGMASTER_RECONCILE_SCHEDULE": "*/30 * * * * *",
            "RINGMASTER_EVENTGRID_TOPIC_ENDPOINT": "https://t.westus-1.eventgrid.azure.net/api/events",
            "RINGMASTER_WEBHOOK_KEYS": '{"trivy": ["0123456789abcdef", "fedcba9876543210"]}',
            "RINGMASTER_WEBHOOK_PRINCIPALS": json.dumps(
                {ID.upper(): {"name": "ci", "formats": ["grype"], "definitions": ["Gal/Ubuntu-*"]}}
            ),
            "RINGMASTER_TRUST_EASYAUTH": "true",
            "RINGMASTER_REPORT_HOSTS": "Reports.example.com:443, store.example.com:8443",
            "RINGMASTER_REPORT_FETCH_SECONDS": "60",
            "RINGMASTER_WEBHOOK_TOLERANCE_SECONDS": "60",
            "RINGMASTER_MAX_REPORT_BYTES": "1000",
        }
    )
    assert settings.storage.prefix == "RINGMASTER_STORAGE"
    assert settings.policy == "other.yaml"
    assert settings.arm_scope == "https://127.0.0.1:8443/.default"
    assert settings.client_id == "me"
    assert settings.own_writers == {"abc", "def"}
    assert settings.pace == 60.5
    assert settings.queues[Kind.SCAN] == "scans"
    assert settings.reconcile_schedule == "*/30 * * * * *"
    assert settings.topic_endpoint == "https://t.westus-1.eventgrid.azure.net/api/events"
    assert settings.scanners == {
        "trivy": Sender("trivy", (b"0123456789abcdef", b"fedcba9876543210"), frozenset({"trivy"}))
    }
    assert settings.principals == {ID: Sender("ci", formats=frozenset({"grype"}), definitions=("gal/ubuntu-*",))}
    assert settings.report_hosts == {"reports.example.com", "store.example.com:8443"}
    assert settings.report_fetch_seconds == 60
    assert settings.webhook_tolerance == timedelta(minutes=1)
    assert settings.max_report_bytes == 1000


def test_an_account_name_means_its_three_services() -> None:
    storage = read_settings({"AzureWebJobsStorage__accountName": "acct", "AzureWebJobsStorage__clientId": "me"}).storage
    assert storage.connection_string is None
    assert storage.blob_url == "https://acct.blob.core.windows.net"
    assert storage.queue_url == "https://acct.queue.core.windows.net"
    assert storage.table_url == "https://acct.table.core.windows.net"
    assert storage.client_id == "me"


def test_service_addresses_can_be_given_one_by_one() -> None:
    names = {f"AzureWebJobsStorage__{service}ServiceUri": f"https://{service}.example/" for service in
             ("blob", "queue", "table")}  # fmt: skip
    storage = read_settings(names).storage
    assert (storage.blob_url, storage.queue_url, storage.table_url) == (
        "https://blob.example",
        "https://queue.example",
        "https://table.example",
    )


def test_our_own_account_goes_before_the_hosts() -> None:
    storage = read_settings({**LEAST, "RINGMASTER_STORAGE__accountName": "ours"}).storage
    assert (storage.prefix, storage.blob_url) == ("RINGMASTER_STORAGE", "https://ours.blob.core.windows.net")


def test_development_storage_is_the_emulator() -> None:
    storage = read_settings({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}).storage
    assert storage.connection_string is not None
    assert "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1" in storage.connection_string


def test_without_storage_the_fault_says_what_to_give() -> None:
    (fault,) = faults()
    assert "AzureWebJobsStorage is not set" in fault
    assert "__accountName" in fault


def test_one_service_alone_is_not_enough() -> None:
    (fault,) = faults(AzureWebJobsStorage__blobServiceUri="https://b.example")
    assert "__queueServiceUri" in fault


def test_every_fault_is_reported_at_once() -> None:
    found = faults(
        AzureWebJobsStorage="nonsense",
        RINGMASTER_ARM_ENDPOINT="http://management.azure.com",
        RINGMASTER_PACE="0.5",
        RINGMASTER_QUEUE_SCAN="Scans!",
        RINGMASTER_RETIRE_SCHEDULE="daily",
        RINGMASTER_WEBHOOK_KEYS="[]",
        RINGMASTER_WEBHOOK_TOLERANCE_SECONDS="soon",
        RINGMASTER_MAX_REPORT_BYTES="209715201",
    )
    named = [fault.split()[0] for fault in found]
    assert sorted(named) == [
        "AzureWebJobsStorage",
        "RINGMASTER_ARM_ENDPOINT",
        "RINGMASTER_MAX_REPORT_BYTES",
        "RINGMASTER_PACE",
        "RINGMASTER_QUEUE_SCAN",
        "RINGMASTER_RETIRE_SCHEDULE",
        "RINGMASTER_WEBHOOK_KEYS",
        "RINGMASTER_WEBHOOK_TOLERANCE_SECONDS",
    ]


@pytest.mark.parametrize("pace", ["nan", "inf", "-1", "0", "", " "])
def test_a_pace_is_a_number_from_one(pace: str) -> None:
    if pace.strip():
        assert "RINGMASTER_PACE" in faults(**LEAST, RINGMASTER_PACE=pace)[0]
    else:
        assert read_settings({**LEAST, "RINGMASTER_PACE": pace}).pace == 1


@pytest.mark.parametrize("name", ["ab", "-abc", "abc-", "a--b", "ABC", "a_b", "x-poison", "a" * 57, "é" * 5])
def test_a_queue_name_is_one_that_can_have_a_poison_queue(name: str) -> None:
    (fault,) = faults(**LEAST, RINGMASTER_QUEUE_SCAN=name)
    assert fault.startswith("RINGMASTER_QUEUE_SCAN")


@pytest.mark.parametrize("name", ["abc", "a" * 56, "image-scan-2"])
def test_a_name_within_the_rule_is_taken(name: str) -> None:
    assert read_settings({**LEAST, "RINGMASTER_QUEUE_SCAN": name}).queues[Kind.SCAN] == name


def test_two_stages_cannot_share_a_queue() -> None:
    (fault,) = faults(**LEAST, RINGMASTER_QUEUE_SCAN="image-promote")
    assert "RINGMASTER_QUEUE_SCAN" in fault
    assert "RINGMASTER_QUEUE_PROMOTE" in fault


@pytest.mark.parametrize(
    "address",
    ["management.azure.com", "ftp://x.example", "https://", "https://u:p@x.example", "https://x.example?a=b",
     "http://10.0.0.1", "https://x.example:port", "https://[::1"],
)  # fmt: skip
def test_an_address_is_https_and_nothing_more(address: str) -> None:
    assert faults(**LEAST, RINGMASTER_ARM_ENDPOINT=address)[0].startswith("RINGMASTER_ARM_ENDPOINT")


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080", "http://localhost:1", "https://x.example/a/b"])
def test_on_this_machine_an_address_may_be_http(address: str) -> None:
    assert read_settings({**LEAST, "RINGMASTER_ARM_ENDPOINT": address}).arm_endpoint == address


@pytest.mark.parametrize(
    "keys",
    [
        "nonsense",
        '"key"',
        '{"trivy": "0123456789abcdef"}',
        '{"trivy": []}',
        '{"trivy": [1]}',
        '{"Trivy!": ["0123456789abcdef"]}',
        '{"trivy": {}}',
        '{"trivy": {"keys": []}}',
        '{"trivy": {"keys": ["0123456789abcdef"], "formats": []}}',
        '{"trivy": {"keys": ["0123456789abcdef"], "formats": ["../x"]}}',
        '{"trivy": {"keys": ["0123456789abcdef"], "definitions": []}}',
        '{"trivy": {"keys": ["0123456789abcdef"], "definitions": ["ubuntu"]}}',
        '{"trivy": {"keys": ["0123456789abcdef"], "definition": ["gal/ubuntu"]}}',
        json.dumps({"trivy": [f"{number:016}" for number in range(5)]}),
        "[" * 100_000,
    ],
)
def test_webhook_keys_that_are_not_as_they_should_be_are_told(keys: str) -> None:
    assert faults(**LEAST, RINGMASTER_WEBHOOK_KEYS=keys)[0].startswith("RINGMASTER_WEBHOOK_KEYS")


def test_a_scanner_may_be_held_to_formats_and_definitions() -> None:
    given = {"ci": {"keys": ["0123456789abcdef"], "formats": ["grype", "sarif"], "definitions": ["Gal/Ubuntu-*"]}}
    ci = read_settings({**LEAST, "RINGMASTER_WEBHOOK_KEYS": json.dumps(given)}).scanners["ci"]
    definition = DefinitionId(GalleryId("s", "g", "gal"), "ubuntu-22.04")
    assert (ci.may_send("sarif"), ci.may_send("trivy")) == (True, False)
    assert ci.may_send_for(definition)
    assert not ci.may_send_for(DefinitionId(definition.gallery, "windows"))


def test_principals_count_only_where_the_platform_vouches_for_them() -> None:
    (fault,) = faults(**LEAST, RINGMASTER_WEBHOOK_PRINCIPALS=json.dumps({ID: {}}))
    assert "RINGMASTER_TRUST_EASYAUTH is not true" in fault


def test_headers_of_the_platform_are_not_trusted_while_its_authentication_is_off() -> None:
    (fault,) = faults(**LEAST, RINGMASTER_TRUST_EASYAUTH="true", WEBSITE_AUTH_ENABLED="False")
    assert "anyone can forge" in fault


@pytest.mark.parametrize("value", ["yes", "1", "tru"])
def test_trust_is_said_in_one_word(value: str) -> None:
    assert faults(**LEAST, RINGMASTER_TRUST_EASYAUTH=value)[0].startswith("RINGMASTER_TRUST_EASYAUTH")


@pytest.mark.parametrize("principals", ["[]", '{"somebody": {}}', f'{{"{ID}": []}}', f'{{"{ID}": {{"keys": ["k"]}}}}'])
def test_principals_that_are_not_as_they_should_be_are_told(principals: str) -> None:
    found = faults(**LEAST, RINGMASTER_TRUST_EASYAUTH="true", RINGMASTER_WEBHOOK_PRINCIPALS=principals)
    assert all(fault.startswith("RINGMASTER_WEBHOOK_PRINCIPALS") for fault in found)


@pytest.mark.parametrize(
    "host", ["*.example.com", "10.0.0.1", "169.254.169.254", "2130706433", "[::1]", "https://a.example", "a..b", "a:0"]
)
def test_hosts_of_reports_are_names_one_by_one(host: str) -> None:
    (fault,) = faults(**LEAST, RINGMASTER_REPORT_HOSTS=f"good.example, {host}")
    assert fault.startswith("RINGMASTER_REPORT_HOSTS")


def test_a_short_webhook_key_is_named_by_its_place_and_not_shown() -> None:
    (fault,) = faults(**LEAST, RINGMASTER_WEBHOOK_KEYS='{"trivy": ["0123456789abcdef", "short-secret"]}')
    assert "key 2 has 12 bytes" in fault
    assert "short-secret" not in fault


def test_secrets_are_in_no_repr() -> None:
    keys = '{"trivy": ["webhook-secret-key"]}'
    shown = repr(read_settings({**LEAST, "RINGMASTER_WEBHOOK_KEYS": keys}))
    assert "c2VjcmV0" not in shown
    assert "webhook-secret" not in shown


def test_a_broken_connection_string_is_not_shown() -> None:
    (fault,) = faults(AzureWebJobsStorage="AccountKey=c2VjcmV0LWtleQ==")
    assert "c2VjcmV0" not in fault


def test_settings_allow_no_larger_report_than_is_kept() -> None:
    settings = read_settings({**LEAST, "RINGMASTER_MAX_REPORT_BYTES": str(MAX_REPORT_BYTES)})
    assert settings.max_report_bytes == MAX_REPORT_BYTES
    assert faults(**LEAST, RINGMASTER_MAX_REPORT_BYTES=str(MAX_REPORT_BYTES + 1))


def test_the_page_names_every_setting() -> None:
    assert all(f"| `{setting.name}` |" in page() for setting in SETTINGS)


class TestReaders:
    READER = "0A0B0C0D-0000-4000-8000-00000000000A"

    def test_nobody_reads_pages_in_a_browser_by_default(self) -> None:
        assert read_settings(LEAST).readers == frozenset()

    def test_they_are_named_by_id_in_any_casing(self) -> None:
        given = {"RINGMASTER_PAGE_READERS": f" {self.READER} ,", "RINGMASTER_TRUST_EASYAUTH": "true"}
        assert read_settings({**LEAST, **given}).readers == {self.READER.lower()}

    def test_nobody_is_believed_to_be_one_unless_easyauth_is_trusted(self) -> None:
        with pytest.raises(SettingsFaults, match="RINGMASTER_PAGE_READERS names principals, but RINGMASTER_TRUST"):
            read_settings({**LEAST, "RINGMASTER_PAGE_READERS": self.READER})

    @pytest.mark.parametrize("text", ["*", "everybody", "someone@example.com", READER[:-1]])
    def test_what_is_no_id_is_a_fault(self, text: str) -> None:
        given = {"RINGMASTER_PAGE_READERS": text, "RINGMASTER_TRUST_EASYAUTH": "true"}
        with pytest.raises(SettingsFaults, match="not the id of a user, group, application or tenant"):
            read_settings({**LEAST, **given})
