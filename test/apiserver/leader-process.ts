/**
 * A candidate as a process of its own, so that a test can pause it. Says on standard output what happens, one word a line:
 * `leads`, `lost`, and for each line on standard input whether it takes itself for the leader: `yes` or `no`.
 */
import { createInterface } from 'node:readline'
import { createKubeClient } from '../../operator/kube/client.ts'
import { loadConnection } from '../../operator/kube/connection.ts'
import { createLeaderElection } from '../../operator/kube/leader.ts'
import { testLog, testMetrics } from '../support/kubernetes.ts'

const [kubeconfig = '', namespace = '', identity = ''] = process.argv.slice(2)
const say = (word: string) => process.stdout.write(`${word}\n`)
const metrics = testMetrics()
const client = createKubeClient({ connection: await loadConnection({ kubeconfig }), metrics })
const election = createLeaderElection({
  client,
  namespace,
  name: 'scanfleet-controller',
  identity,
  leaseDurationMs: 3000,
  renewDeadlineMs: 1800,
  retryMs: 300,
  onStarted: () => say('leads'),
  onLost: () => say('lost'),
  log: testLog().log,
  metrics,
})
election.start()
const questions = createInterface({ input: process.stdin })
questions.on('line', () => say(election.isLeader ? 'yes' : 'no'))
questions.on('close', () => void election.stop().then(() => client.close()))
