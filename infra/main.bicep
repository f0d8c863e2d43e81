// Ringmaster in one resource group: app, state, identity, events, and role assignments in other resource groups.
//
// There are no keys: storage and topics reject them, and all access uses identities. Deploy it twice: first with the
// defaults, and, after you publish the app's code, with subscribeToEvents=true. Event Grid validates a function when an
// event subscription is created, so the function must exist. See README.md for all steps.

targetScope = 'resourceGroup'

@description('A compute gallery in the policy: a source, or the target of a ring\'s copies.')
type galleryReference = {
  subscriptionId: string
  resourceGroup: string
  name: string
}

@description('A resource group, in any subscription of this tenant.')
type groupReference = {
  subscriptionId: string
  resourceGroup: string
}

@description('The system topic of a subscription. Azure allows one for each subscription: if there is one already, specify its name and resource group.')
type topicReference = {
  subscriptionId: string
  resourceGroup: string
  topicName: string
}

@description('Region of all regional resources.')
param location string = resourceGroup().location

@description('Prefix of the names of all resources.')
@minLength(3)
@maxLength(12)
param name string = 'ringmaster'

param tags object = {}

@description('All galleries that promotion.yaml names. The app can read and write image versions only in these.')
param galleries galleryReference[]

@description('Resource groups with the managed images, virtual machines, disks or snapshots from which versions are built. The app can read them.')
param sourceGroups groupReference[] = []

@description('Subscriptions whose resources may use the images: the same as inUse.subscriptions in the policy.')
param usageSubscriptions string[] = []

@description('The test resource group in promotion.yaml. It must exist, and must not contain a gallery.')
param testGroup groupReference

@description('Regions in which to create a network for test machines. If it is empty, use your own networks.')
param testRegions string[] = []

@description('Subscriptions of the galleries to which image builders write.')
param imageSubscriptions topicReference[]

@description('Whether to create the event subscriptions. Publish the functions first.')
param subscribeToEvents bool = false

@description('Whether to store image events that cannot be delivered. Microsoft documents that the system topic of a subscription, which is a global source, cannot have an identity; test it in your tenant. The reconcile timer finds missed versions in any case.')
param keepUndeliveredImageEvents bool = false

@description('Object ids of the service principals that send scan events. Not needed for scanners that use the signed webhook.')
param scanSenders string[] = []

@description('Name of the vault\'s secret with the keys of the scan webhook. Create the secret first: the app does not start if it cannot read the setting.')
param webhookKeysSecret string = ''

@description('Principals that may send reports with a Microsoft Entra token, by object id or application id; see RINGMASTER_WEBHOOK_PRINCIPALS in docs/settings.md. Requires entraClientId.')
param webhookPrincipals object = {}

@description('Who may read the pages in a browser: object ids of users or groups, application ids, or a tenant id for everyone in the tenant (RINGMASTER_PAGE_READERS). Requires entraClientId. If it is empty, the pages require the function key in a header.')
param pageReaders string[] = []

@description('Application (client) id of the app registration for tokens and sign-in. It turns on App Service Authentication. Required with webhookPrincipals and pageReaders, and for everybody who acts on releases (`access` in the policy).')
param entraClientId string = ''

@description('Issuer of the tokens. For a registration with tokens of version 1, omit /v2.0.')
param entraIssuer string = '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'

@description('Hosts from which the app may download reports that are sent by reference, as host or host:port. If it is empty, the app downloads no reports.')
param reportHosts string[] = []

@description('Additional app settings from docs/settings.md, by name, such as RINGMASTER_RECONCILE_SCHEDULE. Do not include secrets: store them in the vault, and use a reference.')
param furtherSettings object = {}

@description('Number of days for which evidence cannot be changed or deleted.')
@minValue(1)
@maxValue(146000)
param evidenceDays int = 2555

@description('Replication of the storage account.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GZRS'])
param storageSku string = 'Standard_ZRS'

@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

@description('Memory of an instance, in MB. Reading a report of 200 MB needs 300 MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

var suffix = uniqueString(resourceGroup().id, name)

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-${suffix}'
  location: location
  tags: tags
}

module monitoring 'app/monitoring.bicep' = {
  name: '${name}-monitoring'
  params: {
    location: location
    tags: tags
    name: '${name}-${suffix}'
    principalId: identity.properties.principalId
  }
}

module storage 'app/storage.bicep' = {
  name: '${name}-storage'
  params: {
    location: location
    tags: tags
    name: take(toLower('${replace(name, '-', '')}${suffix}'), 24)
    sku: storageSku
    principalId: identity.properties.principalId
    evidenceDays: evidenceDays
  }
}

module vault 'app/vault.bicep' = {
  name: '${name}-vault'
  params: {
    location: location
    tags: tags
    name: take('${name}-${suffix}', 24)
    principalId: identity.properties.principalId
  }
}

