// The function app, on Flex Consumption.

param location string
param tags object
param name string
param identityName string
param storageName string
param packageContainer string
param insightsName string
param releaseTopicEndpoint string
@description('Address of the vault\'s secret with the webhook keys, or nothing.')
param webhookKeysUri string
param maximumInstances int

@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: identityName
}

resource storage 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

// Each is a setting of docs/settings.md, or one of the Functions host.
var settings = {
  AzureWebJobsStorage__accountName: storage.name
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.properties.clientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
  PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
  RINGMASTER_CLIENT_ID: identity.properties.clientId
  RINGMASTER_OWN_WRITERS: '${identity.properties.clientId},${identity.properties.principalId}'
  RINGMASTER_EVENTGRID_TOPIC_ENDPOINT: releaseTopicEndpoint
}
var webhookSettings = empty(webhookKeysUri)
  ? {}
  : {
      RINGMASTER_WEBHOOK_KEYS: '@Microsoft.KeyVault(SecretUri=${webhookKeysUri})'
    }

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    siteConfig: {
      minTlsVersion: '1.2'
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${packageContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        maximumInstanceCount: maximumInstances
        instanceMemoryMB: instanceMemoryMB
      }
    }
  }

  resource appSettings 'config' = {
    name: 'appsettings'
    properties: union(settings, webhookSettings)
  }

  // Nobody publishes with a password.
  resource noPublishingPassword 'basicPublishingCredentialsPolicies' = [
    for door in ['scm', 'ftp']: {
      name: door
      properties: {
        allow: false
      }
    }
  ]
}

output id string = app.id
output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
