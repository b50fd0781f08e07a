// The least that tenantry has to be allowed in Azure Resource Manager, made by
//   tenantry permissions secure-ai-service --format bicep
// Generate it again when a blueprint changes. Roles for data and the permission of Microsoft Graph are not in
// here; the command without `--format` lists them.
targetScope = 'subscription'

@description('The object id of the identity that reads, creates and changes tenants.')
param provisionerPrincipalId string

@description('The object id of the identity that deletes; the provisioner where there is no other.')
param removerPrincipalId string = provisionerPrincipalId

@description('The object id of the identity that proves isolation: the provisioner.')
param auditorPrincipalId string = provisionerPrincipalId

@description('The object id of the identity of the Functions host.')
param hostPrincipalId string = provisionerPrincipalId

@description('The name of the deployment: a custom role is unique in its directory.')
param deployment string

@description('The ids (GUIDs) of the roles that tenants may be granted: those that the stamp names.')
param grantedRoleIds array = [
  '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  '5c0e0000-0000-4000-8000-00000000c0de'
]

var grantedRoles = join(grantedRoleIds, ', ')

resource provisionerRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, 'tenantry', deployment, 'provisioner')
  properties: {
    roleName: 'Tenantry Provisioner (${deployment})'
    description: 'Reads, creates and changes what tenants consist of.'
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          'Microsoft.Authorization/permissions/read'
          'Microsoft.Authorization/roleAssignments/read'
          'Microsoft.Authorization/roleAssignments/write'
          'Microsoft.Insights/components/read'
          'Microsoft.Insights/components/write'
          'Microsoft.KeyVault/locations/deletedVaults/read'
          'Microsoft.KeyVault/vaults/read'
          'Microsoft.KeyVault/vaults/write'
          'Microsoft.MachineLearningServices/locations/mfeOperationsStatus/read'
          'Microsoft.MachineLearningServices/locations/workspaceOperationsStatus/read'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/read'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/write'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/read'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write'
          'Microsoft.MachineLearningServices/workspaces/privateEndpointConnectionsApproval/action'
          'Microsoft.MachineLearningServices/workspaces/read'
          'Microsoft.MachineLearningServices/workspaces/write'
          'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action'
          'Microsoft.ManagedIdentity/userAssignedIdentities/read'
          'Microsoft.ManagedIdentity/userAssignedIdentities/write'
          'Microsoft.Network/locations/operations/read'
          'Microsoft.Network/privateDnsZones/join/action'
          'Microsoft.Network/privateEndpoints/privateDnsZoneGroups/read'
          'Microsoft.Network/privateEndpoints/privateDnsZoneGroups/write'
          'Microsoft.Network/privateEndpoints/read'
          'Microsoft.Network/privateEndpoints/write'
          'Microsoft.Network/virtualNetworks/subnets/join/action'
          'Microsoft.Resources/subscriptions/resourceGroups/read'
          'Microsoft.Resources/subscriptions/resourceGroups/write'
          'Microsoft.Storage/storageAccounts/read'
          'Microsoft.Storage/storageAccounts/write'
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

resource provisionerAssignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, provisionerPrincipalId, provisionerRole.id)
  properties: {
    roleDefinitionId: provisionerRole.id
    principalId: provisionerPrincipalId
    principalType: 'ServicePrincipal'
    condition: '((!(ActionMatches{\'Microsoft.Authorization/roleAssignments/write\'})) OR (@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${grantedRoles}} AND @Request[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {\'ServicePrincipal\'} AND @Request[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAllValues:GuidNotEquals {${hostPrincipalId}, ${provisionerPrincipalId}, ${removerPrincipalId}}))'
    conditionVersion: '2.0'
  }
}

resource removerRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, 'tenantry', deployment, 'remover')
  properties: {
    roleName: 'Tenantry Remover (${deployment})'
    description: 'Deletes and purges what tenants consisted of.'
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          'Microsoft.Authorization/permissions/read'
          'Microsoft.Authorization/roleAssignments/delete'
          'Microsoft.Insights/components/delete'
          'Microsoft.KeyVault/locations/deletedVaults/purge/action'
          'Microsoft.KeyVault/locations/operationResults/read'
          'Microsoft.KeyVault/vaults/delete'
          'Microsoft.MachineLearningServices/locations/mfeOperationResults/read'
          'Microsoft.MachineLearningServices/locations/workspaceOperationsStatus/read'
          'Microsoft.MachineLearningServices/workspaces/delete'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/delete'
          'Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/delete'
          'Microsoft.ManagedIdentity/userAssignedIdentities/delete'
          'Microsoft.Network/locations/operationResults/read'
          'Microsoft.Network/privateEndpoints/delete'
          'Microsoft.Network/privateEndpoints/privateDnsZoneGroups/delete'
          'Microsoft.Resources/subscriptions/operationresults/read'
          'Microsoft.Resources/subscriptions/resourceGroups/delete'
          'Microsoft.Storage/storageAccounts/delete'
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

resource removerAssignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, removerPrincipalId, removerRole.id)
  properties: {
    roleDefinitionId: removerRole.id
    principalId: removerPrincipalId
    principalType: 'ServicePrincipal'
    condition: '((!(ActionMatches{\'Microsoft.Authorization/roleAssignments/delete\'})) OR (@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${grantedRoles}} AND @Resource[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {\'ServicePrincipal\'} AND @Resource[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAllValues:GuidNotEquals {${hostPrincipalId}, ${provisionerPrincipalId}, ${removerPrincipalId}}))'
    conditionVersion: '2.0'
  }
}

resource auditorRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, 'tenantry', deployment, 'auditor')
  properties: {
    roleName: 'Tenantry Auditor (${deployment})'
    description: 'Reads what proves that only a tenant reaches its service.'
    type: 'CustomRole'
    permissions: [
      {
        actions: [
          'Microsoft.Authorization/roleDefinitions/read'
          'Microsoft.Insights/eventtypes/values/read'
          'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read'
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

resource auditorAssignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, auditorPrincipalId, auditorRole.id)
  properties: {
    roleDefinitionId: auditorRole.id
    principalId: auditorPrincipalId
    principalType: 'ServicePrincipal'
  }
}
