// The resources that tenantry itself needs, and the first stamp. docs/deploy.md explains how to deploy them and what
// they cost.
targetScope = 'subscription'

@description('The name of the deployment: 1 to 20 characters of a-z, 0-9 and the hyphen. It can\'t be changed later, because names, ownership marks and event sources are derived from it.')
@minLength(1)
@maxLength(20)
param deployment string

@description('The region of all resources.')
param location string

@description('Whether to deploy for a trial: without private endpoints, and with Service Bus in the tier Standard. Callers still need tokens.')
param publicAccess bool = false

@description('The address range of the function app\'s network.')
param addressPrefix string = '10.80.0.0/24'

@description('The address range, within that network, of the subnet from which functions make calls; a /26 is enough.')
param functionsPrefix string = '10.80.0.0/26'

@description('The address range, within that network, of the subnet for the private endpoints of the services that functions call.')
param endpointsPrefix string = '10.80.0.64/26'

@description('The address range of the first stamp\'s network, for tenants\' private endpoints.')
param stampAddressPrefix string = '10.80.16.0/20'

@description('The further stamps. Each element is the output `stamp` of a deployment of stamp.bicep.')
param furtherStamps array = []

@description('The workspace that pooled tenants of the first stamp share: an object with workspaceName, workspaceId and privateEndpointIp. If it is empty, there can be no pooled tenants.')
param pooled object = {}

@description('The email addresses that receive alerts.')
param alertEmails array = []

@description('Address ranges that may call the HTTP functions in addition to the network itself, for example 203.0.113.0/24.')
param callers array = []

@description('The object ids of the identities of signup apps. They may send to the queue of requests.')
param signupPrincipalIds array = []

@description('The resource ids of the Event Grid topics from which requests are accepted.')
param eventTopics array = []

@description('The principals that may reach tenants in addition to the provisioner and the remover: objects as described in docs/isolation.md.')
param isolationAllow array = []

@description('What tenantry does when others reach a tenant (docs/isolation.md).')
@allowed([
  'off'
  'take-back'
  'suspend'
])
param quarantine string = 'off'

@description('The classes of drift that are corrected automatically: isolation, availability, cosmetic, separated by commas.')
param heal string = ''

@description('The maximum number of instances of the function app; the plan requires at least 40.')
@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

var token = uniqueString(subscription().id, deployment, location)
var tags = {
  'azd-env-name': deployment
  application: 'tenantry'
}
var zones = {
  blob: 'privatelink.blob.${environment().suffixes.storage}'
  table: 'privatelink.table.${environment().suffixes.storage}'
  serviceBus: 'privatelink.servicebus.windows.net'
  eventGrid: 'privatelink.eventgrid.azure.net'
  sites: 'privatelink.azurewebsites.net'
  api: 'privatelink.api.azureml.ms'
  notebooks: 'privatelink.notebooks.azure.net'
}
var own = [
  zones.blob
  zones.table
  zones.serviceBus
  zones.eventGrid
  zones.sites
]
var tenants = [
  zones.api
  zones.notebooks
]

resource group 'Microsoft.Resources/resourceGroups@2024-07-01' = {
  name: 'rg-tenantry-${deployment}'
  location: location
  tags: tags
}

module identities 'modules/identities.bicep' = {
  name: 'identities'
  scope: group
  params: {
    deployment: deployment
    location: location
    tags: tags
  }
}

module network 'modules/network.bicep' = {
  name: 'network'
  scope: group
  params: {
    name: 'vnet-tenantry-${deployment}'
    location: location
    tags: tags
    addressPrefix: addressPrefix
    functionsPrefix: functionsPrefix
    endpointsPrefix: endpointsPrefix
    fixedEgress: !publicAccess
  }
}

// The DNS zones of tenants' endpoints are always deployed, because tenants are private even if `publicAccess` is set.
module dns 'modules/dns.bicep' = {
  name: 'dns'
  scope: group
  params: {
    names: publicAccess ? tenants : concat(own, tenants)
    networkId: network.outputs.id
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    deployment: deployment
    location: location
    tags: tags
  }
}

// There are two storage accounts, so that access to the host's storage gives no access to the tenants' state.
module hostStorage 'modules/storage.bicep' = {
  name: 'host-storage'
  scope: group
  params: {
    name: 'sthost${token}'
    location: location
    tags: tags
    publicAccess: publicAccess
    containers: [
      'app-package'
    ]
    trustedServices: false
  }
}

// Event Grid writes events that it could not deliver into a container of this account, as a trusted service with its own
// identity.
module stateStorage 'modules/storage.bicep' = {
  name: 'state-storage'
  scope: group
  params: {
    name: 'ststate${token}'
    location: location
    tags: tags
    publicAccess: publicAccess
    containers: [
      'undelivered-events'
    ]
    trustedServices: true
  }
}

module messaging 'modules/messaging.bicep' = {
  name: 'messaging'
  scope: group
  params: {
    name: 'sb-tenantry-${deployment}-${token}'
    location: location
    tags: tags
    publicAccess: publicAccess
  }
}

