// A network for test machines in one region. All inbound traffic is denied, also from the same network. The names match
// the sample policy: vnet-{region}/subnets/default.

param location string
param tags object

@description('Address range of the network. The networks are not connected, so all regions can use the same range.')
param addressPrefix string = '10.200.0.0/24'

@description('Whether machines use Azure\'s default outbound access. Set it to false if the subnet has a NAT gateway or firewall.')
param defaultOutboundAccess bool = true

resource closed 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: 'nsg-${location}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'deny-all-inbound'
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
