/** `sallyport certs …`: the development authority in a folder, and what it issues. */
import { join } from 'node:path'
import {
  describeCertificates,
  initAuthority,
  issueIdentity,
  revokeCertificate,
  type CertificateDescription,
} from '../../identity/sources/authority-folder.ts'
import {
  rotateIdentities,
  rotateIntermediate,
  rotateRoot,
} from '../../identity/sources/authority-rotation.ts'
import { parseDuration } from '../../units.ts'
import { exitCodes, UsageError, type Command, type Given, type Option } from '../command.ts'

const folderOption: Option = {
  type: 'text',
  short: 'd',
  value: 'folder',
  description: 'folder of the development authority (default: certs)',
}

const folderOf = (given: Given, directory: string): string =>
  join(directory, given.text('directory') ?? 'certs')

const shown = (given: Given): string => given.text('directory') ?? 'certs'

const init: Command = {
  name: 'certs init',
  summary: 'make a development authority: a root, an intermediate and a trust bundle',
  details:
    'Whoever can read the folder can be any workload: it is for development. Its keys are for their owner only and\nare never to be committed.',
  arguments: [
    {
      name: 'trust domain',
      description: 'such as shop.local (default: sallyport.local)',
      required: false,
    },
  ],
  options: { directory: folderOption },
  examples: ['sallyport certs init shop.local'],
  run(given, { directory, now, terminal }) {
    const trustDomain = given.arguments[0] ?? 'sallyport.local'
    initAuthority(folderOf(given, directory), { trustDomain, now: now() })
    terminal.print(`made the authority of ${trustDomain} in ${shown(given)}`)
    terminal.hint(`sallyport certs issue spiffe://${trustDomain}/orders issues a certificate`)
    return exitCodes.ok
  },
}

const lifetimeOf = (given: Given): number | undefined => {
  const text = given.text('lifetime')
  const ms = text === undefined ? undefined : parseDuration(text)
  if (text !== undefined && ms === undefined) {
    throw new UsageError(`${text} is not a duration`, 'write it like 1h or 90d')
  }
  return ms
}

const issue: Command = {
  name: 'certs issue',
  summary: 'issue a certificate to a workload',
  arguments: [
    { name: 'spiffe id', description: 'such as spiffe://shop.local/orders', required: true },
  ],
  options: {
    directory: folderOption,
    name: {
      type: 'text',
      description: 'folder below workloads (default: the last part of the id)',
    },
    dns: { type: 'list', value: 'name', description: 'a DNS name to add; may be given again' },
    lifetime: {
      type: 'text',
      value: 'duration',
      description: 'life of the certificate (default: 90d)',
    },
  },
  examples: ['sallyport certs issue spiffe://shop.local/orders --dns orders.shop.svc'],
  run(given, { directory, now, terminal }) {
    const name = given.text('name')
    const lifetimeMs = lifetimeOf(given)
    const { folder, certificate } = issueIdentity(folderOf(given, directory), {
      spiffeId: given.arguments[0]!,
      now: now(),
      dnsNames: given.list('dns'),
      ...(name === undefined ? {} : { name }),
      ...(lifetimeMs === undefined ? {} : { lifetimeMs }),
    })
    terminal.print(
      `issued ${given.arguments[0]!} until ${new Date(certificate.notAfter).toISOString()}`,
    )
    terminal.print(join(shown(given), 'workloads', folder.split('/').at(-1)!))
    return exitCodes.ok
  },
}

const line = (each: CertificateDescription): string => {
  const days = Math.floor(each.secondsLeft / 86_400)
  const left = each.secondsLeft < 0 ? 'EXPIRED' : `${days} days left`
  const names = each.dnsNames.length === 0 ? '' : ` dns=${each.dnsNames.join(',')}`
  return `${each.kind.padEnd(12)} ${each.spiffeId} ${each.revoked ? 'REVOKED' : left} serial=${each.serial}${names}`
}

const show: Command = {
  name: 'certs show',
  summary: 'list the certificates of the development authority',
  options: { directory: folderOption, json: { type: 'switch', description: 'print JSON' } },
  run(given, { directory, now, terminal }) {
    const all = describeCertificates(folderOf(given, directory), now())
    if (given.has('json')) terminal.print(JSON.stringify(all, undefined, 2))
    else for (const each of all) terminal.print(line(each))
    return all.some(({ secondsLeft }) => secondsLeft < 0) ? exitCodes.failed : exitCodes.ok
  },
}

const rotate: Command = {
  name: 'certs rotate',
  summary: 'renew what the development authority issued',
  details:
    'A root is changed in three steps, so that nothing fails in between: prepare, activate once every sidecar has\nread the new bundle, retire once every certificate is renewed.',
  arguments: [
    { name: 'what', description: 'workloads (default), intermediate, or root', required: false },
    { name: 'step', description: 'of a root: prepare, activate or retire', required: false },
  ],
  options: { directory: folderOption },
  examples: ['sallyport certs rotate', 'sallyport certs rotate root prepare'],
  run(given, { directory, now, terminal }) {
    const folder = folderOf(given, directory)
    const [what = 'workloads', step] = given.arguments
    if (what === 'root') {
      if (step !== 'prepare' && step !== 'activate' && step !== 'retire') {
        throw new UsageError(
          step === undefined ? 'a root is rotated in steps' : `a root has no step ${step}`,
          'say prepare, activate or retire',
        )
      }
      rotateRoot(folder, step, now())
      terminal.print(`root: ${step} done`)
      return exitCodes.ok
    }
    if (what !== 'workloads' && what !== 'intermediate') {
      throw new UsageError(`there is no ${what} to rotate`, 'say workloads, intermediate or root')
    }
    const renew = what === 'workloads' ? rotateIdentities : rotateIntermediate
    for (const id of renew(folder, now())) terminal.print(`issued ${id}`)
    return exitCodes.ok
  },
}

const revoke: Command = {
  name: 'certs revoke',
  summary: 'revoke a certificate and write the revocation lists anew',
  arguments: [{ name: 'serial', description: 'as certs show prints it', required: true }],
  options: { directory: folderOption },
  run(given, { directory, now, terminal }) {
    revokeCertificate(folderOf(given, directory), given.arguments[0]!, now())
    terminal.print(`revoked ${given.arguments[0]!}`)
    return exitCodes.ok
  },
}

/** The commands, in the order of the help text. */
export const certs: readonly Command[] = [init, issue, show, rotate, revoke]
