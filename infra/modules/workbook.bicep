// The workbook: one page for operators.
param deployment string
param location string
param tags object
param componentId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'tenantry', deployment, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'tenantry ${deployment}'
    category: 'workbook'
    sourceId: componentId
    version: 'Notebook/1.0'
    serializedData: loadTextContent('workbook.json')
  }
}
