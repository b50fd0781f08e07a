// Assignments of built-in roles for data, each at the narrowest sufficient scope. A test compares them with the list
// that `tenantry permissions` prints. The remover and the probe have no such role.
param hostPrincipalId string
param provisionerPrincipalId string

@description('The object id of the Event Grid topic\'s own identity.')
param topicPrincipalId string

@description('The object ids of the identities that send requests.')
param signupPrincipalIds array
param hostStorageName string
param stateStorageName string
param namespaceName string
param eventGridTopicName string
param componentName string

var roles = {
  receiver: '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'
  sender: '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'
  blobOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  blobContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  tableContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  eventSender: 'd5a91429-5739-47e2-a06b-3470a27159e7'
  metricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
}

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: namespaceName
}

resource requests 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' existing = {
  parent: namespace
  name: 'tenant-requests'
}

resource wakeups 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' existing = {
  parent: namespace
  name: 'tenant-wakeups'
}

resource eventsTopic 'Microsoft.ServiceBus/namespaces/topics@2024-01-01' existing = {
  parent: namespace
  name: 'tenant-events'
}

resource hostStorage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: hostStorageName
}

resource stateStorage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: stateStorageName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' existing = {
  parent: stateStorage
  name: 'default'
}

resource undelivered 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = {
  parent: blobs
  name: 'undelivered-events'
}

resource eventGridTopic 'Microsoft.EventGrid/topics@2022-06-15' existing = {
  name: eventGridTopicName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource hostRequests 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(requests.id, hostPrincipalId, roles.receiver)
  scope: requests
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.receiver)
    principalId: hostPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource hostWakeups 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(wakeups.id, hostPrincipalId, roles.receiver)
  scope: wakeups
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.receiver)
    principalId: hostPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource hostBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hostStorage.id, hostPrincipalId, roles.blobOwner)
  scope: hostStorage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobOwner)
    principalId: hostPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource hostTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(component.id, hostPrincipalId, roles.metricsPublisher)
  scope: component
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.metricsPublisher)
    principalId: hostPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource provisionerState 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(stateStorage.id, provisionerPrincipalId, roles.tableContributor)
  scope: stateStorage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.tableContributor)
    principalId: provisionerPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource provisionerWakeups 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(wakeups.id, provisionerPrincipalId, roles.sender)
  scope: wakeups
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.sender)
    principalId: provisionerPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource provisionerEvents 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(eventsTopic.id, provisionerPrincipalId, roles.sender)
  scope: eventsTopic
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.sender)
    principalId: provisionerPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource provisionerEventGrid 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(eventGridTopic.id, provisionerPrincipalId, roles.eventSender)
  scope: eventGridTopic
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.eventSender)
    principalId: provisionerPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The identity of the Event Grid topic, which writes events that could not be delivered into the storage account.
resource topicUndelivered 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(undelivered.id, topicPrincipalId, roles.blobContributor)
  scope: undelivered
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobContributor)
    principalId: topicPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The identities of signup apps, which may only send to the queue of requests.
resource signupRequests 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for signupPrincipalId in signupPrincipalIds: {
  name: guid(requests.id, signupPrincipalId, roles.sender)
  scope: requests
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.sender)
    principalId: signupPrincipalId
    principalType: 'ServicePrincipal'
  }
}]
