/** Tools from outside Node that check what is deployed; a test that needs one that is not there says so and is skipped. */
import { spawnSync } from 'node:child_process'

/** What a tool said. */
export interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** A tool that is there. */
export type Tool = (words: readonly string[], input?: string) => Said

/**
 * The tool that `variable` names, or the one called `name`; undefined when it does not answer to `probe`.
 *
 * Prints which tool is missing and how to name one.
 */
export const findTool = (
  name: string,
  variable: string,
  probe: readonly string[],
): Tool | undefined => {
  const command = process.env[variable] || name
  const tool: Tool = (words, input) => {
    const { status, stdout, stderr } = spawnSync(command, [...words], {
      encoding: 'utf8',
      maxBuffer: 32 * 1024 * 1024,
      ...(input === undefined ? {} : { input }),
    })
    return { code: status ?? -1, out: stdout ?? '', err: stderr ?? '' }
  }
  if (tool(probe).code === 0) return tool
  process.stderr.write(`${name} is not here, its tests are skipped; ${variable} names one\n`)
  return undefined
}
