// The Event Grid topic of tenant events, in the schema of CloudEvents 1.0. Subscribers create the subscriptions. The
// topic has an identity, with which it writes events that could not be delivered into a container.
@minLength(3)
@maxLength(50)
param name string
param location string
param tags object
param publicAccess bool

resource topic 'Microsoft.EventGrid/topics@2022-06-15' = {
  // checkov:skip=CKV_AZURE_193: public access is off unless publicAccess is set for a trial, which checkov can't evaluate
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
