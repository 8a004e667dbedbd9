/**
 * One job: processor time by process: what a piece of work costs whom. Unlike a clock it is hardly moved by what else runs
 * on the machine.
 */
import { readFileSync } from 'node:fs'
import { clusterFolder, defaultStateDir, readRecord } from '../kubernetes/state.ts'
import type { Installation } from './installation.ts'

/** Milliseconds by name of the process. */
export type ProcessorTimes = Readonly<Record<string, number>>

export interface ProcessorMeter {
  /** Time since the meter was made, divided by the number of items. */
  perItem(items: number): ProcessorTimes
}

export function createProcessorMeter(installation: Installation): ProcessorMeter {
  const record = readRecord(clusterFolder(defaultStateDir, installation.cluster.name))
  const processes = [
    { name: 'controller', pid: installation.controller().pid },
    ...(record?.processes ?? []).map(({ name, pid }) => ({ name, pid })),
  ]
  const before = processes.map(({ pid }) => processorMs(pid))
  return {
    perItem: (items) =>
      Object.fromEntries(
        processes.map(({ name, pid }, index) => [name, (processorMs(pid) - (before[index] ?? 0)) / items]),
      ),
  }
}

/** The kernel counts in hundredths of a second for user space. */
const tickMs = 10

function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name stands in brackets and may contain anything; user and system time are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * tickMs
}
