/**
 * Notices that files changed: by notification when the system gives one, and by comparing them every two seconds
 * anyway.
 *
 * The comparison follows links and looks at what is behind them, so the `..data` swap of Kubernetes, network file
 * systems and editors that replace a file are all seen. Changes are gathered for a second and handled one after the
 * other; what they mean is the listener's business.
 */
import { watch, type FSWatcher, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Timers, passed in so that a test can hold them. Each gives a function that cancels it. */
export interface Timers {
  after(ms: number, run: () => void): () => void
}

/** The timers of the process; none of them keeps it alive. */
export const systemTimers: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** What to watch and whom to tell. */
export interface WatchOptions {
  /** Files and folders; folders are watched with all that is in them. Asked again before each comparison. */
  readonly paths: () => readonly string[]
  readonly timers: Timers
  /** Called after a change; the next call waits until this one is done. */
  readonly onChange: () => Promise<void>
  /** Milliseconds between two comparisons. */
  readonly everyMs?: number
  /** Milliseconds in which changes are gathered; at least a second, so that a storm of changes costs one reload. */
  readonly gatherMs?: number
}

/** A running watch. */
export interface Watch {
  /** Compares now instead of at the next turn, for SIGHUP. */
  check(): void
  stop(): void
}

const leastGatherMs = 1_000
const deepest = 16

const describe = (path: string, depth: number): readonly string[] => {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true })
  if (!found) return [`${path} -`]
  if (!found.isDirectory())
    return [`${path} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`]
  if (depth >= deepest) return [`${path} …`]
  return readdirSync(path)
    .sort()
    .filter((name) => !name.startsWith('..'))
    .flatMap((name) => describe(join(path, name), depth + 1))
}

const fingerprint = (paths: readonly string[]): string => {
  try {
    return paths.flatMap((path) => describe(path, 0)).join('\n')
  } catch (error) {
    return `unreadable: ${String(error)}`
  }
}

/** Starts to watch. */
export const watchFiles = (options: WatchOptions): Watch => {
  const everyMs = options.everyMs ?? 2_000
  const gatherMs = Math.max(options.gatherMs ?? leastGatherMs, leastGatherMs)
  let handled = fingerprint(options.paths())
  let gathering = false
  let stopped = false
  let cancelGather = () => {}
  let cancelPoll = () => {}

  const handle = async (): Promise<void> => {
    const seen = fingerprint(options.paths())
    if (seen !== handled && !stopped) {
      handled = seen
      await options.onChange().finally(() => (gathering = false))
    }
    gathering = false
  }
  const gather = () => {
    if (gathering || stopped) return
    gathering = true
    cancelGather = options.timers.after(gatherMs, () => void handle())
  }
  const compare = () => {
    if (fingerprint(options.paths()) !== handled) gather()
  }
  const poll = () => {
    cancelPoll = options.timers.after(everyMs, () => {
      compare()
      if (!stopped) poll()
    })
  }
  const notifications = options.paths().flatMap((path) => notify(path, gather))
  poll()

  return {
    check: compare,
    stop() {
      stopped = true
      cancelGather()
      cancelPoll()
      for (const notification of notifications) notification.close()
    },
  }
}

/** Asks the system for notifications; where it gives none, the comparison alone has to do. */
const notify = (path: string, changed: () => void): readonly FSWatcher[] => {
  try {
    const isFolder = statSync(path).isDirectory()
    const watcher = watch(isFolder ? path : dirname(path), { persistent: false }, changed)
    watcher.on('error', () => watcher.close())
    return [watcher]
  } catch {
    return []
  }
}
