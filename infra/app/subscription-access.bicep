// The app's read permissions in a subscription with galleries: who wrote an image version (the Activity Log), and how
// many galleries there are (a limit of the subscription). Azure gives both for a whole subscription.

targetScope = 'subscription'

param roleName string
param principalId string

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, roleName, 'subscription')
  properties: {
    roleName: '${roleName} subscription (${uniqueString(subscription().id)})'
    description: 'Reads the Activity Log, and lists galleries.'
    type: 'CustomRole'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: [
          'Microsoft.Insights/eventtypes/values/read'
          'Microsoft.Compute/galleries/read'
        ]
      }
    ]
  }
}

resource mayRead 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, principalId, role.id)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.name)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
