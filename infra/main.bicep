// Ringmaster in one resource group: app, state, identity, events, and the few rights it needs elsewhere.
//
// Nothing here hands out a key: storage and topics refuse them, every access is an identity's. Deploy it twice:
// first as it is, then, with the app's code published, with subscribeToEvents=true (Event Grid asks a function whether
// it wants events when a subscription is made, so the function must be there). README.md walks through it.

targetScope = 'resourceGroup'

@description('A compute gallery of the policy: a source, or one that a ring copies to.')
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

@description('Where the system topic of a subscription lives. Azure allows one for each subscription: where there is one already, name it and its group.')
type topicReference = {
  subscriptionId: string
  resourceGroup: string
  topicName: string
}

@description('Region of everything that has one.')
param location string = resourceGroup().location

@description('Begins the name of everything made here.')
@minLength(3)
@maxLength(12)
param name string = 'ringmaster'

param tags object = {}

@description('Every gallery that promotion.yaml names. The app may read and write image versions in these, and in no other.')
param galleries galleryReference[]

@description('Resource groups with the managed images, machines, disks or snapshots that versions are built from. The app may read them.')
param sourceGroups groupReference[] = []

@description('The test resource group of promotion.yaml. It must exist, and must not hold a gallery.')
param testGroup groupReference

@description('Regions in which to make a network for test machines. Empty: you bring your own.')
param testRegions string[] = []

@description('Subscriptions with the galleries that builders write to.')
param imageSubscriptions topicReference[]

@description('Create the event subscriptions. The functions must have been published before.')
param subscribeToEvents bool = false

@description('Keep image events that could not be delivered. Microsoft documents that a topic of a subscription, a global source, can have no identity of its own; try it in your tenant. Without it, the reconcile timer finds what was missed all the same.')
param keepUndeliveredImageEvents bool = false

@description('Object ids of the service principals that send scan events. Scanners that use the signed webhook need none.')
param scanSenders string[] = []

@description('Name of the vault\'s secret with the keys of the scan webhook. Set the secret before you name it: the app does not start on a setting that can not be read.')
param webhookKeysSecret string = ''

@description('Who may send reports with a token of Microsoft Entra, by object or application id, as in docs/settings.md (RINGMASTER_WEBHOOK_PRINCIPALS). Turns on App Service Authentication, together with entraClientId.')
param webhookPrincipals object = {}

@description('Who may read the pages in a browser: object ids of people or groups, application ids, or the id of a tenant, then everybody in it (RINGMASTER_PAGE_READERS). Turns on App Service Authentication, together with entraClientId; without any, pages want the function key in a header.')
param pageReaders string[] = []

@description('Application (client) id of the app registration for which tokens are asked and people sign in. Needed with webhookPrincipals and with pageReaders.')
param entraClientId string = ''

@description('Who issues these tokens. For a registration whose tokens are of version 1, leave /v2.0 out.')
param entraIssuer string = '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'

@description('Hosts from which reports are fetched that are sent by reference, as host or host:port. None are without any.')
param reportHosts string[] = []

@description('Further app settings of docs/settings.md, by name, such as RINGMASTER_RECONCILE_SCHEDULE. No secrets: put these into the vault and give a reference.')
param furtherSettings object = {}

@description('Days for which evidence can be neither changed nor deleted.')
@minValue(1)
@maxValue(146000)
param evidenceDays int = 2555

@description('Replication of the storage account that holds all state.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GZRS'])
param storageSku string = 'Standard_ZRS'

@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

@description('Memory of one instance. Reading a report of 200 MB takes 300 MB of it.')
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
