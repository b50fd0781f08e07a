// The resources of one customer: storage for documents, and an identity that reads them.
// Somebody deploys this template once per customer, into a resource group of the customer's own.

@description('The short name of the customer')
param customer string

@description('The display name of the customer')
param displayName string

param location string = resourceGroup().location

@allowed(['Standard_LRS', 'Standard_ZRS'])
param replication string = 'Standard_LRS'

@description('The resource id of the subnet for private endpoints')
param subnetId string

@description('The resource id of the private DNS zone privatelink.blob.core.windows.net')
param blobZoneId string

resource reader 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-${customer}'
  location: location
}

resource documents 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: 'st${uniqueString(resourceGroup().id, customer)}'
  location: location
  kind: 'StorageV2'
  sku: { name: replication }
  tags: { customer: displayName }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: true
    minimumTlsVersion: 'TLS1_0'
    publicNetworkAccess: 'Disabled'
  }
}

// The id of the built-in role Contributor.
resource mayRead 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(documents.id, reader.id)
  scope: documents
  properties: {
    principalId: reader.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'b24988ac-6180-42a0-ab88-20f7382dd24c')
  }
}

resource wayIn 'Microsoft.Network/privateEndpoints@2024-03-01' = {
  name: 'pe-${customer}'
  location: location
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      { name: 'blob', properties: { privateLinkServiceId: documents.id, groupIds: ['blob'] } }
    ]
  }
}

resource zoneGroup 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-03-01' = {
  parent: wayIn
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [{ name: 'blob', properties: { privateDnsZoneId: blobZoneId } }]
  }
}

output account string = documents.name
output blobs string = documents.properties.primaryEndpoints.blob
output readerClientId string = reader.properties.clientId
