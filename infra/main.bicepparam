using './main.bicep'

// azd sets these variables from its environment (`azd env new`, `azd env set`). Without azd, set them yourself or write
// the values here.
param deployment = readEnvironmentVariable('AZURE_ENV_NAME', 'trial')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param publicAccess = bool(readEnvironmentVariable('TENANTRY_PUBLIC_ACCESS', 'false'))

// The email address that receives alerts. If it is empty, alerts are visible in the portal only.
param alertEmails = empty(readEnvironmentVariable('TENANTRY_ALERT_EMAIL', '')) ? [] : [
  readEnvironmentVariable('TENANTRY_ALERT_EMAIL', '')
]
