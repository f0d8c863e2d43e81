// The function app, on Flex Consumption.

param location string
param tags object
param name string
param identityName string
param storageName string
param packageContainer string
param insightsName string
param releaseTopicEndpoint string
@description('URL of the vault\'s secret with the webhook keys, or empty.')
param webhookKeysUri string
param webhookPrincipals object
param pageReaders string[]
param entraClientId string
param entraIssuer string
param reportHosts string[]
param furtherSettings object
param maximumInstances int
param instanceMemoryMB int

// App Service Authentication is turned on, and trusted by the app, only with a registration. People who act on releases
// need it, whether or not there are page readers. With principals or readers but without a registration it stays off;
// the app then reports the error and does not start.
var trustsEntra = !empty(entraClientId)

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: identityName
}

resource storage 'Microsoft.Storage/storageAccounts@2025-01-01' existing = {
  name: storageName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

// Each is a setting from docs/settings.md or of the Functions host.
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
  RINGMASTER_WEBHOOK_PRINCIPALS: string(webhookPrincipals)
  RINGMASTER_PAGE_READERS: join(pageReaders, ',')
  RINGMASTER_TRUST_EASYAUTH: trustsEntra ? 'true' : 'false'
  RINGMASTER_REPORT_HOSTS: join(reportHosts, ',')
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

  // Declared even if it is off, so that it is turned off when principals and readers are removed. Requests without a
  // token are allowed, because scanners with keys, users with function keys and Event Grid have none; the app
  // authenticates them. Users sign in with an ID token (without a client secret), which the registration must issue.
  resource authentication 'config' = {
    name: 'authsettingsV2'
    properties: {
      platform: {
        enabled: trustsEntra
        runtimeVersion: '~1'
      }
      globalValidation: {
        requireAuthentication: false
        unauthenticatedClientAction: 'AllowAnonymous'
      }
      identityProviders: trustsEntra
        ? {
            azureActiveDirectory: {
              enabled: true
              registration: {
                clientId: entraClientId
                openIdIssuer: entraIssuer
              }
              validation: {
                allowedAudiences: [entraClientId, 'api://${entraClientId}']
              }
            }
          }
        : {}
      login: {
        tokenStore: {
          enabled: false
        }
      }
      httpSettings: {
        requireHttps: true
      }
    }
  }

  // Later settings override earlier ones: furtherSettings cannot replace the settings of this template. Depends on
  // authentication, because the app does not start if it must trust the platform while authentication is off.
  resource appSettings 'config' = {
    name: 'appsettings'
    properties: union(furtherSettings, settings, webhookSettings)
    dependsOn: [authentication]
  }

  // Publishing with a password is disabled.
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
