/** What the chart renders from its values. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Registry } from 'prom-client'
import { parse } from 'yaml'
import { readControllerConfig, readGatewayConfig } from '../../operator/config.ts'
import { createMetrics } from '../../operator/telemetry/metrics.ts'
import { chart, containerOf, find, has, render, repository } from './support.ts'

const env = { SCANFLEET_NAMESPACE: 'scanfleet', SCANFLEET_POD_NAME: 'scanfleet-0' }
const digest = `sha256:${'a'.repeat(64)}`

describe('the kinds', () => {
  const definitions = readdirSync(join(repository, 'crds'))
    .sort()
    .map((file) => parse(readFileSync(join(repository, 'crds', file), 'utf8')))
  const definitionsOf = async (values: object) =>
    (await render(values)).filter(({ kind }) => kind === 'CustomResourceDefinition')

  test('are those of crds/, kept when the release is uninstalled', async () => {
    const rendered = await definitionsOf({})
    for (const { metadata } of rendered) assert.equal(metadata.annotations['helm.sh/resource-policy'], 'keep')
    for (const { metadata } of rendered) delete metadata.annotations
    assert.deepEqual(rendered, definitions)
  })

  test('go with the release, or are left to somebody else, on request', async () => {
    assert.deepEqual(await definitionsOf({ crds: { keep: false } }), definitions)
    assert.deepEqual(await definitionsOf({ crds: { install: false } }), [])
  })
})

describe('images', () => {
  test('the version of the chart is the tag when nothing else is said', async () => {
    assert.equal(containerOf(await render({}), 'scanfleet-controller').image, 'scanfleet/operator:0.1.0')
  })

  test('a digest wins over a tag, for both images', async () => {
    const manifests = await render({ image: { tag: 'v9', digest }, scannerImage: { tag: 'v9', digest } })
    assert.equal(containerOf(manifests, 'scanfleet-gateway').image, `scanfleet/operator@${digest}`)
    assert.ok(
      containerOf(manifests, 'scanfleet-controller').args.includes(`--scanner-image=scanfleet/scanner@${digest}`),
    )
  })

  test('a registry is put before both images', async () => {
    const manifests = await render({ imageRegistry: 'mirror.example.com/code/' })
    assert.equal(containerOf(manifests, 'scanfleet-gateway').image, 'mirror.example.com/code/scanfleet/operator:0.1.0')
    const scanner = '--scanner-image=mirror.example.com/code/scanfleet/scanner:0.1.0'
    assert.ok(containerOf(manifests, 'scanfleet-controller').args.includes(scanner))
  })
})

describe('options of the two processes', () => {
  test('the controller understands what the chart hands it', async () => {
    const manifests = await render({
      watchNamespaces: ['team-a', 'team-b'],
      logLevel: 'debug',
      shutdownSeconds: 33,
      scannerImage: { pullPolicy: 'Never', pullSecrets: ['registry'] },
      controller: {
        allowedPrivateNetworks: ['10.0.0.0/8'],
        maxConcurrentScans: 7,
        leaderElection: { leaseDurationSeconds: 30, leaseRenewSeconds: 20, leaseRetrySeconds: 4 },
      },
      scans: { namespace: 'code', requireFence: false },
    })
    const [process, ...args] = containerOf(manifests, 'scanfleet-controller').args
    assert.equal(process, 'controller')
    assert.deepEqual(
      { ...readControllerConfig(args, env) },
      {
        namespace: 'scanfleet',
        podName: 'scanfleet-0',
        watchNamespaces: ['team-a', 'team-b'],
        logLevel: 'debug',
        metricsPort: 9090,
        healthPort: 8081,
        shutdownSeconds: 33,
        scanNamespace: 'code',
        scannerImage: 'scanfleet/scanner:0.1.0',
        scannerImagePullPolicy: 'Never',
        scannerImagePullSecrets: ['registry'],
        gatewayService: 'scanfleet-gateway',
        gatewayPort: 8443,
        gatewayTlsSecret: 'scanfleet-gateway-tls',
        manageGatewayTls: true,
        fenceCanaryPort: 8444,
        requireFence: false,
        allowedPrivateNetworks: ['10.0.0.0/8'],
        maxConcurrentScans: 7,
        leaseDurationSeconds: 30,
        leaseRenewSeconds: 20,
        leaseRetrySeconds: 4,
      },
    )
  })

  test('the gateway understands what the chart hands it, with either store', async () => {
    const embedded = readGatewayConfig(containerOf(await render({}), 'scanfleet-gateway').args.slice(1), env)
    assert.equal(embedded.postgresUrlFile, undefined)
    assert.equal(embedded.sqliteFile, '/var/lib/scanfleet/findings.db')
    const postgres = containerOf(await render({}, 'high-availability'), 'scanfleet-gateway')
    const file = readGatewayConfig(postgres.args.slice(1), env).postgresUrlFile
    assert.equal(file, '/var/run/scanfleet/postgres/url')
    assert.ok(postgres.volumeMounts.some((mount: { mountPath: string }) => file?.startsWith(`${mount.mountPath}/`)))
  })

  test('probes, metrics and Services use the ports that the processes listen on', async () => {
    const manifests = await render({})
    const config = readGatewayConfig(containerOf(manifests, 'scanfleet-gateway').args.slice(1), env)
    const ports = new Map<string, number>(
      containerOf(manifests, 'scanfleet-gateway').ports.map((port: { name: string; containerPort: number }) => [
        port.name,
        port.containerPort,
      ]),
    )
    assert.deepEqual(
      [ports.get('https'), ports.get('fence-canary'), ports.get('metrics'), ports.get('health')],
      [config.port, config.fenceCanaryPort, config.metricsPort, config.healthPort],
    )
  })
})

describe('availability', () => {
  test('one replica has no disruption budget, two have one', async () => {
    assert.ok(!has(await render({}), 'PodDisruptionBudget', 'scanfleet-controller'))
    const several = await render({}, 'high-availability')
    assert.ok(has(several, 'PodDisruptionBudget', 'scanfleet-controller'))
    assert.ok(has(several, 'PodDisruptionBudget', 'scanfleet-gateway'))
  })

  test('the embedded store is never opened by two pods', async () => {
    assert.equal(find(await render({}), 'Deployment', 'scanfleet-gateway').spec.strategy.type, 'Recreate')
    assert.equal(
      find(await render({}, 'high-availability'), 'Deployment', 'scanfleet-gateway').spec.strategy,
      undefined,
    )
  })

  test('findings are on a claim, on a named claim, in PostgreSQL, or in the pod', async () => {
    const storeOf = async (values: object, rendering?: string) =>
      find(await render(values, rendering), 'Deployment', 'scanfleet-gateway').spec.template.spec.volumes.at(-1)
    assert.equal((await storeOf({})).persistentVolumeClaim.claimName, 'scanfleet-gateway-store')
    const named = { store: { sqlite: { persistence: { existingClaim: 'findings' } } } }
    assert.equal((await storeOf(named)).persistentVolumeClaim.claimName, 'findings')
    assert.ok(!has(await render(named), 'PersistentVolumeClaim', 'scanfleet-gateway-store'))
    assert.equal((await storeOf({}, 'high-availability')).secret.secretName, 'findings-database')
    assert.deepEqual((await storeOf({}, 'scoped')).emptyDir, {})
  })

  test('an empty StorageClass is said, the default one is not', async () => {
    const classOf = async (storageClassName: string | null) => {
      const manifests = await render({ store: { sqlite: { persistence: { storageClassName } } } })
      return find(manifests, 'PersistentVolumeClaim', 'scanfleet-gateway-store').spec.storageClassName
    }
    assert.equal(await classOf(''), '')
    assert.equal(await classOf('fast'), 'fast')
    assert.equal(await classOf(null), undefined)
  })
})

describe('the certificate of the gateway', () => {
  test('is made by the controller unless somebody else is named', async () => {
    const cases: readonly [object, string, boolean][] = [
      [{}, 'scanfleet-gateway-tls', true],
      [{ gateway: { tls: { existingSecret: 'ours' } } }, 'ours', false],
      [
        { gateway: { tls: { certManager: { enabled: true, issuerRef: { name: 'x' } } } } },
        'scanfleet-gateway-tls',
        false,
      ],
    ]
    for (const [values, secret, managed] of cases) {
      const manifests = await render(values)
      const config = readControllerConfig(containerOf(manifests, 'scanfleet-controller').args.slice(1), env)
      assert.deepEqual([config.gatewayTlsSecret, config.manageGatewayTls], [secret, managed])
      const volumes = find(manifests, 'Deployment', 'scanfleet-gateway').spec.template.spec.volumes
      assert.equal(volumes.find((volume: { name: string }) => volume.name === 'tls').secret.secretName, secret)
    }
  })

  test('reaches the gateway without the key of its authority', async () => {
    const volumes = find(await render({}), 'Deployment', 'scanfleet-gateway').spec.template.spec.volumes
    const tls = volumes.find((volume: { name: string }) => volume.name === 'tls')
    assert.deepEqual(
      tls.secret.items.map((item: { key: string }) => item.key),
      ['tls.crt', 'tls.key'],
    )
  })
})

describe('the fence around scans', () => {
  test('stands without a rule in the namespace of the scans', async () => {
    const policy = find(await render({}), 'NetworkPolicy', 'default-deny')
    assert.equal(policy.metadata.namespace, 'scanfleet-scans')
    assert.deepEqual(policy.spec, { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
  })

  test('stays when the policies of the operator itself are turned off', async () => {
    const manifests = await render({ networkPolicy: { enabled: false } })
    assert.deepEqual(
      manifests.filter(({ kind }) => kind === 'NetworkPolicy').map(({ metadata }) => metadata.name),
      ['default-deny'],
    )
  })

  test('can be proven: nothing on the side of the gateway keeps scan pods from the canary', async () => {
    const policy = find(await render({}), 'NetworkPolicy', 'scanfleet-gateway')
    const fromScans = policy.spec.ingress[0]
    assert.deepEqual(fromScans.from, [
      { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'scanfleet-scans' } } },
    ])
    assert.ok(fromScans.ports.some((port: { port: string }) => port.port === 'fence-canary'))
  })

  test('the namespace enforces Pod Security restricted', async () => {
    const { labels } = find(await render({}), 'Namespace', 'scanfleet-scans').metadata
    assert.deepEqual(
      ['enforce', 'audit', 'warn'].map((mode) => labels[`pod-security.kubernetes.io/${mode}`]),
      ['restricted', 'restricted', 'restricted'],
    )
  })
})

describe('what monitoring is given', () => {
  test('is off, Services aside, until it is asked for', async () => {
    const kinds = new Set((await render({})).map(({ kind }) => kind))
    assert.deepEqual(
      ['ServiceMonitor', 'PrometheusRule', 'ConfigMap'].filter((kind) => kinds.has(kind)),
      [],
    )
    const asked = await render({}, 'high-availability')
    assert.ok(has(asked, 'ServiceMonitor', 'scanfleet-controller') && has(asked, 'ServiceMonitor', 'scanfleet-gateway'))
    assert.ok(find(asked, 'PrometheusRule', 'scanfleet').spec.groups[0].rules.length > 0)
    assert.ok(JSON.parse(find(asked, 'ConfigMap', 'scanfleet-dashboard').data['scanfleet.json']).panels.length > 0)
  })

  test('asks only for metrics that the operator has', () => {
    const registry = new Registry()
    createMetrics(registry)
    const known = new Set(registry.getMetricsAsArray().map(({ name }) => name))
    for (const file of ['alerts.yaml', 'dashboard.json']) {
      const asked = readFileSync(join(chart, 'monitoring', file), 'utf8').match(/scanfleet_[a-z_]+/g) ?? []
      assert.ok(asked.length > 0)
      assert.deepEqual(
        asked.filter((name) => !known.has(name.replace(/_bucket$/, ''))),
        [],
      )
    }
  })
})

describe('further objects and labels', () => {
  test('are rendered as objects and as text, with templates', async () => {
    const manifests = await render({}, 'scoped')
    assert.ok(has(manifests, 'ConfigMap', 'scanfleet-extra') && has(manifests, 'ConfigMap', 'scanfleet-extra-text'))
  })

  test('common labels are on every object', async () => {
    const manifests = await render({}, 'high-availability')
    const bare = manifests.filter(
      ({ kind, metadata }) => kind !== 'CustomResourceDefinition' && metadata.labels?.team !== 'platform',
    )
    assert.deepEqual(
      bare.map(({ kind, metadata }) => `${kind}/${metadata.name}`),
      [],
    )
  })
})
