"""``infra/`` as far as it can be held to its word without the Bicep compiler."""

from __future__ import annotations

import ast
import json
import re

import pytest

from local.stack.storage import CONTAINERS, TABLES, queue_names
from shared.adapters.azure.evidence import EVIDENCE, REPORTS
from shared.adapters.azure.ledger import TABLE
from shared.adapters.azure.queues import BODIES
from shared.adapters.azure.usage_table import TABLE as USAGE
from shared.adapters.common.bodies import LONGEST_DELAY
from shared.codec.events import SCAN_FINISHED, VERSION_WRITE, WRITE_SUCCEEDED
from shared.domain.messages import Kind
from shared.domain.usage import KINDS
from shared.policy_file import load_policy
from shared.settings import read_settings
from tests.infra.arm_types import TypeFiles
from tests.infra.bicep_nodes import Array, Call, For, Object
from tests.infra.house import (
    FUNCTIONS,
    INFRA,
    ROOT,
    all_faults,
    chains,
    modules,
    nodes,
    resources,
    unknown_names,
    unused_names,
    used_paths,
)
from tests.infra.look import FILES, MAIN, at, is_false, is_true, literals, placed, text
from tests.infra.verify import VERIFIED

COMPUTE_TYPES = ROOT.parent / "shared" / "data" / "arm" / "bicep-types"


def listed_as(kind: str) -> str:
    """A type that the app lists, as ARM spells it."""
    parent, own = KINDS[kind].parent, USAGE[kind].segment
    return f"{listed_as(parent)}/{own}" if parent else own


BUILT_IN_ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",  # Storage Blob Data Owner
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88",  # Storage Queue Data Contributor
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",  # Storage Table Data Contributor
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe",  # Storage Blob Data Contributor, for the scan topic's dead letters
    "d5a91429-5739-47e2-a06b-3470a27159e7",  # EventGrid Data Sender
    "4633458b-17de-408a-b874-0445c86b69e6",  # Key Vault Secrets User
    "3913510d-42f4-4e42-8a64-420c390055eb",  # Monitoring Metrics Publisher
}
NEEDED_ACTIONS = {
    "gallery-access.bicep": {
        "Microsoft.Compute/galleries/read",
        "Microsoft.Compute/galleries/images/read",
        "Microsoft.Compute/galleries/images/versions/read",
        "Microsoft.Compute/galleries/images/versions/write",
    },
    "source-access.bicep": {
        "Microsoft.Compute/images/read",
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Compute/disks/read",
        "Microsoft.Compute/snapshots/read",
    },
    "size-access.bicep": {"Microsoft.Compute/skus/read"},
    "subscription-access.bicep": {"Microsoft.Insights/eventtypes/values/read", "Microsoft.Compute/galleries/read"},
    "usage-access.bicep": {
        "Microsoft.Resources/subscriptions/providers/read",
        "Microsoft.ResourceGraph/resources/read",
        *(f"{listed_as(kind)}/read" for kind in USAGE),
    },
    "test-access.bicep": {
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Compute/virtualMachines/write",
        "Microsoft.Compute/virtualMachines/delete",
        "Microsoft.Compute/virtualMachines/instanceView/read",
        "Microsoft.Compute/virtualMachines/retrieveBootDiagnosticsData/action",
        "Microsoft.Compute/virtualMachines/restart/action",
        "Microsoft.Compute/virtualMachines/runCommands/read",
        "Microsoft.Compute/virtualMachines/runCommands/write",
        "Microsoft.Compute/disks/read",
        "Microsoft.Compute/disks/write",
        "Microsoft.Compute/disks/delete",
        "Microsoft.Network/networkInterfaces/read",
        "Microsoft.Network/networkInterfaces/write",
        "Microsoft.Network/networkInterfaces/delete",
        "Microsoft.Network/networkInterfaces/join/action",
        "Microsoft.Network/virtualNetworks/subnets/join/action",
    },
}


# --- the files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_every_name_is_declared_and_every_declaration_used(name: str):
    assert list(unknown_names(FILES[name])) == []
    assert unused_names(FILES[name]) == set()


