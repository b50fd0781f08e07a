using './main.bicep'

// azd fills these in from its environment (`azd env new`, `azd env set`); without azd set the variables, or write
// values here.
param deployment = readEnvironmentVariable('AZURE_ENV_NAME', 'trial')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param publicAccess = bool(readEnvironmentVariable('TENANTRY_PUBLIC_ACCESS', 'false'))

// Who is told when something is wrong. Until somebody stands here alerts are seen in the portal only.
param alertEmails = empty(readEnvironmentVariable('TENANTRY_ALERT_EMAIL', '')) ? [] : [
  readEnvironmentVariable('TENANTRY_ALERT_EMAIL', '')
]
