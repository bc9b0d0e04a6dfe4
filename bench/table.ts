/** Alternates contenders, takes medians, and writes ratios: the only form in which a number leaves this folder. */
import type { LoadResult } from './load.ts'

/** One that is measured. */
export interface Contender {
  readonly name: string
  readonly run: () => Promise<LoadResult>
  /** The least ratio of the first contender to this one that we want to reach. */
  readonly goal?: number
}

/** One row of a result. */
export interface Row {
  readonly name: string
  /** Median requests per second. */
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** The first contender's rate by this one's. */
  readonly ratio: number
  readonly goal: number | undefined
  readonly errors: number
  readonly runs: readonly number[]
}

/** A result. */
export interface Table {
  readonly title: string
  readonly rows: readonly Row[]
}

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN

/** Runs every contender once a round, after one round that is not counted. */
export const alternate = async (
  title: string,
  contenders: readonly Contender[],
  rounds: number,
): Promise<Table> => {
  const results = contenders.map((): LoadResult[] => [])
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, contender] of contenders.entries()) {
      const result = await contender.run()
      if (round > 0) results[index]!.push(result)
    }
  }
  const rates = results.map((runs) => median(runs.map((run) => run.requestsPerSecond)))
  return {
    title,
    rows: contenders.map(({ name, goal }, index) => ({
      name,
      requestsPerSecond: Math.round(rates[index]!),
      p50Ms: median(results[index]!.map((run) => run.p50Ms)),
      p99Ms: median(results[index]!.map((run) => run.p99Ms)),
      ratio: Math.round((rates[0]! / rates[index]!) * 100) / 100,
      goal,
      errors: results[index]!.reduce((sum, run) => sum + run.errors, 0),
      runs: results[index]!.map((run) => Math.round(run.requestsPerSecond)),
    })),
  }
}

/** The table as Markdown. */
export const formatTable = ({ title, rows }: Table): string =>
  [
    `### ${title}`,
    '',
    '| contender | median/s | p50 ms | p99 ms | ours ÷ it | goal | errors |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(
      (row) =>
        `| ${row.name} | ${row.requestsPerSecond} | ${row.p50Ms} | ${row.p99Ms} | ${row.ratio} | ${row.goal === undefined ? '' : `≥ ${row.goal}`} | ${row.errors} |`,
    ),
    '',
  ].join('\n')