module topics 'app/topics.bicep' = {
  name: '${name}-topics'
  params: {
    location: location
    tags: tags
    name: '${name}-${suffix}'
    principalId: identity.properties.principalId
    scanSenders: scanSenders
    storageName: storage.outputs.name
    deadLetterContainer: storage.outputs.deadLetterContainer
  }
}

module app 'app/function.bicep' = {
  name: '${name}-function'
  params: {
    location: location
    tags: tags
    name: '${name}-${suffix}'
    identityName: identity.name
    storageName: storage.outputs.name
    packageContainer: storage.outputs.packageContainer
    insightsName: monitoring.outputs.insightsName
    releaseTopicEndpoint: topics.outputs.releaseTopicEndpoint
    webhookKeysUri: empty(webhookKeysSecret) ? '' : '${vault.outputs.uri}secrets/${webhookKeysSecret}'
    webhookPrincipals: webhookPrincipals
    pageReaders: pageReaders
    entraClientId: entraClientId
    entraIssuer: entraIssuer
    reportHosts: reportHosts
    furtherSettings: furtherSettings
    maximumInstances: maximumInstances
    instanceMemoryMB: instanceMemoryMB
  }
}

module scanEvents 'app/scan-events.bicep' = if (subscribeToEvents) {
  name: '${name}-scan-events'
  params: {
    topicName: topics.outputs.scanTopicName
    functionId: '${app.outputs.id}/functions/on_scan_completed'
    storageId: storage.outputs.id
    deadLetterContainer: storage.outputs.deadLetterContainer
  }
}

module imageEvents 'app/image-events.bicep' = [
  for topic in imageSubscriptions: if (subscribeToEvents) {
    name: '${name}-image-events-${uniqueString(topic.subscriptionId)}'
    scope: resourceGroup(topic.subscriptionId, topic.resourceGroup)
    params: {
      tags: tags
      topicName: topic.topicName
      subscriptionName: '${name}-${suffix}'
      functionId: '${app.outputs.id}/functions/on_image_version_written'
      deadLetter: keepUndeliveredImageEvents
      identityId: identity.id
      storageId: storage.outputs.id
      deadLetterContainer: storage.outputs.deadLetterContainer
    }
  }
]

module galleryAccess 'app/gallery-access.bicep' = [
  for gallery in galleries: {
    name: '${name}-gallery-${uniqueString(gallery.subscriptionId, gallery.resourceGroup, gallery.name)}'
    scope: resourceGroup(gallery.subscriptionId, gallery.resourceGroup)
    params: {
      roleName: '${name}-${suffix}'
      galleryName: gallery.name
      principalId: identity.properties.principalId
    }
  }
]

module sourceAccess 'app/source-access.bicep' = [
  for group in sourceGroups: {
    name: '${name}-source-${uniqueString(group.subscriptionId, group.resourceGroup)}'
    scope: resourceGroup(group.subscriptionId, group.resourceGroup)
    params: {
      roleName: '${name}-${suffix}'
      principalId: identity.properties.principalId
    }
  }
]

module testAccess 'app/test-access.bicep' = {
  name: '${name}-test-access'
  scope: resourceGroup(testGroup.subscriptionId, testGroup.resourceGroup)
  params: {
    roleName: '${name}-${suffix}'
    principalId: identity.properties.principalId
  }
}

module sizeAccess 'app/size-access.bicep' = {
  name: '${name}-size-access'
  scope: subscription(testGroup.subscriptionId)
  params: {
    roleName: '${name}-${suffix}'
    principalId: identity.properties.principalId
  }
}

module subscriptionAccess 'app/subscription-access.bicep' = [
  for topic in imageSubscriptions: {
    name: '${name}-subscription-${uniqueString(topic.subscriptionId)}'
    scope: subscription(topic.subscriptionId)
    params: {
      roleName: '${name}-${suffix}'
      principalId: identity.properties.principalId
    }
  }
]

module usageAccess 'app/usage-access.bicep' = [
  for subscriptionId in usageSubscriptions: {
    name: '${name}-usage-${uniqueString(subscriptionId)}'
    scope: subscription(subscriptionId)
    params: {
      roleName: '${name}-${suffix}'
      principalId: identity.properties.principalId
    }
  }
]

module testNetworks 'app/test-network.bicep' = [
  for region in testRegions: {
    name: '${name}-test-network-${region}'
    scope: resourceGroup(testGroup.subscriptionId, testGroup.resourceGroup)
    params: {
      location: region
      tags: tags
    }
  }
]

output appName string = app.outputs.name
output appUrl string = app.outputs.url
output pagesUrl string = '${app.outputs.url}/api/pages/releases'
output storageName string = storage.outputs.name
output vaultName string = vault.outputs.name
output scanTopicEndpoint string = topics.outputs.scanTopicEndpoint
output releaseTopicEndpoint string = topics.outputs.releaseTopicEndpoint
output releaseTopicId string = topics.outputs.releaseTopicId
output identityClientId string = identity.properties.clientId