@pytest.mark.parametrize("name", FILES)
def test_only_known_functions_are_called_and_none_reads_a_secret(name: str):
    called = {node.function for node in nodes(FILES[name]) if isinstance(node, Call)}
    assert called <= FUNCTIONS
    code = re.sub(r"//[^\n]*", "", (INFRA / name).read_text())
    assert not re.search(r"listKeys|listSecrets|getSecret|listAccountSas|AccountKey=|SharedAccessSignature", code)


def test_every_module_exists_and_is_given_exactly_what_it_asks_for():
    used = set()
    for file in FILES.values():
        for path, given in modules(file):
            params = FILES[path].params
            required = {name for name, param in params.items() if param.default is None}
            assert required <= set(given) <= set(params), path
            used.add(path)
    assert used == set(FILES) - {"main.bicep"}


def test_every_output_that_is_read_is_given():
    for file in FILES.values():
        paths = {module.symbol: path for module, (path, _) in zip(file.modules.values(), modules(file), strict=True)}
        for symbol, names in chains(file):
            if symbol in paths and names[0] == "outputs":
                assert names[1] in FILES[paths[symbol]].outputs, f"{paths[symbol]} has no output {names[1]}"


def test_the_example_gives_every_parameter_that_has_no_default_and_no_other():
    given = set(_example())
    assert {name for name, param in MAIN.params.items() if param.default is None} <= given <= set(MAIN.params)


def _example() -> dict[str, object]:
    document = json.loads((INFRA / "main.parameters.example.json").read_text())
    return {name: entry["value"] for name, entry in document["parameters"].items()}


def test_the_example_fits_the_sample_policy():
    policy = load_policy((ROOT / "promotion.yaml").read_text(), name="promotion.yaml")
    example = _example()
    galleries = {
        f"/subscriptions/{each['subscriptionId']}/resourcegroups/{each['resourceGroup']}"
        f"/providers/microsoft.compute/galleries/{each['name']}".lower()
        for each in example["galleries"]  # type: ignore[attr-defined]
    }
    assert galleries == policy.galleries_written
    assert example["testGroup"] == {
        "subscriptionId": policy.test.subscription,
        "resourceGroup": policy.test.resource_group,
    }
    regions = {name for each in policy.definitions.values() for ring in each.rings for name in ring.region_names}
    assert regions == set(example["testRegions"])  # type: ignore[call-overload]
    sources = {each.gallery.subscription for each in policy.definitions}
    assert sources == {each["subscriptionId"] for each in example["imageSubscriptions"]}  # type: ignore[attr-defined]


# --- Azure's types ----------------------------------------------------------------------------------------------------


def test_nothing_is_used_that_was_not_compared_with_azures_own_types():
    verified = json.loads(VERIFIED.read_text())
    assert used_paths(FILES) == verified, "compare it: python -m tests.infra.verify TYPES"


@pytest.mark.skipif(not COMPUTE_TYPES.is_dir(), reason="the type definitions of Microsoft.Compute are not here")
def test_what_is_used_of_compute_exists_in_its_types():
    types = TypeFiles([COMPUTE_TYPES])
    assert any(types.knows(each.type) for file in FILES.values() for each in resources(file))
    assert all_faults(FILES, types) == []


# --- what the app relies on -------------------------------------------------------------------------------------------


def test_storage_has_the_queues_containers_and_table_that_the_app_uses():
    defaults = read_settings({"AzureWebJobsStorage__accountName": "account"})
    queues = {defaults.queues[kind] for kind in Kind}
    storage = FILES["app/storage.bicep"]
    assert set(literals(storage.variables["queueNames"])) == queues
    assert queue_names({"AzureWebJobsStorage__accountName": "account"}) == queues | {
        f"{name}-poison" for name in queues
    }
    names = {
        str(each.resource.body.get("name")) for each in placed("Microsoft.Storage/storageAccounts/queueServices/queues")
    }
    assert any(name.endswith("-poison") for name in names)
    containers = placed("Microsoft.Storage/storageAccounts/blobServices/containers")
    names = {
        name
        for each in containers
        for name in (
            literals(each.resource.value.source)
            if isinstance(each.resource.value, For)
            else literals(each.resource.body.get("name"))
        )
    }
    assert CONTAINERS == {EVIDENCE, REPORTS, BODIES} <= names
    (table,) = placed("Microsoft.Storage/storageAccounts/tableServices/tables")
    assert {text(table.resource.body.get("name"))} == TABLES == {TABLE}


