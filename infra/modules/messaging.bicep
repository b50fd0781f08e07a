// The queues of requests and wake-ups, and the topic of events.
param name string
param location string
param tags object
param publicAccess bool

// Private endpoints require the tier Premium; sessions, topics and duplicate detection work in Standard too.
resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: publicAccess ? 'Standard' : 'Premium'
    tier: publicAccess ? 'Standard' : 'Premium'
    capacity: publicAccess ? null : 1
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    premiumMessagingPartitions: publicAccess ? null : 1
  }
}

// A session per tenant keeps its requests in order. The host renews the lock while a function runs, so the lock itself is
// short: the messages of a dead host are delivered again soon.
resource requests 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: namespace
  name: 'tenant-requests'
  properties: {
    requiresSession: true
    requiresDuplicateDetection: true
    duplicateDetectionHistoryTimeWindow: 'PT10M'
    defaultMessageTimeToLive: 'P14D'
    deadLetteringOnMessageExpiration: true
    lockDuration: 'PT1M'
    maxDeliveryCount: 10
  }
}

// A wake-up that was not received for an hour has been replaced by the sweep. So it expires and is not dead-lettered.
resource wakeups 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: namespace
  name: 'tenant-wakeups'
  properties: {
    requiresSession: false
    requiresDuplicateDetection: true
    duplicateDetectionHistoryTimeWindow: 'PT10M'
    defaultMessageTimeToLive: 'PT1H'
    deadLetteringOnMessageExpiration: false
    lockDuration: 'PT1M'
    maxDeliveryCount: 10
  }
}

// An event may be published twice, with the same id; the topic drops repeats. Consumers create the subscriptions.
resource topic 'Microsoft.ServiceBus/namespaces/topics@2024-01-01' = {
  parent: namespace
  name: 'tenant-events'
  properties: {
    requiresDuplicateDetection: true
    duplicateDetectionHistoryTimeWindow: 'PT10M'
    defaultMessageTimeToLive: 'P14D'
    supportOrdering: true
  }
}

output id string = namespace.id
output name string = namespace.name
output topicName string = topic.name
output fullyQualifiedName string = '${namespace.name}.servicebus.windows.net'
