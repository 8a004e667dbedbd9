/** The command line of the image builds: build, archive, stop-engine. */
import { buildImage } from './build.ts'
import type { ImageName } from './context.ts'
import { stopDocker } from './docker.ts'

const usage = `Usage: main.ts build scanner|operator|all   build and print reference, digest and archive
       main.ts archive scanner|operator     build and print the path of the archive
       main.ts stop-engine                  stop the Docker engine that a build started
`

function imageNames(word: string | undefined): readonly ImageName[] {
  if (word === 'all') return ['scanner', 'operator']
  return word === 'scanner' || word === 'operator' ? [word] : []
}

const [command, word] = process.argv.slice(2)
const names = imageNames(word)
if (command === 'stop-engine') {
  await stopDocker()
} else if ((command === 'build' || command === 'archive') && names.length > 0) {
  for (const name of names) {
    const { ref, digest, archive } = await buildImage(name)
    process.stdout.write(command === 'archive' ? `${archive}\n` : `${ref} ${digest} ${archive}\n`)
  }
} else {
  process.stderr.write(usage)
  process.exitCode = 2
}
