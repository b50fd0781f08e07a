// The Event Grid topic that tells what became of tenants, in the schema of CloudEvents 1.0. Its subscriptions belong to
// whoever listens; the topic's own identity is for putting what could not be delivered into a container.
@minLength(3)
@maxLength(50)
param name string
param location string
param tags object
param publicAccess bool

resource topic 'Microsoft.EventGrid/topics@2022-06-15' = {
  // checkov:skip=CKV_AZURE_193: it is closed unless a trial opens it with publicAccess, which checkov can't work out
  name: name
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
  }
}

output id string = topic.id
output name string = topic.name
output principalId string = topic.identity.principalId
