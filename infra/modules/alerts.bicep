// Alert rules. The name of each rule is a heading in docs/runbooks.md.
param deployment string
param location string
param tags object
param emails array
param namespaceId string
param componentId string

var runbook = 'What to do: docs/runbooks.md'

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-tenantry-${deployment}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'tenantry'
    emailReceivers: [for (address, at) in emails: {
      name: 'person-${at}'
      emailAddress: address
      useCommonAlertSchema: true
    }]
  }
}

// Fires if there are dead letters for a quarter of an hour: the function `deadletter` normally processes them within
// minutes.
resource deadLetters 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'dead-letters'
  location: 'global'
  tags: tags
  properties: {
    description: 'Requests or wake-ups are dead-lettered. ${runbook}#dead-letters'
    severity: 1
    enabled: true
    scopes: [
      namespaceId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'dead letters'
          metricNamespace: 'Microsoft.ServiceBus/namespaces'
          metricName: 'DeadletteredMessages'
          dimensions: [
            {
              name: 'EntityName'
              operator: 'Include'
              values: [
                'tenant-requests'
                'tenant-wakeups'
              ]
            }
          ]
          timeAggregation: 'Minimum'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    autoMitigate: true
    actions: [
      {
        actionGroupId: people.id
      }
    ]
  }
}

// The Functions host records each log line of tenantry as a trace, whose message is the line: a JSON object.
resource stuckTenants 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'stuck-tenants'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'stuck-tenants'
    description: 'An operation waits for a person, or has failed. ${runbook}#stuck-tenants'
    severity: 2
    enabled: true
    scopes: [
      componentId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      allOf: [
        {
          query: '''
            traces
            | where message has 'an operation is blocked'
            | extend line = parse_json(message)
            | where tostring(line.message) == 'an operation is blocked'
            | extend tenant = tostring(line['tenant.id']), outcome = tostring(line.outcome), why = tostring(line.why)
          '''
          timeAggregation: 'Count'
          dimensions: [
            {
              name: 'tenant'
              operator: 'Include'
              values: [
                '*'
              ]
            }
          ]
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    // The line is logged once per blocked operation. That no further line follows does not mean that the tenant
    // continues.
    autoMitigate: false
    muteActionsDuration: 'PT1H'
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}

resource isolationViolated 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'isolation-violated'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'isolation-violated'
    description: 'Somebody other than the tenant reaches its service, or could. ${runbook}#isolation-violated'
    severity: 0
    enabled: true
    scopes: [
      componentId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      allOf: [
        {
          query: '''
            traces
            | where message has 'isolation is not verified'
            | extend line = parse_json(message)
            | where tostring(line.message) == 'isolation is not verified' and tostring(line.verdict) == 'violated'
            | extend tenant = tostring(line['tenant.id']), findings = tostring(line.findings)
          '''
          timeAggregation: 'Count'
          dimensions: [
            {
              name: 'tenant'
              operator: 'Include'
              values: [
                '*'
              ]
            }
          ]
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: false
    muteActionsDuration: 'PT1H'
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}

resource unreadableRows 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'unreadable-rows'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'unreadable-rows'
    description: 'A row of the state is unreadable, so its tenant is not reconciled. ${runbook}#unreadable-rows'
    severity: 1
    enabled: true
    scopes: [
      componentId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      allOf: [
        {
          query: '''
            traces
            | where message has 'a stored row is unreadable'
            | extend line = parse_json(message)
            | where tostring(line.message) == 'a stored row is unreadable'
            | extend row = tostring(line.key), kind = tostring(line.kind), why = tostring(line.why)
          '''
          timeAggregation: 'Count'
          dimensions: [
            {
              name: 'row'
              operator: 'Include'
              values: [
                '*'
              ]
            }
          ]
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: false
    muteActionsDuration: 'PT1H'
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}

// The sweep logs a line each minute. The alert fires if there is no such line for a quarter of an hour: the host does
// not run, the handler ends early, the state can't be read, or logs do not arrive.
resource sweepLate 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: 'sweep-late'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'sweep-late'
    description: 'The sweep has not run for a quarter of an hour. ${runbook}#sweep-late'
    severity: 1
    enabled: true
    scopes: [
      componentId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      allOf: [
        {
          query: '''
            traces
            | where message has 'swept'
            | extend line = parse_json(message)
            | where tostring(line.message) == 'swept'
          '''
          timeAggregation: 'Count'
          operator: 'LessThan'
          threshold: 1
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    autoMitigate: true
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}
