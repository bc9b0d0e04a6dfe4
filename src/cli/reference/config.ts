/** `docs/config.md` and `schema/sallyport.schema.json`: the configuration, from the definitions that parse it. */
import { environmentSettings, fileVariable } from '../../config/environment.ts'
import { jsonSchema, type JsonSchema } from '../../config/json-schema.ts'
import { markdownReference } from '../../config/reference.ts'
import { sidecarSchema } from '../../config/schema.ts'
import { addressPattern, durationPattern, ratePattern, sizePattern } from '../../units.ts'

/** What the values of settings with a fixed form are called. */
export const patternNames = {
  [durationPattern.source]: 'duration',
  [sizePattern.source]: 'size',
  [addressPattern.source]: 'host:port',
  [ratePattern.source]: 'rate',
}

const introduction = `# Configuration

One file, \`sallyport.yaml\`, says what a sidecar does. Every setting below has its default, so that a file names only
what differs; a key that is not listed here is an error. \`sallyport check\` reads the file and everything that it names
and reports all faults at once, with file, line and column, without opening a socket. A change is put into force while
the sidecar runs; when the new file has a fault, the last good one stays in force and \`/readyz?verbose\` says so. The
addresses of listeners and the sections \`service\`, \`identity\`, \`telemetry\` and \`wire\` are read once, at start.

- A duration is written \`250ms\`, \`5s\`, \`1m30s\`, \`2h\` or \`90d\`; a size \`512B\`, \`16KiB\` or \`10MiB\`; a rate \`100/s\`,
  \`600/m\` or \`1000/h\`.
- Paths are relative to the folder of the file.
- A setting that weakens security has \`unsafe\` in its name or value; \`sallyport check\` lists those in force.
- \`\${…}\` means nothing: the file is what it says. Facts that differ between deployments come from ${environmentSettings
  .map(({ name, setting }) => `\`${name}\` (\`${setting.join('.')}\`)`)
  .join(
    ', ',
  )}; \`${fileVariable}\` names the file. The \`OTEL_*\` variables fill what \`telemetry\` leaves open.
- Editors check the file with \`schema/sallyport.schema.json\`: begin it with
  \`# yaml-language-server: $schema=…/schema/sallyport.schema.json\`.

This page is generated from the code by \`npm run docs\`.`

/** The reference page. */
export const configPage = (): string =>
  markdownReference(introduction, jsonSchema(sidecarSchema), patternNames)

/** The schema for editors. */
export const configSchema = (): JsonSchema => ({
  ...jsonSchema(sidecarSchema),
  title: 'Configuration of a Sallyport sidecar',
})
