// The hub's side of the peering with a stamp's network.
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
