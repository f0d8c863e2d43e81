// The app's permission to see who uses image versions: it lists the resources that can refer to one, and nothing else.
// Azure lists them for a whole subscription. Deployed to every subscription that may use the images.

targetScope = 'subscription'

param roleName string
param principalId string

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, roleName, 'usage')
  properties: {
    roleName: '${roleName} usage (${uniqueString(subscription().id)})'
    description: 'Lists the resources that can use image versions.'
    type: 'CustomRole'
    assignableScopes: [subscription().id]
    permissions: [
      {
        actions: [
          'Microsoft.Resources/subscriptions/providers/read'
          'Microsoft.ResourceGraph/resources/read'
          'Microsoft.Compute/virtualMachines/read'
          'Microsoft.Compute/virtualMachineScaleSets/read'
          'Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read'
          'Microsoft.Compute/disks/read'
          'Microsoft.Compute/snapshots/read'
          'Microsoft.Compute/images/read'
          'Microsoft.Compute/galleries/read'
          'Microsoft.Compute/galleries/images/read'
          'Microsoft.Compute/galleries/images/versions/read'
          'Microsoft.Compute/restorePointCollections/read'
          'Microsoft.VirtualMachineImages/imageTemplates/read'
          'Microsoft.AzureFleet/fleets/read'
          'Microsoft.Batch/batchAccounts/read'
          'Microsoft.Batch/batchAccounts/pools/read'
          'Microsoft.DevOpsInfrastructure/pools/read'
          'Microsoft.DesktopVirtualization/hostPools/read'
          'Microsoft.DesktopVirtualization/hostPools/sessionHostConfigurations/read'
          'Microsoft.DesktopVirtualization/hostPools/activeSessionHostConfigurations/read'
          'Microsoft.DevCenter/devcenters/read'
          'Microsoft.DevCenter/devcenters/devboxdefinitions/read'
          'Microsoft.DevCenter/projects/read'
          'Microsoft.DevCenter/projects/pools/read'
          'Microsoft.DevCenter/projects/catalogs/read'
          'Microsoft.DevCenter/projects/catalogs/imageDefinitions/read'
          'Microsoft.MachineLearningServices/workspaces/read'
          'Microsoft.MachineLearningServices/workspaces/computes/read'
          'Microsoft.ServiceFabric/managedClusters/read'
          'Microsoft.ServiceFabric/managedClusters/nodeTypes/read'
          'Microsoft.LabServices/labs/read'
          'Microsoft.DevTestLab/labs/read'
          'Microsoft.DevTestLab/labs/customimages/read'
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
