/** `sallyport health`: asks the health listener of a running sidecar, for container health checks. */
import { addressToAsk, ask, askOptions } from '../ask-admin.ts'
import { exitCodes, type Command } from '../command.ts'

/** The command. */
export const health: Command = {
  name: 'health',
  summary: 'ask a running sidecar whether it is ready',
  options: {
    ...askOptions,
    live: { type: 'switch', description: 'ask whether it lives instead of whether it is ready' },
    verbose: { type: 'switch', description: 'print every check' },
  },
  async run(given, surroundings) {
    const path = given.has('live') ? '/livez' : '/readyz'
    const address = addressToAsk(given, surroundings, 'health')
    const answer = await ask(address, given.has('verbose') ? `${path}?verbose` : path)
    surroundings.terminal.print(answer.text.trim())
    return answer.status === 200 ? exitCodes.ok : exitCodes.failed
  },
}
