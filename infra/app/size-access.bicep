// The app's permission to list VM sizes, and nothing else: validation compares them with the image
// definitions. Azure lists sizes for a whole subscription. Deployed to the subscription of the test resource group.

targetScope = 'subscription'

param roleName string
param principalId string

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, roleName, 'sizes')
  properties: {
    roleName: '${roleName} sizes (${uniqueString(subscription().id)})'
    description: 'Lists the sizes of machines.'
    type: 'CustomRole'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: [
          'Microsoft.Compute/skus/read'
        ]
      }
    ]
  }
}

resource mayList 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, principalId, role.id)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.name)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
