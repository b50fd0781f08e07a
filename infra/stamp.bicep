// A stamp: a subscription and region prepared for tenants. main.bicep deploys the first one; deploy this file for further
// ones, also in other subscriptions (docs/deploy.md).
targetScope = 'subscription'

@description('The name of the stamp, unique in the deployment. Tenants record it.')
@minLength(1)
@maxLength(40)
param name string

@description('The name of the deployment.')
param deployment string

@description('The stamp\'s region.')
param location string

@description('The address range of its network. It must not overlap with those of the hub and of other stamps.')
param addressPrefix string

@description('The network of the function app. This one is peered with it in both directions.')
param hubNetworkId string

@description('The resource group with the private DNS zones of tenants\' endpoints. All stamps share them, because a network can be linked to one zone of a name only.')
param zonesGroupId string

@description('The object id of the host\'s identity.')
param hostPrincipalId string

@description('The object id of the provisioner\'s identity.')
param provisionerPrincipalId string

@description('The object id of the remover\'s identity.')
param removerPrincipalId string

@description('The object id of the probe\'s identity, which tenants\' applications trust.')
param probePrincipalId string

@description('The workspace that pooled tenants share: workspaceName, workspaceId and privateEndpointIp. Empty: no pooled tenants here.')
param pooled object = {}

var tags = {
  application: 'tenantry'
  deployment: deployment
  stamp: name
}
// Storage Blob Data Reader, for a tenant's endpoint on its own account.
var blobReader = '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
var roleDefinitions = '${subscription().id}/providers/Microsoft.Authorization/roleDefinitions'
var hub = split(hubNetworkId, '/')
var zonesGroup = split(zonesGroupId, '/')

resource group 'Microsoft.Resources/resourceGroups@2024-07-01' = {
  name: 'rg-tenantry-${name}'
  location: location
  tags: tags
}

// The only role that a tenant's application is granted: to call, at one endpoint.
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
    // The name of a custom role is unique in its directory, and each stamp has roles of its own.
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
