// Two topics for CloudEvents: finished scans (incoming), and releases with scan requests (outgoing). Neither accepts
// keys.

param location string
param tags object
param name string
param principalId string
param scanSenders string[]
param storageName string
param deadLetterContainer string

// EventGrid Data Sender, Storage Blob Data Contributor
var senderRole = 'd5a91429-5739-47e2-a06b-3470a27159e7'
var blobRole = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource scans 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: '${name}-scans'
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
  }
}

resource releases 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: '${name}-releases'
  location: location
  tags: tags
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
  }
}

resource appMayAnnounce 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(releases.id, principalId, senderRole)
  scope: releases
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', senderRole)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource scannersMaySend 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for sender in scanSenders: {
    name: guid(scans.id, sender, senderRole)
    scope: scans
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', senderRole)
      principalId: sender
      principalType: 'ServicePrincipal'
    }
  }
]

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource undelivered 'containers' existing = {
      name: deadLetterContainer
    }
  }
}

resource topicMayKeepUndelivered 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account::blobs::undelivered.id, scans.id, blobRole)
  scope: account::blobs::undelivered
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobRole)
    principalId: scans.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

output scanTopicName string = scans.name
output scanTopicEndpoint string = scans.properties.endpoint
output releaseTopicEndpoint string = releases.properties.endpoint
output releaseTopicId string = releases.id
