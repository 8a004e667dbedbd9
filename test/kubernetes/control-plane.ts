/**
 * One job: etcd, the API server and the controller manager.
 * The controller manager belongs to it because without it no namespace ever goes away and no owner's children are collected.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ask, type Instance, until } from './instance.ts'
import { componentKubeconfig, writeKubeconfig } from './kubeconfig.ts'

/** Starts the three and returns when the API server is ready and new namespaces get their service account. */
export async function startControlPlane(instance: Instance): Promise<void> {
  const { pki, addresses, server } = instance
  const names = [
    'localhost',
    '127.0.0.1',
    addresses.listen,
    addresses.serviceAddress,
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
  ]
  instance.launch('etcd', etcd(instance))
  await pki.server('kube-apiserver', [...new Set(names)])
  await pki.client('kube-apiserver-kubelet', 'kube-apiserver-kubelet', 'system:masters')
  const identity = await pki.client('admin', 'admin', 'system:masters')
  writeKubeconfig({
    path: join(instance.folder, 'kubeconfig'),
    name: instance.name,
    server,
    caPem: pki.caPem,
    identity,
  })
  const managerConfig = await componentKubeconfig(
    pki,
    server,
    'kube-controller-manager',
    'system:kube-controller-manager',
  )
  instance.launch('kube-apiserver', apiServer(instance))
  await until(instance, 'the API server is ready', async () => (await ask(instance, '/readyz')).status === 200)
  instance.launch('kube-controller-manager', controllerManager(instance, managerConfig))
  const account = '/api/v1/namespaces/default/serviceaccounts/default'
  await until(
    instance,
    'namespaces get their service account',
    async () => (await ask(instance, account)).status === 200,
  )
}

function etcd(instance: Instance): readonly string[] {
  const client = `http://127.0.0.1:${instance.addresses.ports.etcd}`
  const peer = `http://127.0.0.1:${instance.addresses.ports.etcdPeer}`
  return [
    join(instance.bin, 'etcd'),
    `--data-dir=${join(instance.folder, 'etcd')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--unsafe-no-fsync', // a cluster that is made anew after a crash needs no durable log
    '--log-level=warn',
  ]
}

function apiServer(instance: Instance): readonly string[] {
  const { pki, addresses } = instance
  const onLoopback = addresses.listen === '127.0.0.1'
  return [
    join(instance.bin, 'kube-apiserver'),
    `--etcd-servers=http://127.0.0.1:${addresses.ports.etcd}`,
    `--bind-address=${addresses.listen}`,
    `--secure-port=${addresses.ports.apiServer}`,
    // It refuses to advertise a loopback address. Without nodes nobody reads what it advertises.
    `--advertise-address=${onLoopback ? addresses.serviceAddress : addresses.listen}`,
    ...(onLoopback ? ['--endpoint-reconciler-type=none'] : []),
    `--tls-cert-file=${pki.certificate('kube-apiserver')}`,
    `--tls-private-key-file=${pki.key('kube-apiserver')}`,
    `--client-ca-file=${pki.caFile}`,
    '--authorization-mode=Node,RBAC',
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${join(pki.folder, 'service-account.pub')}`,
    `--service-account-signing-key-file=${join(pki.folder, 'service-account.key')}`,
    `--service-cluster-ip-range=${addresses.serviceCidr}`,
    `--kubelet-client-certificate=${pki.certificate('kube-apiserver-kubelet')}`,
    `--kubelet-client-key=${pki.key('kube-apiserver-kubelet')}`,
    '--kubelet-preferred-address-types=InternalIP',
    ...(instance.audit ? auditing(instance) : []),
  ]
}

/** Who called what and when, one JSON line per request, without bodies. */
function auditing(instance: Instance): readonly string[] {
  const policy = join(instance.folder, 'audit-policy.json')
  const rules = [{ level: 'Metadata', omitStages: ['RequestReceived'] }]
  writeFileSync(policy, JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules }))
  return [`--audit-policy-file=${policy}`, `--audit-log-path=${auditLogPath(instance.folder)}`, '--audit-log-maxsize=0']
}

export function auditLogPath(folder: string): string {
  return join(folder, 'audit.jsonl')
}

function controllerManager(instance: Instance, kubeconfig: string): readonly string[] {
  const { pki, addresses, mode } = instance
  const nodeAddresses = [
    '--allocate-node-cidrs=true',
    `--cluster-cidr=${addresses.podCidr}`,
    '--node-cidr-mask-size=17',
  ]
  return [
    join(instance.bin, 'kube-controller-manager'),
    `--kubeconfig=${kubeconfig}`,
    '--leader-elect=false',
    '--secure-port=0',
    '--use-service-account-credentials=true',
    // Its own limit of 20 requests per second would hold up the first service account by four seconds.
    '--kube-api-qps=500',
    '--kube-api-burst=500',
    `--service-account-private-key-file=${join(pki.folder, 'service-account.key')}`,
    `--root-ca-file=${pki.caFile}`,
    ...(mode === 'node' ? nodeAddresses : []),
  ]
}
