"""The settings that ``infra/`` gives the app, and the authentication that some of them rely on."""

from __future__ import annotations

import json
import re

import pytest

from shared.settings import SETTINGS, SettingsFaults, read_settings
from tests.infra.bicep_nodes import Array, Call, Name, Node, Object, Operation, Text, walk
from tests.infra.look import FILES, MAIN, at, config, is_false, names, placed, text

HOST_SETTINGS = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY",
}
PRINCIPAL = "00000000-0000-4000-8000-0000000000c1"
STORAGE_SUFFIXES = {"accountName", "credential", "clientId"}


def _settings() -> dict[str, Node]:
    file = FILES["app/function.bicep"]
    found: dict[str, Node] = {}
    for variable in ("settings", "webhookSettings"):
        for node in walk(file.variables[variable]):
            if isinstance(node, Object):
                found.update(node.items)
    return found


def test_every_app_setting_is_one_that_the_app_or_its_host_reads():
    known = {setting.name for setting in SETTINGS}
    for name in _settings():
        base, _, suffix = name.partition("__")
        assert name in HOST_SETTINGS or (base in known and (not suffix or suffix in STORAGE_SUFFIXES)), name


def test_the_app_would_start_on_these_settings():
    values = {name: re.sub(r"\$\{…\}", "x", str(node)) for name, node in _settings().items() if isinstance(node, Text)}
    values["AzureWebJobsStorage__accountName"] = "ringmaster0storage"
    values["RINGMASTER_EVENTGRID_TOPIC_ENDPOINT"] = "https://releases.westeurope-1.eventgrid.azure.net/api/events"
    values["RINGMASTER_WEBHOOK_PRINCIPALS"] = "{}"  # string() of no principals
    values["RINGMASTER_TRUST_EASYAUTH"] = "false"
    values["RINGMASTER_WEBHOOK_KEYS"] = '{"trivy": ["0123456789abcdef"]}'  # what the vault's reference becomes
    settings = read_settings(values)
    assert settings.storage.connection_string is None
    assert settings.own_writers


def test_principals_without_a_registration_that_vouches_for_them_keep_the_app_from_starting():
    given = {
        "AzureWebJobsStorage__accountName": "ringmaster0storage",
        "RINGMASTER_WEBHOOK_PRINCIPALS": json.dumps({PRINCIPAL: {"name": "ci", "formats": ["trivy"]}}),
        "RINGMASTER_REPORT_HOSTS": "reports.example.com,store.example.com:8443",
    }
    settings = read_settings({**given, "RINGMASTER_TRUST_EASYAUTH": "true", "WEBSITE_AUTH_ENABLED": "True"})
    assert (len(settings.principals), len(settings.report_hosts)) == (1, 2)
    with pytest.raises(SettingsFaults, match="their identity cannot be verified"):
        read_settings({**given, "RINGMASTER_TRUST_EASYAUTH": "false", "WEBSITE_AUTH_ENABLED": "False"})


def test_the_app_believes_principals_exactly_where_authentication_is_on():
    settings = _settings()
    trust = settings["RINGMASTER_TRUST_EASYAUTH"]
    assert isinstance(trust, Operation)
    condition, yes, no = trust.operands
    assert (str(yes), str(no)) == ("true", "false")
    enabled = at(config("authsettingsV2"), "properties", "platform", "enabled")
    assert names(condition) == names(enabled) == {"trustsEntra"}
    assert names(settings["RINGMASTER_WEBHOOK_PRINCIPALS"]) == {"webhookPrincipals"}
    assert names(settings["RINGMASTER_PAGE_READERS"]) == {"pageReaders"}


def _holds(node: Node, given: set[str]) -> bool:
    """Whether a condition made of ``empty`` holds when these parameters are given and no others."""
    if isinstance(node, Operation):
        found = [_holds(each, given) for each in node.operands]
        return {"!": not found[0], "&&": all(found), "||": any(found)}[node.operator]
    assert isinstance(node, Call)
    assert node.function == "empty"
    return names(node).isdisjoint(given)


