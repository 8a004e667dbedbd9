/**
 * One job: the peer of a fleet of scans: one container that clones and scans repository after repository with the same
 * tools, the same rules and the same advisories, as somebody would write it in an afternoon.
 */
import { resources } from '../../operator/kube/resources.ts'
import { until } from '../support/wait.ts'
import { type Node, openNamespace } from './node.ts'

const name = 'shell-loop'
const secretFolder = '/var/run/loop'

/** The flags are those of the engines' adapters; exit codes that only tell of findings are let pass. */
const script = `set -eu
export HOME=/tmp XDG_CACHE_HOME=/tmp GIT_SSL_CAINFO=${secretFolder}/ca.crt
export OSV_SCALIBR_LOCAL_DB_CACHE_DIRECTORY=/opt/scanfleet/advisories
export SEMGREP_ENABLE_VERSION_CHECK=0 SEMGREP_SEND_METRICS=off
for repository in $REPOSITORIES; do
  git clone --quiet --depth 1 "https://x-access-token:$(cat ${secretFolder}/token)@$HOST/$repository.git" /tmp/work
  cd /tmp/work
  /opt/semgrep/semgrep/bin/osemgrep scan --experimental --config /opt/scanfleet/rules --json --quiet --metrics off \\
    --disable-version-check --no-git-ignore --disable-nosem --x-ignore-semgrepignore-files --timeout 30 . > /tmp/semgrep.json
  gitleaks dir . --config /opt/scanfleet/rules/secrets/gitleaks.toml --gitleaks-ignore-path /dev/null \\
    --ignore-gitleaks-allow --no-banner --no-color --log-level error --report-format json --report-path /tmp/leaks.json \\
    --exit-code 0
  osv-scanner scan source --offline --no-resolve --format json --no-ignore --no-call-analysis=go --no-call-analysis=rust \\
    --config /dev/null -r . > /tmp/osv.json || test $? -eq 1 -o $? -eq 128
  test -s /tmp/semgrep.json
  cd /tmp
  rm -rf /tmp/work
done`

/** Milliseconds from the creation of the pod to the end of its container. */
export async function shellLoop(node: Node, repositories: readonly string[]): Promise<number> {
  const { client, codeHost, cluster, scanner } = node
  const { host, hostname } = new URL(codeHost.url)
  await client.create(resources.secrets, openNamespace, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    stringData: { token: codeHost.issueToken(), 'ca.crt': codeHost.caPem },
  })
  const begin = performance.now()
  await client.create(resources.pods, openNamespace, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      hostAliases: [{ ip: cluster.nodeAddress, hostnames: [hostname] }],
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65532,
        fsGroup: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'loop',
          image: scanner,
          command: ['sh', '-c', script],
          env: [
            { name: 'HOST', value: host },
            { name: 'REPOSITORIES', value: repositories.map((one) => `${codeHost.organization}/${one}`).join(' ') },
          ],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          volumeMounts: [
            { name: 'tmp', mountPath: '/tmp' },
            { name: 'secret', mountPath: secretFolder },
          ],
        },
      ],
      volumes: [
        { name: 'tmp', emptyDir: {} },
        { name: 'secret', secret: { secretName: name } },
      ],
    },
  })
  const ended = await until(
    'the shell loop has ended',
    async () => {
      const pod = await client.get(resources.pods, openNamespace, name)
      return (pod?.status?.phase === 'Succeeded' || pod?.status?.phase === 'Failed') && pod
    },
    { withinMs: 900_000, everyMs: 100 },
  )
  const took = performance.now() - begin
  if (ended.status?.phase !== 'Succeeded') throw new Error('the shell loop failed; its pod says why')
  await client.delete(resources.pods, openNamespace, name)
  await client.delete(resources.secrets, openNamespace, name)
  return took
}
