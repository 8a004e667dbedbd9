import { readFile } from 'node:fs/promises'
import { toCss, type Tokens } from './css.ts'

const tokens: Tokens = JSON.parse(await readFile(new URL('../tokens.json', import.meta.url), 'utf8'))
process.stdout.write(toCss(tokens))
