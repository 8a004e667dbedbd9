import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Namespace } from '../../../operator/kube/objects.ts'
import { namespaceFault, type StandingPolicy } from '../../../operator/scan/isolation.ts'
import { metadata } from '../../support/objects.ts'

const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' }
const namespace: Namespace = { metadata: metadata('scans', { labels: restricted }) }
const closed = { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }
const policy = (spec: StandingPolicy['spec']): StandingPolicy => ({
  metadata: metadata('default-deny'),
  ...(spec && { spec }),
})

describe('the scan namespace', () => {
  test('is fit with Pod Security and a policy that denies everything', () => {
    assert.equal(namespaceFault('scans', namespace, policy(closed)), undefined)
  })

  for (const [what, fault, says] of [
    ['does not exist', namespaceFault('scans', undefined, policy(closed)), /does not exist/],
    [
      'does not enforce Pod Security',
      namespaceFault('scans', { metadata: metadata('scans') }, policy(closed)),
      /enforce=restricted/,
    ],
    ['has no standing policy', namespaceFault('scans', namespace, undefined), /default-deny/],
    [
      'has a policy that leaves egress open',
      namespaceFault('scans', namespace, policy({ ...closed, policyTypes: ['Ingress'] })),
      /denies all/,
    ],
    [
      'has a policy with a way out',
      namespaceFault('scans', namespace, policy({ ...closed, egress: [{}] })),
      /denies all/,
    ],
    [
      'has a policy with a way in',
      namespaceFault('scans', namespace, policy({ ...closed, ingress: [{}] })),
      /denies all/,
    ],
    [
      'has a policy for some pods',
      namespaceFault('scans', namespace, policy({ ...closed, podSelector: { matchLabels: { a: 'b' } } })),
      /all pods/,
    ],
  ] as const)
    test(`is not when it ${what}`, () => assert.match(fault ?? '', says))
})
