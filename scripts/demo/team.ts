/** One job: apply what a team would: a connection with its Secret, and a ManagedScan. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDocument, stringify } from 'yaml'
import type { CodeHost } from './codehost.ts'
import { type Access, kubectl } from './kubectl.ts'
import { namespaces, root, type Settings } from './settings.ts'

const examples = join(root, 'examples', 'demo')

/** The manifests of examples/demo; with GitHub, the connection names that organization and its token instead. */
export async function applyManifests(access: Access, settings: Settings, host: CodeHost | undefined): Promise<void> {
  await kubectl(access, ['apply', '-f', join(examples, 'namespace.yaml'), '-f', join(examples, 'reader.yaml')])
  if (host) await applyHost(access, host)
  else if (settings.source.kind === 'GitHub') await applyGitHub(access, settings.source)
  const managedScan = parseDocument(readFileSync(join(examples, 'managed-scan.yaml'), 'utf8'))
  if (!settings.userNamespaces) managedScan.setIn(['spec', 'pod', 'userNamespaces'], false)
  await kubectl(access, ['apply', '-f', '-'], String(managedScan))
}

async function applyHost(access: Access, { ca, privateKey }: CodeHost): Promise<void> {
  await applySecret(access, 'demo-app', { 'private-key': privateKey })
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'demo-ca', namespace: namespaces.team },
    data: { 'ca.crt': ca },
  }
  await kubectl(access, ['apply', '-f', '-'], stringify(configMap))
  await kubectl(access, ['apply', '-f', join(examples, 'connection.yaml')])
}

async function applyGitHub(access: Access, source: { token: string; organization: string }): Promise<void> {
  await applySecret(access, 'demo-token', { token: source.token })
  const connection = parseDocument(readFileSync(join(examples, 'connection.yaml'), 'utf8'))
  connection.set('spec', {
    provider: 'GitHub',
    owner: { organization: source.organization },
    credentials: { tokenSecretRef: { name: 'demo-token' } },
  })
  await kubectl(access, ['apply', '-f', '-'], String(connection))
}

/** By standard input, and server-side, so that no value lies in an argument or in an annotation. */
async function applySecret(access: Access, name: string, stringData: Readonly<Record<string, string>>): Promise<void> {
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: namespaces.team }, stringData }
  await kubectl(access, ['apply', '--server-side', '--field-manager=scanfleet-demo', '-f', '-'], JSON.stringify(secret))
}
