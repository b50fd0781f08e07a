// A stamp's network: one subnet, for the private endpoints of its tenants.
param name string
param location string
param tags object
param addressPrefix string
param hubNetworkId string

// The security group of the subnet allows only TLS, over which tenants' services are called.
resource rules 'Microsoft.Network/networkSecurityGroups@2024-03-01' = {
  name: '${name}-tenants'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'tls'
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '443'
        }
      }
      {
        name: 'nothing-else'
        properties: {
          priority: 4096
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

resource network 'Microsoft.Network/virtualNetworks@2024-03-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        addressPrefix
      ]
    }
    subnets: [
      {
        name: 'tenants'
        properties: {
          addressPrefix: addressPrefix
          networkSecurityGroup: {
            id: rules.id
          }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

resource peering 'Microsoft.Network/virtualNetworks/virtualNetworkPeerings@2024-03-01' = {
  parent: network
  name: 'hub'
  properties: {
    remoteVirtualNetwork: {
      id: hubNetworkId
    }
    allowVirtualNetworkAccess: true
  }
}

output id string = network.id
output subnetId string = '${network.id}/subnets/tenants'
