// The peering from the function app's network (the hub) to a stamp's network. stamp-network.bicep creates the opposite
// direction.
param hubName string
param stamp string
param networkId string

resource hub 'Microsoft.Network/virtualNetworks@2024-03-01' existing = {
  name: hubName
}

resource peering 'Microsoft.Network/virtualNetworks/virtualNetworkPeerings@2024-03-01' = {
  parent: hub
  name: stamp
  properties: {
    remoteVirtualNetwork: {
      id: networkId
    }
    allowVirtualNetworkAccess: true
  }
}
