/** Runs a command line in this process: its streams, its environment, its signals. */
import { runCommandLine } from './run.ts'
import { terminalOn } from './terminal.ts'

const patience = 5_000
const stopSignals = ['SIGTERM', 'SIGINT'] as const

/** Runs the words of the command line; the result is the exit code. */
export const runInProcess = async (words: readonly string[]): Promise<number> => {
  // Without a listener for it, SIGUSR1 would open a debugger in a running sidecar.
  process.on('SIGUSR1', () => {})
  const code = await runCommandLine(words, {
    terminal: terminalOn(process.stdout, process.stderr, process.env),
    environment: process.env,
    directory: process.cwd(),
    now: Date.now,
    stopped: () =>
      new Promise((resolve) => {
        for (const signal of stopSignals) process.once(signal, resolve)
      }),
    onHangup: (listener) => void process.on('SIGHUP', listener),
  }) // What a library left open must not keep a finished process.
  setTimeout(() => process.exit(code), patience).unref()
  return code
}
