// The function app: a custom handler on the plan Flex Consumption. None of its settings is a secret.
@minLength(2)
@maxLength(60)
param name string
param deployment string
param location string
param tags object
param publicAccess bool
param callers array
param maximumInstances int

@description('The identities, by name: objects with the members id, clientId and principalId.')
param host object
param provisioner object
param remover object
param probe object

param subnetId string

@description('The name, for reports, of the network from which tenants\' services are called.')
param probeLocation string

param hostStorageName string
param stateStorageName string
param namespaceName string
param eventsTopicName string
param eventGridTopicName string
param componentName string
param stamps array
param eventTopics array
param isolationAllow array
param quarantine string
param heal string

resource hostStorage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: hostStorageName
}

resource stateStorage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: stateStorageName
}

resource eventGridTopic 'Microsoft.EventGrid/topics@2022-06-15' existing = {
  name: eventGridTopicName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

// The rule that allows Event Grid to deliver events, because its deliveries come from outside the network.
var eventGridIn = empty(eventTopics) ? [] : [
  { name: 'event-grid', priority: 200, action: 'Allow', tag: 'ServiceTag', ipAddress: 'AzureEventGrid' }
]
var callersIn = [for (range, at) in callers: {
  name: 'caller-${at}'
  priority: 300 + at
  action: 'Allow'
  ipAddress: range
}]

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  // checkov:skip=CKV_AZURE_225: not every region has zones for this plan; messages wait while an instance is started elsewhere
  name: 'asp-tenantry-${deployment}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  // checkov:skip=CKV_AZURE_222: the restrictions below close the functions; the deployment address stays open and requires a token
  // checkov:skip=CKV_AZURE_17: callers have function keys, and Event Grid presents no client certificate
  // checkov:skip=CKV_AZURE_212: the plan starts instances on demand, so no instance has to run all the time
  // checkov:skip=CKV_AZURE_213: the host itself checks the health of its handler
  name: name
  location: location
  // azd finds the target of the service in azure.yaml by this tag.
  tags: union(tags, { 'azd-service-name': 'tenantry' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${host.id}': {}
      '${provisioner.id}': {}
      '${remover.id}': {}
      '${probe.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: subnetId
    // The restrictions below close the HTTP functions to the internet. The address for deployments has to be reachable
    // from the machine that sends the package. It accepts Entra tokens only.
    publicNetworkAccess: 'Enabled'
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      ftpsState: 'Disabled'
      ipSecurityRestrictionsDefaultAction: publicAccess ? 'Allow' : 'Deny'
      ipSecurityRestrictions: concat(eventGridIn, callersIn)
      scmIpSecurityRestrictionsUseMain: false
      scmIpSecurityRestrictionsDefaultAction: 'Allow'
    }
    functionAppConfig: {
      runtime: {
        name: 'custom'
        version: '1.0'
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${hostStorage.properties.primaryEndpoints.blob}app-package'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: host.id
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: maximumInstances
      }
    }
  }

  resource settings 'config' = {
    name: 'appsettings'
    properties: union({
      // Settings of the Functions host.
      AzureWebJobsStorage__accountName: hostStorage.name
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__clientId: host.clientId
      ServiceBus__fullyQualifiedNamespace: '${namespaceName}.servicebus.windows.net'
      ServiceBus__credential: 'managedidentity'
      ServiceBus__clientId: host.clientId
      APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${host.clientId};Authorization=AAD'
      // Settings of tenantry: docs/operating.md.
      TENANTRY_ENVIRONMENT: 'azure'
      TENANTRY_DEPLOYMENT: deployment
      TENANTRY_IDENTITY: 'managed'
      TENANTRY_CLIENT_ID: provisioner.clientId
      TENANTRY_REMOVER_CLIENT_ID: remover.clientId
      TENANTRY_PROBE_CLIENT_ID: probe.clientId
      TENANTRY_PROBE_LOCATION: probeLocation
      TENANTRY_TABLES: 'https://${stateStorage.name}.table.${environment().suffixes.storage}'
      TENANTRY_EVENT_GRID: replace(eventGridTopic.properties.endpoint, '/api/events', '')
      TENANTRY_EVENTS_TOPIC: eventsTopicName
      TENANTRY_STAMPS: string(stamps)
      TENANTRY_QUARANTINE: quarantine
      TENANTRY_ISOLATION_ALLOW: string(concat([
        { principal: provisioner.principalId, why: 'the provisioner of this deployment' }
        { principal: remover.principalId, why: 'the remover of this deployment' }
      ], isolationAllow))
    }, empty(heal) ? {} : {
      TENANTRY_HEAL: heal
    }, empty(eventTopics) ? {} : {
      TENANTRY_EVENT_TOPICS: join(eventTopics, ',')
    })
  }

  // No publishing passwords: deploying requires an Entra token.
  resource publishing 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: {
      allow: false
    }
  }

  resource transfer 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: {
      allow: false
    }
  }
}

output id string = app.id
output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
