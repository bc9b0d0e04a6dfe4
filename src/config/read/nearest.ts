/** Finds the name that somebody most likely meant: for unknown keys, values, commands and options. */
import { editDistance } from '../../catalog/entry/nearness.ts'

const longest = 64

const comparable = (text: string): string => text.toLowerCase().replaceAll(/[-_. ]/g, '')

/** The candidate nearest to `text`, or undefined when none is near enough to be a slip of the pen. */
export const nearest = (text: string, candidates: readonly string[]): string | undefined => {
  if (text.length > longest) return undefined
  const wanted = comparable(text)
  const ranked = candidates
    .map((name) => ({ name, away: editDistance(wanted, comparable(name)) }))
    .sort((left, right) => left.away - right.away)
  const best = ranked[0]
  if (!best) return undefined
  const allowed = Math.max(1, Math.floor(Math.max(wanted.length, best.name.length) / 3))
  return best.away <= allowed ? best.name : undefined
}
