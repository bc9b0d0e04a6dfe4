/**
 * Counters, gauges and histograms that cost nothing but an addition when recorded.
 *
 * A metric is declared once with its label names; `with(…)` gives the cell of one set of label values, which a stage
 * keeps or looks up again without allocation. A label value outside a closed list, or one value too many of an open
 * label, becomes `other`, so that no caller can grow the memory of this process or of the one that scrapes it.
 * Knows nothing of HTTP; `exposition.ts` writes the text.
 */
import type { MetricName } from '../names.ts'

/** The value that stands for every label value that is not counted by itself. */
export const other = 'other'

/** A label: any value up to the limit of the registry, or only the listed ones. */
export type Label<Name extends string = string> =
  Name | { readonly name: Name; readonly values: readonly string[] }

/** What every metric declares. Names carry the unit (`_seconds`, `_bytes`), counters end in `_total`. */
export interface MetricSpec<Labels extends readonly Label[]> {
  readonly name: MetricName
  readonly help: string
  readonly labels: Labels
}

/** One value for each declared label, in the order of declaration; at most six. */
export type LabelValues<Labels extends readonly Label[]> = {
  readonly [index in keyof Labels]: string
}

/** Finds the cell of one set of label values. */
export interface Family<Cell, Labels extends readonly Label[]> {
  readonly with: (...values: LabelValues<Labels>) => Cell
  /** Forgets every cell, for a gauge whose subjects were replaced by a reload. */
  clear(): void
}

/** A number that only grows. */
export class CounterCell {
  value = 0

  /** Adds one, or `amount`, which must not be negative. */
  add(amount = 1): void {
    this.value += amount
  }
}

/** A number that goes up and down. */
export class GaugeCell {
  value = 0

  set(value: number): void {
    this.value = value
  }

  add(amount: number): void {
    this.value += amount
  }
}

/** A distribution over fixed upper bounds. */
export class HistogramCell {
  readonly bounds: readonly number[]
  readonly counts: Float64Array
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  /** Records one measurement, in the unit of the metric's name. */
  record(value: number): void {
    const { bounds } = this
    let index = 0
    while (index < bounds.length && value > bounds[index]!) index += 1
    this.counts[index]! += 1
    this.sum += value
  }
}

/** The cells of one metric, as the exposition reads them. */
export interface Series<Cell> {
  readonly values: readonly string[]
  readonly cell: Cell
}

/** One metric, as the exposition reads it. */
export interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  collect(): Iterable<Series<CounterCell | GaugeCell | HistogramCell>>
}

/** Seconds; the fourteen bounds that semantic conventions give for HTTP durations. */
export const durationBounds = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
] as const

/** Seconds; for work inside the process, from ten microseconds on. */
export const briefBounds = [
  0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05,
] as const

/** How far the metrics may grow. */
export interface RegistryLimits {
  /** Distinct values of one open label. */
  readonly labelValues: number
  /** Sets of label values of one metric. */
  readonly series: number
}

const longestValue = 128

class CellFamily<Cell, Labels extends readonly Label[]> implements Family<Cell, Labels>, Metric {
  readonly name: string
  readonly help: string
  readonly type: Metric['type']
  readonly labels: readonly string[]
  readonly with: (...values: LabelValues<Labels>) => Cell
  readonly #make: () => Cell
  readonly #limits: RegistryLimits
  readonly #folded: () => void
  readonly #closed: readonly (ReadonlySet<string> | undefined)[]
  #tree = new Map<string, unknown>()
  #seen: Set<string>[]
  #series: Series<Cell>[] = []

