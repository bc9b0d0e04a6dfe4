/** `sallyport webhook`: puts the sidecar into pods as they are created, as a mutating admission webhook. */
import { resolve } from 'node:path'
import { openWebhook } from '../../kubernetes/webhook.ts'
import { formatAddress, parseAddress } from '../../units.ts'
import { CommandError, exitCodes, UsageError, type Command } from '../command.ts'
import { injectOptions, injectOptionsOf } from './inject.ts'

const checkEveryMs = 2_000

/** The command. */
export const webhook: Command = {
  name: 'webhook',
  summary: 'put the sidecar into pods as they are created, as an admission webhook',
  details:
    'Serves admission.k8s.io/v1 at /mutate over TLS 1.3 until SIGTERM, and /livez and /readyz beside it. It makes the\nchange that inject makes. A renewed certificate is taken up without a restart.',
  options: {
    listen: {
      type: 'text',
      value: 'host:port',
      description: 'where to listen (default: 0.0.0.0:8443)',
    },
    certificate: {
      type: 'text',
      value: 'file',
      description: 'PEM chain (default: /etc/sallyport/webhook/tls.crt)',
    },
    key: {
      type: 'text',
      value: 'file',
      description: 'PEM key (default: /etc/sallyport/webhook/tls.key)',
    },
    'client-ca': {
      type: 'text',
      value: 'file',
      description: 'answer only clients with a certificate of these authorities, PEM',
    },
    ...injectOptions,
  },
  async run(given, { directory, stopped, terminal }) {
    const text = given.text('listen') ?? '0.0.0.0:8443'
    const address = parseAddress(text)
    if (!address) throw new UsageError(`${text} is not an address`, 'write it like 0.0.0.0:8443')
    const path = (option: string, file: string): string =>
      resolve(directory, given.text(option) ?? file)
    const authorities = given.text('client-ca')
    const stop = stopped()
    const running = await openWebhook({
      address,
      certificateFile: path('certificate', '/etc/sallyport/webhook/tls.crt'),
      keyFile: path('key', '/etc/sallyport/webhook/tls.key'),
      clientAuthorityFile: authorities === undefined ? undefined : resolve(directory, authorities),
      checkEveryMs,
      options: injectOptionsOf(given),
      onAdmission: ({ title, outcome, notes }) =>
        terminal.tell(`${title} ${outcome}${notes.length === 0 ? '' : `: ${notes.join('; ')}`}`),
      onCertificate: (message, problem) =>
        terminal.tell(problem === 'none' ? message : `${message}: ${problem}`),
    }).catch((error: unknown) => {
      throw new CommandError(error instanceof Error ? error.message : String(error))
    })
    terminal.tell(`sallyport: the webhook is ready: ${formatAddress(running.address)}`)
    terminal.tell(`sallyport: ${await stop}: finishing what is in flight`)
    await running.close()
    return exitCodes.ok
  },
}
