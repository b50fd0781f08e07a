// The four identities of a deployment. They are separate, so that a leaked token gives only a part of the permissions
// (docs/permissions.md). None of them has a secret.
param deployment string
param location string
param tags object

@description('Runs the Functions host: receives messages, reads its own storage, sends telemetry.')
resource host 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-tenantry-${deployment}-host'
  location: location
  tags: tags
}

@description('Reads, creates and changes tenants.')
resource provisioner 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-tenantry-${deployment}-provisioner'
  location: location
  tags: tags
}

@description('Deletes the resources of tenants. It has no other permissions.')
resource remover 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-tenantry-${deployment}-remover'
  location: location
  tags: tags
}

@description('Calls tenants\' services as the tenants\' applications, for the isolation check. It has no role. Whoever can use it can act as every tenant.')
resource probe 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-tenantry-${deployment}-probe'
  location: location
  tags: tags
}

output host object = {
  id: host.id
  clientId: host.properties.clientId
  principalId: host.properties.principalId
}
output provisioner object = {
  id: provisioner.id
  clientId: provisioner.properties.clientId
  principalId: provisioner.properties.principalId
}
output remover object = {
  id: remover.id
  clientId: remover.properties.clientId
  principalId: remover.properties.principalId
}
output probe object = {
  id: probe.id
  clientId: probe.properties.clientId
  principalId: probe.properties.principalId
}