def test_bodies_of_messages_are_forgotten_and_nothing_else_is():
    (policy,) = placed("Microsoft.Storage/storageAccounts/managementPolicies")
    rules = at(policy.resource.body, "properties", "policy", "rules")
    assert isinstance(rules, Array)
    (rule,) = rules.items
    assert literals(at(rule, "definition", "filters", "prefixMatch")) == [f"{BODIES}/"]
    delete = at(rule, "definition", "actions", "baseBlob", "delete")
    assert getattr(at(delete, "daysAfterModificationGreaterThan"), "value", None) == 30
    assert LONGEST_DELAY.days * 2 < 30, "a message that is hidden may come twice"


def test_evidence_is_immutable():
    (policy,) = placed("Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies")
    parent = policy.resource.body.get("parent")
    container = FILES["app/storage.bicep"].resources[getattr(parent, "id", "")]
    assert text(container.body.get("name")) == EVIDENCE
    assert is_false(at(policy.resource.body, "properties", "allowProtectedAppendWrites"))


def test_the_app_runs_on_flex_consumption_with_the_python_that_it_is_tested_with():
    (plan,) = placed("Microsoft.Web/serverfarms")
    assert text(at(plan.resource.body, "sku", "name")) == "FC1"
    (app,) = placed("Microsoft.Web/sites")
    runtime = at(app.resource.body, "properties", "functionAppConfig", "runtime")
    assert text(at(runtime, "name")) == "python"
    assert text(at(runtime, "version")) == (ROOT / ".python-version").read_text().strip()


# --- events -----------------------------------------------------------------------------------------------------------


def _functions() -> set[str]:
    tree = ast.parse((ROOT / "shared" / "triggers" / "event_grid.py").read_text())
    return {
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "function_name"
        if isinstance(node.args[0], ast.Constant)
    }


def test_image_events_are_filtered_to_written_gallery_versions():
    (subscription,) = placed("Microsoft.EventGrid/systemTopics/eventSubscriptions")
    filter_ = at(subscription.resource.body, "properties", "filter")
    assert [each.lower() for each in literals(at(filter_, "includedEventTypes"))] == [WRITE_SUCCEEDED]
    advanced = at(filter_, "advancedFilters")
    assert isinstance(advanced, Array)
    (only,) = advanced.items
    assert (text(at(only, "operatorType")), text(at(only, "key"))) == ("StringIn", "data.operationName")
    assert [each.lower() for each in literals(at(only, "values"))] == [VERSION_WRITE]


def test_scan_events_are_filtered_by_the_type_that_the_app_reads():
    (subscription,) = placed("Microsoft.EventGrid/topics/eventSubscriptions")
    types = literals(at(subscription.resource.body, "properties", "filter", "includedEventTypes"))
    assert [each.lower() for each in types] == [SCAN_FINISHED]


@pytest.mark.parametrize(
    "kind", ["Microsoft.EventGrid/systemTopics/eventSubscriptions", "Microsoft.EventGrid/topics/eventSubscriptions"]
)
def test_events_go_to_a_function_that_exists_one_at_a_time_and_undelivered_ones_can_be_kept(kind: str):
    (subscription,) = placed(kind)
    destination = at(subscription.resource.body, "properties", "destination")
    assert text(at(destination, "endpointType")) == "AzureFunction"
    assert getattr(at(destination, "properties", "maxEventsPerBatch"), "value", None) == 1
    assert "StorageBlob" in literals(at(subscription.resource.body, "properties", "deadLetterWithResourceIdentity"))
    path = f"app/{subscription.file.path.name}"
    (given,) = [values for module, values in modules(MAIN) if module == path]
    function = text(given["functionId"]).rpartition("/")[2]
    assert function in _functions()


