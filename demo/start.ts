/**
 * `npm start`: starts the mesh of the quickstart, prints where to look, and walks through the story. With `--check` it
 * runs the story once and exits 0 when every step did what it says, else 1.
 */
import { join } from 'node:path'
import { startMesh, workloads, type DemoMesh } from './mesh.ts'
import { story } from './story.ts'

const defaultCollector = 'http://127.0.0.1:4318'

/** The collector to send traces to, when one answers. */
const findCollector = async (): Promise<string | undefined> => {
  const url = process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? defaultCollector
  try {
    await fetch(url, { signal: AbortSignal.timeout(500) })
    return url
  } catch {
    return undefined
  }
}

const addressText = ({ host, port }: { host: string; port: number }): string => `${host}:${port}`

const introduce = (mesh: DemoMesh, collector: string | undefined): void => {
  const lines = workloads.map((name) => {
    const { addresses } = mesh.sidecars[name]
    return `  ${name.padEnd(9)} app door http://${addressText(addresses.app)}   admin http://${addressText(addresses.admin)}/`
  })
  process.stdout.write(
    [
      'sallyport demo: edge → web → orders → payments → card API',
      ...lines,
      `  traces    ${collector === undefined ? 'on each admin page (no collector answers on 4318)' : `sent to ${collector}, and on each admin page`}`,
      '',
      '',
    ].join('\n'),
  )
}

const tell = async (mesh: DemoMesh): Promise<number> => {
  let failed = 0
  for (const { title, run } of story) {
    try {
      process.stdout.write(`ok    ${title}\n      ${await run(mesh)}\n`)
    } catch (thrown) {
      failed += 1
      process.stdout.write(`FAIL  ${title}\n      ${(thrown as Error).message}\n`)
    }
  }
  return failed
}

const collector = await findCollector()
const mesh = await startMesh(join(import.meta.dirname, '..'), collector)
introduce(mesh, collector)
const failed = await tell(mesh)
if (process.argv.includes('--check')) {
  await mesh.stop()
  process.exit(failed === 0 ? 0 : 1)
}
process.stdout.write(
  '\nstill running; look at the admin pages, edit demo/state/policies, stop with Ctrl-C\n',
)
const stop = (): void => void mesh.stop().then(() => process.exit(0))
process.once('SIGINT', stop)
process.once('SIGTERM', stop)
