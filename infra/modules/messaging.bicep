// The queues of requests and wake-ups, and the topic of events.
param name string
param location string
param tags object
param publicAccess bool

// Private endpoints require the tier Premium. Sessions, topics and duplicate detection work in the tier Standard too.
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

// A session per tenant keeps the tenant's requests in order. The host renews the lock of a message while a function
// runs. Therefore the lock can be short, so that the messages of a host that was killed are soon delivered again.
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

// If a wake-up is not received within an hour, the sweep has reconciled its tenant. So the wake-up expires and is not
// dead-lettered.
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

// tenantry may publish an event twice, with the same id; the topic drops repeats. Subscribers create the subscriptions.
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