@pytest.mark.parametrize("principals", [(), ("webhookPrincipals",)])
@pytest.mark.parametrize("readers", [(), ("pageReaders",)])
@pytest.mark.parametrize("registration", [(), ("entraClientId",)])
def test_authentication_is_on_with_a_registration_whoever_is_named(
    principals: tuple[str, ...], readers: tuple[str, ...], registration: tuple[str, ...]
):
    condition = FILES["app/function.bicep"].variables["trustsEntra"]
    on = _holds(condition, {*principals, *readers, *registration})
    assert on == bool(registration)


def test_readers_without_a_registration_that_vouches_for_them_keep_the_app_from_starting():
    given = {
        "AzureWebJobsStorage__accountName": "ringmaster0storage",
        "RINGMASTER_PAGE_READERS": f"{PRINCIPAL},{PRINCIPAL.replace('c1', 'c2')}",  # join() of two
    }
    on = {"RINGMASTER_TRUST_EASYAUTH": "true", "WEBSITE_AUTH_ENABLED": "True"}
    assert len(read_settings({**given, **on}).readers) == 2
    with pytest.raises(SettingsFaults, match=r"RINGMASTER_PAGE_READERS.*their identity cannot be verified"):
        read_settings({**given, "RINGMASTER_TRUST_EASYAUTH": "false", "WEBSITE_AUTH_ENABLED": "False"})


def test_without_readers_pages_want_the_function_key():
    joined = _settings()["RINGMASTER_PAGE_READERS"]
    assert isinstance(joined, Call)
    assert (joined.function, str(joined.arguments[1])) == ("join", ",")
    given = {"AzureWebJobsStorage__accountName": "ringmaster0storage", "RINGMASTER_PAGE_READERS": ""}
    assert read_settings(given).readers == frozenset()


def test_where_the_pages_are_is_told_after_a_deployment():
    assert str(MAIN.outputs["pagesUrl"]).endswith("/api/pages/releases")


def test_authentication_lets_through_whom_the_app_checks_itself():
    validation = at(config("authsettingsV2"), "properties", "globalValidation")
    assert is_false(at(validation, "requireAuthentication"))
    assert text(at(validation, "unauthenticatedClientAction")) == "AllowAnonymous"


def test_without_principals_there_is_no_identity_provider():
    providers = at(config("authsettingsV2"), "properties", "identityProviders")
    assert isinstance(providers, Operation)
    condition, entra, none = providers.operands
    assert names(condition) == {"trustsEntra"}
    assert none == Object(())
    assert names(at(entra, "azureActiveDirectory", "registration")) == {"entraClientId", "entraIssuer"}
    for name in ("webhookPrincipals", "pageReaders", "entraClientId", "reportHosts", "furtherSettings"):
        default = MAIN.params[name].default
        assert default in (Object(()), Array(())) or text(default) == "", name


def test_settings_that_say_to_trust_come_after_authentication_is_on():
    after = at(config("appsettings"), "dependsOn")
    assert isinstance(after, Array)
    symbols = {each.resource.symbol: each.resource.body for each in placed("Microsoft.Web/sites/config")}
    assert [symbols[each.id] for each in after.items if isinstance(each, Name)] == [config("authsettingsV2")]


def test_no_further_setting_goes_before_those_that_are_made_here():
    merged = config("appsettings").get("properties")
    assert isinstance(merged, Call)
    assert merged.function == "union"
    assert [names(each) for each in merged.arguments] == [{"furtherSettings"}, {"settings"}, {"webhookSettings"}]


def test_the_only_secret_is_a_reference_into_the_vault():
    keys = [str(node) for name, node in _settings().items() if re.search(r"KEY|SECRET|PASSWORD", name)]
    assert keys == ["@Microsoft.KeyVault(SecretUri=${…})"]
    assert "AzureWebJobsStorage" not in _settings()
