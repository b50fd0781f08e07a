// The function app's network: one subnet from which the app makes calls, and one for the private endpoints of the
// services that it calls.
param name string
param location string
param tags object
param addressPrefix string
param functionsPrefix string
param endpointsPrefix string

@description('Whether calls to the internet, to Azure Resource Manager, Graph and Entra, come from a fixed address.')
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

// The security group of the subnet from which functions make calls. Nobody calls functions through this subnet, but it
// is not documented which traffic the plan needs in it. So the group has only Azure's default rules. Add your own rules
// here.
resource functionsRules 'Microsoft.Network/networkSecurityGroups@2024-03-01' = {
  name: '${name}-functions'
  location: location
  tags: tags
  properties: {
    securityRules: []
  }
}

// The security group of the private endpoints. They are called over TLS only: by HTTP, and by the host's triggers with
// AMQP.
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
          // The plan Flex Consumption requires this delegation. Older plans require another one.
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