  constructor(
    spec: MetricSpec<Labels>,
    type: Metric['type'],
    make: () => Cell,
    limits: RegistryLimits,
    folded: () => void,
  ) {
    if (spec.labels.length > 6) throw new RangeError(`metric ${spec.name} has more than six labels`)
    this.name = spec.name
    this.help = spec.help
    this.type = type
    this.labels = spec.labels.map((label) => (typeof label === 'string' ? label : label.name))
    this.#closed = spec.labels.map((label) =>
      typeof label === 'string' ? undefined : new Set(label.values),
    )
    this.#seen = spec.labels.map(() => new Set())
    this.#make = make
    this.#limits = limits
    this.#folded = folded
    const find = (a = '', b = '', c = '', d = '', e = '', f = ''): Cell =>
      this.#find(a, b, c, d, e, f)
    this.with = find as unknown as (...values: LabelValues<Labels>) => Cell
    if (spec.labels.length === 0) this.#create([])
  }

  /** The look-up of a known set walks nested maps and allocates nothing. */
  #find(a: string, b: string, c: string, d: string, e: string, f: string): Cell {
    const depth = this.labels.length
    let node: unknown = this.#tree.get(a)
    if (depth > 1 && node !== undefined) node = (node as Map<string, unknown>).get(b)
    if (depth > 2 && node !== undefined) node = (node as Map<string, unknown>).get(c)
    if (depth > 3 && node !== undefined) node = (node as Map<string, unknown>).get(d)
    if (depth > 4 && node !== undefined) node = (node as Map<string, unknown>).get(e)
    if (depth > 5 && node !== undefined) node = (node as Map<string, unknown>).get(f)
    if (node !== undefined) return node as Cell
    return this.#add([a, b, c, d, e, f].slice(0, Math.max(depth, 1)))
  }

  #add(values: string[]): Cell {
    const admitted = this.labels.map((_, index) => this.#admit(index, values[index]!))
    const folded = admitted.some((value, index) => value !== values[index])
    if (folded) this.#folded()
    const known = this.#walk(admitted)
    if (known !== undefined) return known
    if (this.#series.length < this.#limits.series) return this.#create(admitted)
    if (!folded) this.#folded()
    const rest = this.labels.map(() => other)
    return this.#walk(rest) ?? this.#create(rest)
  }

  #admit(index: number, value: string): string {
    const closed = this.#closed[index]
    if (closed !== undefined) return closed.has(value) ? value : other
    if (value.length > longestValue) return other
    const seen = this.#seen[index]!
    if (seen.has(value)) return value
    if (seen.size >= this.#limits.labelValues) return other
    seen.add(value)
    return value
  }

  #walk(values: readonly string[]): Cell | undefined {
    let node: unknown = this.#tree
    for (const value of values.length === 0 ? [''] : values) {
      node = (node as Map<string, unknown>).get(value)
      if (node === undefined) return undefined
    }
    return node as Cell
  }

  #create(values: readonly string[]): Cell {
    const path = values.length === 0 ? [''] : values
    let node = this.#tree
    for (const value of path.slice(0, -1)) {
      let next = node.get(value) as Map<string, unknown> | undefined
      if (next === undefined) node.set(value, (next = new Map<string, unknown>()))
      node = next
    }
    const cell = this.#make()
    node.set(path.at(-1)!, cell)
    this.#series.push({ values, cell })
    return cell
  }

  clear(): void {
    this.#tree = new Map()
    this.#seen = this.labels.map(() => new Set())
    this.#series = []
    if (this.labels.length === 0) this.#create([])
  }

  collect(): Iterable<Series<CounterCell | GaugeCell | HistogramCell>> {
    return this.#series as unknown as Series<CounterCell | GaugeCell | HistogramCell>[]
  }
}

/** The metrics of one sidecar. */
export class Registry {
  readonly #limits: RegistryLimits
  readonly #metrics = new Map<string, Metric>()
  #folded = 0

  constructor(limits: RegistryLimits = { labelValues: 500, series: 5_000 }) {
    this.#limits = limits
  }

  /** How many records were counted under `other`. */
  get folded(): number {
    return this.#folded
  }

  /** Declares a counter. Throws when the name is taken. */
  counter<const Labels extends readonly Label[]>(
    spec: MetricSpec<Labels>,
  ): Family<CounterCell, Labels> {
    return this.#declare(spec, 'counter', () => new CounterCell())
  }

  /** Declares a gauge that is set by whoever knows its value. */
  gauge<const Labels extends readonly Label[]>(
    spec: MetricSpec<Labels>,
  ): Family<GaugeCell, Labels> {
    return this.#declare(spec, 'gauge', () => new GaugeCell())
  }

  /** Declares a histogram over `bounds`, ascending. */
  histogram<const Labels extends readonly Label[]>(
    spec: MetricSpec<Labels> & { readonly bounds: readonly number[] },
  ): Family<HistogramCell, Labels> {
    return this.#declare(spec, 'histogram', () => new HistogramCell(spec.bounds))
  }

  /** Declares a metric whose values are read when it is scraped: seconds to expiry, lengths of queues. */
  observe<const Labels extends readonly Label[]>(
    spec: MetricSpec<Labels> & { readonly type?: 'gauge' | 'counter' },
    read: () => Iterable<readonly [value: number, ...values: LabelValues<Labels>]>,
  ): void {
    const labels = spec.labels.map((label) => (typeof label === 'string' ? label : label.name))
    const { series } = this.#limits
    this.#register({
      name: spec.name,
      help: spec.help,
      type: spec.type ?? 'gauge',
      labels,
      *collect() {
        let count = 0
        for (const [value, ...values] of read()) {
          if ((count += 1) > series) return
          const cell = new GaugeCell()
          cell.set(value)
          yield { values, cell }
        }
      },
    })
  }

  /** Every metric, in the order of declaration. */
  metrics(): Iterable<Metric> {
    return this.#metrics.values()
  }

  #declare<Cell, const Labels extends readonly Label[]>(
    spec: MetricSpec<Labels>,
    type: Metric['type'],
    make: () => Cell,
  ): Family<Cell, Labels> {
    const family = new CellFamily<Cell, Labels>(spec, type, make, this.#limits, () => {
      this.#folded += 1
    })
    this.#register(family)
    return family
  }

  #register(metric: Metric): void {
    if (this.#metrics.has(metric.name)) throw new Error(`metric ${metric.name} is declared twice`)
    this.#metrics.set(metric.name, metric)
  }
}
