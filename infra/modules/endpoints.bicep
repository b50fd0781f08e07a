// Private endpoints, each with its DNS record in the zone of its service.
param location string
param tags object
param subnetId string

@description('The services that get a private endpoint: objects with the members name, id, groupId and zone.')
param targets array

// Private endpoints are created one at a time, because concurrent changes in one subnet conflict.
@batchSize(1)
resource endpoints 'Microsoft.Network/privateEndpoints@2024-03-01' = [for target in targets: {
  name: 'pe-${target.name}'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: target.name
        properties: {
          privateLinkServiceId: target.id
          groupIds: [
            target.groupId
          ]
        }
      }
    ]
  }
}]

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-03-01' = [for (target, at) in targets: {
  parent: endpoints[at]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: target.name
        properties: {
          privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', target.zone)
        }
      }
    ]
  }
}]