module events 'modules/events.bicep' = {
  name: 'events'
  scope: group
  params: {
    name: 'evgt-tenantry-${deployment}-${token}'
    location: location
    tags: tags
    publicAccess: publicAccess
  }
}

module grants 'modules/grants.bicep' = {
  name: 'grants'
  scope: group
  params: {
    hostPrincipalId: identities.outputs.host.principalId
    provisionerPrincipalId: identities.outputs.provisioner.principalId
    topicPrincipalId: events.outputs.principalId
    signupPrincipalIds: signupPrincipalIds
    hostStorageName: hostStorage.outputs.name
    stateStorageName: stateStorage.outputs.name
    namespaceName: messaging.outputs.name
    eventGridTopicName: events.outputs.name
    componentName: monitoring.outputs.componentName
  }
}

module stamp 'stamp.bicep' = {
  name: 'stamp-01'
  params: {
    name: '${deployment}-01'
    deployment: deployment
    location: location
    addressPrefix: stampAddressPrefix
    hubNetworkId: network.outputs.id
    zonesGroupId: group.id
    hostPrincipalId: identities.outputs.host.principalId
    provisionerPrincipalId: identities.outputs.provisioner.principalId
    removerPrincipalId: identities.outputs.remover.principalId
    probePrincipalId: identities.outputs.probe.principalId
    pooled: pooled
  }
  dependsOn: [
    dns
  ]
}

module endpoints 'modules/endpoints.bicep' = if (!publicAccess) {
  name: 'endpoints'
  scope: group
  params: {
    location: location
    tags: tags
    subnetId: network.outputs.endpointsSubnetId
    targets: [
      { name: 'host-blob', id: hostStorage.outputs.id, groupId: 'blob', zone: zones.blob }
      { name: 'state-table', id: stateStorage.outputs.id, groupId: 'table', zone: zones.table }
      { name: 'state-blob', id: stateStorage.outputs.id, groupId: 'blob', zone: zones.blob }
      { name: 'messaging', id: messaging.outputs.id, groupId: 'namespace', zone: zones.serviceBus }
      { name: 'events', id: events.outputs.id, groupId: 'topic', zone: zones.eventGrid }
    ]
  }
  dependsOn: [
    dns
  ]
}

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  params: {
    name: 'func-tenantry-${deployment}-${token}'
    deployment: deployment
    location: location
    tags: tags
    publicAccess: publicAccess
    callers: callers
    maximumInstances: maximumInstances
    host: identities.outputs.host
    provisioner: identities.outputs.provisioner
    remover: identities.outputs.remover
    probe: identities.outputs.probe
    subnetId: network.outputs.functionsSubnetId
    probeLocation: 'subnet functions of vnet-tenantry-${deployment}, ${location}'
    hostStorageName: hostStorage.outputs.name
    stateStorageName: stateStorage.outputs.name
    namespaceName: messaging.outputs.name
    eventsTopicName: messaging.outputs.topicName
    eventGridTopicName: events.outputs.name
    componentName: monitoring.outputs.componentName
    stamps: concat([stamp.outputs.stamp], furtherStamps)
    eventTopics: eventTopics
    isolationAllow: isolationAllow
    quarantine: quarantine
    heal: heal
  }
  // The host needs its roles to read its package and to receive messages. It needs the private endpoints to reach
  // storage and Service Bus.
  dependsOn: [
    grants
    endpoints
  ]
}

module appEndpoint 'modules/endpoints.bicep' = if (!publicAccess) {
  name: 'app-endpoint'
  scope: group
  params: {
    location: location
    tags: tags
    subnetId: network.outputs.endpointsSubnetId
    targets: [
      { name: 'app', id: app.outputs.id, groupId: 'sites', zone: zones.sites }
    ]
  }
  dependsOn: [
    dns
  ]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    deployment: deployment
    location: location
    tags: tags
    emails: alertEmails
    namespaceId: messaging.outputs.id
    componentId: monitoring.outputs.componentId
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    deployment: deployment
    location: location
    tags: tags
    componentId: monitoring.outputs.componentId
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_NAME string = app.outputs.name
output TENANTRY_URL string = app.outputs.url
output TENANTRY_PROVISIONER_PRINCIPAL_ID string = identities.outputs.provisioner.principalId
output TENANTRY_SERVICE_BUS_NAMESPACE string = messaging.outputs.fullyQualifiedName
output TENANTRY_EVENT_GRID_TOPIC string = events.outputs.id
output TENANTRY_UNDELIVERED_EVENTS string = '${stateStorage.outputs.id}/blobServices/default/containers/undelivered-events'
output TENANTRY_EGRESS_IP string = network.outputs.egressIp
// Parameters of stamp.bicep for further stamps.
output TENANTRY_HUB_NETWORK string = network.outputs.id
output TENANTRY_ZONES_GROUP string = group.id
output TENANTRY_IDENTITIES object = {
  hostPrincipalId: identities.outputs.host.principalId
  provisionerPrincipalId: identities.outputs.provisioner.principalId
  removerPrincipalId: identities.outputs.remover.principalId
  probePrincipalId: identities.outputs.probe.principalId
}
