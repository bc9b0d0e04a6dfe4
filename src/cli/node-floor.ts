/**
 * Refuses to run where Node itself is not safe: releases with known holes that matter to a proxy, a parser that was
 * told to be lenient, an open debugger.
 *
 * Uses nothing but the words given, so that it can be asked before anything else is loaded. Does not look at the
 * packages; the lock file does.
 */

/** First release of each line without the holes of July 2026; a line that is not listed must be newer than all. */
const floors: readonly (readonly [major: number, minor: number, patch: number])[] = [
  [22, 23, 2],
  [24, 18, 1],
  [26, 5, 1],
]

/** The option that lets an unsafe Node run all the same. */
export const unsafeNodeOption = '--unsafe-node'

/** Why the process must not start, and what would help. */
export interface NodeFault {
  readonly message: string
  readonly hint: string
}

const atLeast = (have: readonly number[], floor: readonly number[]): boolean => {
  for (const [index, number] of floor.entries()) {
    const own = have[index] ?? 0
    if (own !== number) return own > number
  }
  return true
}

const isSafe = (version: string): boolean => {
  const have = version.split('.').map((part) => Number.parseInt(part, 10))
  const line = floors.find(([major]) => major === have[0])
  return line ? atLeast(have, line) : atLeast(have, [27, 0, 0])
}

const lenientParser = '--insecure-http-parser'

/**
 * What speaks against this Node, or undefined when nothing does.
 *
 * @param version as `process.versions.node` gives it
 * @param flags the options that Node was started with, those of `NODE_OPTIONS` among them
 */
export const nodeFault = (version: string, flags: readonly string[]): NodeFault | undefined => {
  if (flags.some((flag) => flag.split('=')[0] === lenientParser)) {
    return {
      message: `node was started with ${lenientParser}, which lets requests be smuggled past policies`,
      hint: `take ${lenientParser} out of the command line and of NODE_OPTIONS`,
    }
  }
  const inspector = flags.find((flag) => /^--inspect(?:-brk|-wait)?(?:=|$)/.test(flag))
  if (inspector !== undefined) {
    return {
      message: `node was started with ${inspector}, which lets others on this machine run code in the sidecar`,
      hint: `start without it, or pass ${unsafeNodeOption} to debug where nobody else is`,
    }
  }
  if (isSafe(version)) return undefined
  return {
    message: `node ${version} has known security holes that reach a proxy`,
    hint: `use ${floors.map((floor) => floor.join('.')).join(', ')} or newer, or pass ${unsafeNodeOption} to run without protection from them`,
  }
}
