// The function app's network: a subnet that it calls from, and one for the private endpoints of what it calls.
param name string
param location string
param tags object
param addressPrefix string
param functionsPrefix string
param endpointsPrefix string

@description('Whether outbound calls have a fixed address. Azure Resource Manager, Graph and Entra are called over the internet.')
param fixedEgress bool

resource egressIp 'Microsoft.Network/publicIPAddresses@2024-03-01' = if (fixedEgress) {
  name: '${name}-egress'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource egress 'Microsoft.Network/natGateways@2024-03-01' = if (fixedEgress) {
  name: '${name}-egress'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIpAddresses: [
      {
        id: egressIp.id
      }
    ]
  }
}

// Functions are not called through this subnet, but what the plan itself needs in it is not documented. So the group has
// only Azure's default rules; add your own here.
resource functionsRules 'Microsoft.Network/networkSecurityGroups@2024-03-01' = {
  name: '${name}-functions'
  location: location
  tags: tags
  properties: {
    securityRules: []
  }
}

// Private endpoints are called over TLS: HTTP, and AMQP by the host's triggers.
resource endpointsRules 'Microsoft.Network/networkSecurityGroups@2024-03-01' = {
  name: '${name}-endpoints'
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
          destinationPortRanges: [
            '443'
            '5671'
          ]
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
        name: 'functions'
        properties: {
          addressPrefix: functionsPrefix
          natGateway: fixedEgress ? { id: egress.id } : null
          networkSecurityGroup: {
            id: functionsRules.id
          }
          // Flex Consumption requires this delegation, not that of the older plans.
          delegations: [
            {
              name: 'functions'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: endpointsPrefix
          networkSecurityGroup: {
            id: endpointsRules.id
          }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

output id string = network.id
output functionsSubnetId string = '${network.id}/subnets/functions'
output endpointsSubnetId string = '${network.id}/subnets/endpoints'
output egressIp string = fixedEgress ? egressIp.properties.ipAddress : ''
