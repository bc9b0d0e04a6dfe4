/** One sidecar as a process of its own, for the benchmarks: takes the path of its configuration. */
import { loadConfig } from '../src/config/load.ts'
import { startSidecar } from '../src/sidecar.ts'

const file = process.argv[2]!
const load = () => loadConfig({ file, environment: process.env, now: Date.now })
const sidecar = await startSidecar({ loaded: load(), load })
process.once('SIGTERM', () => void sidecar.stop().then(() => process.exit(0)))