def test_events_are_subscribed_to_only_when_asked_for_since_the_functions_must_be_there():
    for name in ("scanEvents", "imageEvents"):
        value = MAIN.modules[name].value
        condition = value.body if isinstance(value, For) else value
        assert getattr(getattr(condition, "condition", None), "id", None) == "subscribeToEvents"
    assert is_false(MAIN.params["subscribeToEvents"].default)


# --- who may do what --------------------------------------------------------------------------------------------------


def test_no_service_accepts_keys_or_anonymous_requests():
    (account,) = placed("Microsoft.Storage/storageAccounts")
    properties = at(account.resource.body, "properties")
    assert is_false(at(properties, "allowSharedKeyAccess"))
    assert is_false(at(properties, "allowBlobPublicAccess"))
    assert text(at(properties, "minimumTlsVersion")) == "TLS1_2"
    topics = placed("Microsoft.EventGrid/topics")
    assert len(topics) == 2
    assert all(is_true(at(topic.resource.body, "properties", "disableLocalAuth")) for topic in topics)
    (insights,) = placed("Microsoft.Insights/components")
    assert is_true(at(insights.resource.body, "properties", "DisableLocalAuth"))
    (vault,) = placed("Microsoft.KeyVault/vaults")
    assert is_true(at(vault.resource.body, "properties", "enableRbacAuthorization"))
    (app,) = placed("Microsoft.Web/sites")
    assert is_true(at(app.resource.body, "properties", "httpsOnly"))


@pytest.mark.parametrize("name", NEEDED_ACTIONS)
def test_a_custom_role_has_exactly_the_actions_that_the_app_needs(name: str):
    file = FILES[f"app/{name}"]
    (role,) = [each for each in resources(file) if each.type.startswith("Microsoft.Authorization/roleDefinitions@")]
    permissions = at(role.resource.body, "properties", "permissions")
    assert isinstance(permissions, Array)
    (only,) = permissions.items
    assert isinstance(only, Object)
    assert [key for key, _ in only.items] == ["actions"]
    assert set(literals(only.get("actions"))) == NEEDED_ACTIONS[name]


def test_every_custom_role_was_looked_at():
    found = {each.file.path.name for each in placed("Microsoft.Authorization/roleDefinitions")}
    assert found == set(NEEDED_ACTIONS)


def test_only_built_in_roles_for_data_are_assigned():
    uuid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    found = {
        literal
        for file in FILES.values()
        for node in nodes(file)
        for literal in literals(node)
        if uuid.fullmatch(literal)
    }
    assert found == BUILT_IN_ROLES


def test_no_right_reaches_further_than_a_resource_or_the_group_it_is_meant_for():
    # Sizes, users and records of the activity log are listed for a subscription alone: those roles only read.
    whole = {"app/size-access.bicep", "app/subscription-access.bicep", "app/usage-access.bicep"}
    whole_group = {"source-access.bicep", "test-access.bicep", *(name.removeprefix("app/") for name in whole)}
    for each in placed("Microsoft.Authorization/roleAssignments"):
        scoped = each.resource.body.get("scope") is not None
        assert scoped or each.file.path.name in whole_group, f"{each.file.path.name}:{each.resource.line}"
    assert {name for name, file in FILES.items() if file.scope != "resourceGroup"} == whole


def test_nobody_comes_in_to_test_machines():
    (group,) = placed("Microsoft.Network/networkSecurityGroups")
    rules = at(group.resource.body, "properties", "securityRules")
    assert isinstance(rules, Array)
    (rule,) = rules.items
    properties = at(rule, "properties")
    wanted = {"direction": "Inbound", "access": "Deny", "sourceAddressPrefix": "*", "protocol": "*"}
    assert {key: text(at(properties, key)) for key in wanted} == wanted


def test_no_id_of_a_real_subscription_stands_in_infra():
    for path in INFRA.rglob("*.*"):
        ids = re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", path.read_text())
        assert all(each in BUILT_IN_ROLES or each.startswith("00000000-0000-4000-8000-") for each in ids), path
