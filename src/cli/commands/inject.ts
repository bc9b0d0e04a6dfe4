/** `sallyport inject` and `uninject`: Kubernetes manifests with the sidecar in their pods, and without it. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import {
  defaultSettings,
  parseIdentity,
  type InjectSettings,
} from '../../kubernetes/annotations.ts'
import { injectManifests, uninjectManifests, type Manifests } from '../../kubernetes/manifests.ts'
import type { InjectOptions } from '../../kubernetes/plan.ts'
import { version } from '../../version.ts'
import {
  CommandError,
  exitCodes,
  UsageError,
  type Command,
  type ExitCode,
  type Given,
  type Option,
  type Surroundings,
} from '../command.ts'
import { environmentFor } from './env.ts'

const fileOption: Option = {
  type: 'list',
  short: 'f',
  value: 'file',
  description: 'manifests, YAML or JSON; - is standard input; may be given more than once',
}

/** Options that say what is injected where no annotation of a pod does. */
export const injectOptions: Readonly<Record<string, Option>> = {
  image: { type: 'text', value: 'image', description: 'image of the sidecar' },
  config: {
    type: 'text',
    value: 'name',
    description: 'config map with sallyport.yaml (default: sallyport)',
  },
  policy: { type: 'text', value: 'name', description: 'config map with the Rego policies' },
  apis: { type: 'text', value: 'name', description: 'config map with the API entries' },
  identity: {
    type: 'text',
    value: 'source',
    description: 'spire, cert-manager, secret:NAME or none (default: spire)',
  },
}

const settingsOf = (given: Given): InjectSettings => {
  const settings = defaultSettings(given.text('image') ?? `sallyport:${version}`)
  const source = given.text('identity')
  const identity = source === undefined ? settings.identity : parseIdentity(source)
  if (!identity) {
    throw new UsageError(
      `${source} is not a source of identity`,
      'use spire, cert-manager, secret:NAME or none',
    )
  }
  return {
    ...settings,
    identity,
    config: given.text('config') ?? settings.config,
    policy: given.text('policy'),
    apis: given.text('apis'),
  }
}

/** How pods are changed, from the options of a command. */
export const injectOptionsOf = (given: Given): InjectOptions => ({
  defaults: settingsOf(given),
  version,
  proxyVariables: (direct) =>
    environmentFor({
      listener: '127.0.0.1:15001',
      direct: direct.join(','),
      ca: undefined,
      bundle: undefined,
    }),
})

const standardInput = 0

const readAll = (given: Given, { directory }: Surroundings): string => {
  const files = given.list('file')
  if (files.length === 0) {
    throw new UsageError('no manifests are named', 'give a file with -f, or - for standard input')
  }
  const texts = files.map((file) => {
    try {
      return readFileSync(file === '-' ? standardInput : resolve(directory, file), 'utf8')
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new CommandError(`cannot read ${file}: ${reason}`)
    }
  })
  return texts.reduce((all, text) =>
    /^---(\s|$)/.test(text) ? `${all}${text}` : `${all.replace(/\n?$/, '\n')}---\n${text}`,
  )
}

const finish = ({ text, reports }: Manifests, { terminal }: Surroundings): ExitCode => {
  for (const { title, outcome, notes } of reports) {
    const colour = outcome === 'refused' ? 'red' : outcome === 'left' ? 'yellow' : 'green'
    const words = notes.length === 0 ? '' : `: ${notes.join('; ')}`
    terminal.tell(`${title} ${terminal.paint(colour, outcome)}${words}`)
  }
  if (reports.some(({ outcome }) => outcome === 'refused')) {
    throw new CommandError('nothing is written, since a pod was refused', 'mend it and try again')
  }
  if (reports.length === 0) terminal.tell('no pods found')
  terminal.print(text.replace(/\n$/, ''))
  return exitCodes.ok
}

/** The commands. */
export const injection: readonly Command[] = [
  {
    name: 'inject',
    summary: 'put the sidecar into the pods of Kubernetes manifests',
    details:
      'Reads Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, Pod and List, and prints them with a native\nsidecar, its volumes, and the environment that sends the calls of the application through it. Everything else is\nprinted as it is, comments too. Annotations that begin with sallyport.dev/ beat the options; docs/kubernetes.md\nlists them. Injecting twice gives the same as injecting once.',
    options: { file: fileOption, ...injectOptions },
    examples: ['sallyport inject -f web.yaml | kubectl apply -f -'],
    run: (given, surroundings) =>
      finish(injectManifests(readAll(given, surroundings), injectOptionsOf(given)), surroundings),
  },
  {
    name: 'uninject',
    summary: 'take the sidecar out of Kubernetes manifests',
    details: 'Gives back what inject was given, byte for byte where inject added lines.',
    options: { file: fileOption },
    examples: ['sallyport uninject -f web.injected.yaml > web.yaml'],
    run: (given, surroundings) =>
      finish(uninjectManifests(readAll(given, surroundings)), surroundings),
  },
]
