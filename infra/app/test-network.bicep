// A network for test machines in one region: nobody comes in, not even from a neighbour. The names are those of the
// sample policy, vnet-{region}/subnets/default.

param location string
param tags object

@description('Test machines of one region see each other\'s addresses only; the same range serves everywhere.')
param addressPrefix string = '10.200.0.0/24'

@description('Azure\'s own way out for machines without one. Set it to false where you give the subnet a NAT gateway or a firewall.')
param defaultOutboundAccess bool = true

resource closed 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: 'nsg-${location}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'nobody-comes-in'
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: 'vnet-${location}'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [addressPrefix]
    }
    subnets: [
      {
        name: 'default'
        properties: {
          addressPrefix: addressPrefix
          defaultOutboundAccess: defaultOutboundAccess
          networkSecurityGroup: {
            id: closed.id
          }
        }
      }
    ]
  }
}
