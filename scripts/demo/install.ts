/** One job: install the chart with the values that this machine or cluster needs; the demo and the cluster tests do it by this. */
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { z } from 'zod'
import type { Images } from './images.ts'
import { type Access, helm, kubectl, kubectlJson } from './kubectl.ts'
import { codeHost, namespaces, release, root } from './settings.ts'

export interface Installation {
  /** Where the values are written, and on a node of ours the findings. */
  readonly folder: string
  readonly images: Images
  /** Address of the demo code host, when there is one. */
  readonly codeHostAddress: string | undefined
  /** The cluster is ours: it has no StorageClass, and its node is this machine. */
  readonly ownNode: boolean
  /** Values of the chart that go over all others; helm merges them in depth. */
  readonly values?: Readonly<Record<string, unknown>>
}

export async function install(access: Access, installation: Installation): Promise<void> {
  const values = join(installation.folder, 'values.yaml')
  const overrides = join(installation.folder, 'overrides.yaml')
  mkdirSync(installation.folder, { recursive: true })
  writeFileSync(values, stringify(await toValues(access, installation)))
  writeFileSync(overrides, stringify(installation.values ?? {}))
  await kubectl(access, ['apply', '-f', '-'], stringify(namespace))
  const chart = join(root, 'charts', 'scanfleet')
  const where = ['--namespace', namespaces.operator, '--values', values, '--values', overrides]
  try {
    await helm(access, ['upgrade', '--install', release, chart, ...where, '--wait', '--timeout', '3m'])
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await whatIsWrong(access)}`, { cause: error })
  }
}

/** Pods and the last words of both processes: what a person would look at first. */
async function whatIsWrong(access: Access): Promise<string> {
  const questions = [
    ['get', 'pods', '-o', 'wide'],
    ['logs', `deployment/${release}-controller`, '--tail=5'],
    ['logs', `deployment/${release}-gateway`, '--tail=5'],
  ]
  const answers = questions.map((question) =>
    kubectl(access, ['-n', namespaces.operator, ...question]).catch((error: Error) => error.message),
  )
  return (await Promise.all(answers)).join('\n')
}

const namespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: namespaces.operator, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
}

async function toValues(access: Access, installation: Installation): Promise<object> {
  const { folder, images, codeHostAddress, ownNode } = installation
  return {
    image: images.operator,
    scannerImage: images.scanner,
    scans: { namespace: namespaces.scans },
    networkPolicy: {
      apiServer: { ports: await apiServerPorts(access) },
      codeHosts: { ports: [443, codeHost.port] },
    },
    ...(codeHostAddress && {
      controller: {
        allowedPrivateNetworks: [`${codeHostAddress}/${isIPv6(codeHostAddress) ? 128 : 32}`],
        hostAliases: [{ ip: codeHostAddress, hostnames: [codeHost.name] }],
      },
    }),
    ...(ownNode ? volumeOnThisMachine(join(folder, 'findings')) : await volumeOfCluster(access)),
  }
}

/** NetworkPolicies see the port behind the Service `kubernetes`, and clusters choose it freely. */
async function apiServerPorts(access: Access): Promise<number[]> {
  const selector = ['-l', 'kubernetes.io/service-name=kubernetes']
  const slices = slicesSchema.parse(await kubectlJson(access, ['get', 'endpointslices', '-n', 'default', ...selector]))
  const ports = slices.items.flatMap((slice) => slice.ports.map(({ port }) => port))
  return [...new Set([443, ...ports])]
}

const slicesSchema = z.object({ items: z.array(z.object({ ports: z.array(z.object({ port: z.int() })) })) })

/** Findings outlive the gateway's pod, also without a provisioner of volumes. */
function volumeOnThisMachine(folder: string): object {
  mkdirSync(folder, { recursive: true })
  if (process.getuid?.() === 0) chownSync(folder, 65532, 65532)
  const volume = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `${release}-findings` },
    spec: {
      capacity: { storage: '5Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: '',
      claimRef: { namespace: namespaces.operator, name: `${release}-gateway-store` },
      hostPath: { path: folder, type: 'Directory' },
    },
  }
  return { store: { sqlite: { persistence: { storageClassName: '' } } }, extraObjects: [volume] }
}

/** A claim without a class to serve it would wait for ever; then findings live as long as the gateway's pod. */
async function volumeOfCluster(access: Access): Promise<object> {
  const isDefault = 'storageclass.kubernetes.io/is-default-class'
  const { items } = classesSchema.parse(await kubectlJson(access, ['get', 'storageclasses']))
  const served = items.some(({ metadata }) => metadata.annotations[isDefault] === 'true')
  return served ? {} : { store: { sqlite: { persistence: { enabled: false } } } }
}

const classesSchema = z.object({
  items: z.array(z.object({ metadata: z.object({ annotations: z.record(z.string(), z.string()).default({}) }) })),
})
