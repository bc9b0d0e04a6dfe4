/**
 * `npm run bench [-- NAME…] [--json] [--rounds N] [--seconds N] [--alone]`: runs benchmarks and writes each result, with the
 * machine and the versions that it was measured on, to `bench/results/NAME.json` and `NAME.md`.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { benchInbound, type InboundOptions } from './inbound.ts'
import { stopAll } from './processes.ts'
import { formatTable, type Table } from './table.ts'

const benchmarks: Readonly<Record<string, (options: InboundOptions) => Promise<Table>>> = {
  inbound: benchInbound,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    alone: { type: 'boolean', default: false },
  },
})

const firstLine = (program: string, argument: string): string => {
  try {
    const text = execFileSync('sh', ['-c', `${program} ${argument} 2>&1 | head -1`])
    return text.toString().trim()
  } catch {
    return 'absent'
  }
}

const machine = {
  processor: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 1024 ** 3),
  node: process.version,
  openssl: process.versions.openssl,
  wrk: firstLine('wrk', '-v'),
  nginx: firstLine('nginx', '-v'),
  haproxy: firstLine('haproxy', '-v'),
}

const names = positionals.length > 0 ? positionals : Object.keys(benchmarks)
const results = join(import.meta.dirname, 'results')
mkdirSync(results, { recursive: true })
try {
  for (const name of names) {
    const benchmark = benchmarks[name]
    if (benchmark === undefined) {
      throw new Error(
        `no benchmark is called ${name}; there are ${Object.keys(benchmarks).join(', ')}`,
      )
    }
    const table = await benchmark({
      rounds: Number(values.rounds),
      seconds: Number(values.seconds),
      peers: values.alone ? 'alone' : 'all',
    })
    const result = { name, command: `npm run bench -- ${name}`, machine, ...table }
    const text = `${formatTable(table)}\nMachine: ${Object.entries(machine)
      .map(([key, value]) => `${key} ${value}`)
      .join(', ')}\n`
    writeFileSync(join(results, `${name}.json`), `${JSON.stringify(result, undefined, 2)}\n`)
    writeFileSync(join(results, `${name}.md`), text)
    process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : `${text}\n`)
  }
} finally {
  stopAll()
}
