// A stamp: a subscription and region prepared for tenants. main.bicep deploys the first stamp. Deploy this file for
// each further stamp, also in other subscriptions (docs/deploy.md).
targetScope = 'subscription'

@description('The name of the stamp, unique in the deployment. The documents of its tenants contain it.')
@minLength(1)
@maxLength(40)
param name string

@description('The name of the deployment.')
param deployment string

@description('The stamp\'s region.')
param location string

@description('The address range of the stamp\'s network. It must not overlap with the ranges of the function app\'s network and of other stamps.')
param addressPrefix string

@description('The resource id of the function app\'s network. The stamp\'s network is peered with it in both directions.')
param hubNetworkId string

@description('The resource group with the private DNS zones of tenants\' endpoints. All stamps share these zones, because a network can be linked to only one zone of a name.')
param zonesGroupId string

@description('The object id of the host\'s identity.')
param hostPrincipalId string

@description('The object id of the provisioner\'s identity.')
param provisionerPrincipalId string

@description('The object id of the remover\'s identity.')
param removerPrincipalId string

@description('The object id of the probe\'s identity, which tenants\' applications trust.')
param probePrincipalId string

@description('The workspace that pooled tenants share: an object with workspaceName, workspaceId and privateEndpointIp. If it is empty, the stamp has no pooled tenants.')
param pooled object = {}

var tags = {
  application: 'tenantry'
  deployment: deployment
  stamp: name
}
// The built-in role Storage Blob Data Reader, which a tenant's endpoint gets on the tenant's own storage account.
var blobReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
var roleDefinitions = '${subscription().id}/providers/Microsoft.Authorization/roleDefinitions'
var hub = split(hubNetworkId, '/')
var zonesGroup = split(zonesGroupId, '/')

resource group 'Microsoft.Resources/resourceGroups@2024-07-01' = {
  name: 'rg-tenantry-${name}'
  location: location
  tags: tags
}

// The only role that a tenant's application gets. It allows calling one endpoint.
resource scorer 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, 'tenantry', deployment, name, 'scorer')
  properties: {
    roleName: 'Tenantry Scorer (${deployment}, ${name})'
    description: 'Calls an online endpoint. Allows nothing else.'
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
    assignableScopes: [
      subscription().id
    ]
  }
}

module permissions 'modules/permissions.bicep' = {
  name: 'permissions-${name}'
  params: {
    // The name of a custom role must be unique in its directory, and each stamp has custom roles of its own.
    deployment: '${deployment}, ${name}'
    provisionerPrincipalId: provisionerPrincipalId
    removerPrincipalId: removerPrincipalId
    hostPrincipalId: hostPrincipalId
    grantedRoleIds: [
      blobReader
      scorer.name
    ]
  }
}

module network 'modules/stamp-network.bicep' = {
  name: 'network-${name}'
  scope: group
  params: {
    name: 'vnet-${name}'
    location: location
    tags: tags
    addressPrefix: addressPrefix
    hubNetworkId: hubNetworkId
  }
}

module peering 'modules/hub-peering.bicep' = {
  name: 'peering-${name}'
  scope: resourceGroup(hub[2], hub[4])
  params: {
    hubName: hub[8]
    stamp: name
    networkId: network.outputs.id
  }
}

module links 'modules/zone-links.bicep' = {
  name: 'links-${name}'
  scope: resourceGroup(zonesGroup[2], zonesGroup[4])
  params: {
    stamp: name
    networkId: network.outputs.id
    tags: tags
  }
}

@description('The stamp, as an element of TENANTRY_STAMPS.')
output stamp object = union({
  name: name
  region: location
  subscriptionId: subscription().subscriptionId
  directoryId: tenant().tenantId
  resourceGroup: group.name
  vnetId: network.outputs.id
  subnetId: network.outputs.subnetId
  zones: {
    api: links.outputs.api
    notebooks: links.outputs.notebooks
  }
  scorerRoleId: '${roleDefinitions}/${scorer.name}'
  blobReaderRoleId: '${roleDefinitions}/${blobReader}'
  probePrincipalId: probePrincipalId
}, empty(pooled) ? {} : { pooled: pooled })
