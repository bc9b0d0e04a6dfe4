/** `sallyport env`: the environment that an application needs so that its calls go through the sidecar beside it. */
import { join } from 'node:path'
import { exitCodes, UsageError, type Command } from '../command.ts'

/** What the environment is made of. */
export interface EnvChoices {
  /** `host:port` of the app listener. */
  readonly listener: string
  /** What is reached directly. */
  readonly direct: string
  /** PEM file with the authority of interception alone. */
  readonly ca: string | undefined
  /** PEM file with the public roots and that authority: what most runtimes need, since they replace their own roots. */
  readonly bundle: string | undefined
}

/** One variable, and what reads it. */
export interface EnvVariable {
  readonly name: string
  readonly value: string
  readonly why: string
}

/** The variables. Lower-case twins are for curl, Python and Go; upper-case ones for everything else. */
export const environmentFor = (choices: EnvChoices): readonly EnvVariable[] => {
  const proxy = `http://${choices.listener}`
  const variables: EnvVariable[] = []
  const set = (names: readonly string[], value: string, why: string): void => {
    for (const name of names) variables.push({ name, value, why })
  }
  set(
    ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy'],
    proxy,
    'calls go through the sidecar',
  )
  set(['NO_PROXY', 'no_proxy'], choices.direct, 'what is reached directly')
  set(
    ['NODE_USE_ENV_PROXY'],
    '1',
    'Node 22.21, 24.5 and later: http, https and fetch heed the variables above',
  )
  if (choices.ca !== undefined) {
    set(['NODE_EXTRA_CA_CERTS', 'DENO_CERT'], choices.ca, 'added to the roots of Node and Deno')
  }
  if (choices.bundle !== undefined) {
    set(['SSL_CERT_FILE'], choices.bundle, 'OpenSSL, Go, Ruby')
    set(['REQUESTS_CA_BUNDLE'], choices.bundle, 'Python requests')
    set(['CURL_CA_BUNDLE'], choices.bundle, 'curl')
    set(['GIT_SSL_CAINFO'], choices.bundle, 'git')
    set(['AWS_CA_BUNDLE'], choices.bundle, 'AWS SDKs and CLI')
  }
  return variables
}

const shellQuoted = (text: string): string =>
  /^[A-Za-z0-9_./:,@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`

const forms: Readonly<Record<string, (variables: readonly EnvVariable[]) => string>> = {
  shell: (variables) =>
    variables
      .map(({ name, value, why }) => `export ${name}=${shellQuoted(value)} # ${why}`)
      .join('\n'),
  dotenv: (variables) => variables.map(({ name, value }) => `${name}=${value}`).join('\n'),
  json: (variables) =>
    JSON.stringify(
      Object.fromEntries(variables.map(({ name, value }) => [name, value])),
      undefined,
      2,
    ),
  kubernetes: (variables) =>
    variables
      .map(
        ({ name, value, why }) => `- { name: ${name}, value: ${JSON.stringify(value)} } # ${why}`,
      )
      .join('\n'),
}

/** The command. */
export const env: Command = {
  name: 'env',
  summary: 'print the environment that an application needs to call out through the sidecar',
  details:
    'A process that reads none of these variables goes around the sidecar; the bypass detector reports it. For an API\nthat is intercepted, give the files that the sidecar writes with --ca and --bundle. Java reads a trust store instead:\nimport the --ca file into one.',
  options: {
    listener: {
      type: 'text',
      value: 'host:port',
      description: "the sidecar's app listener (default: 127.0.0.1:15001)",
    },
    direct: {
      type: 'text',
      value: 'list',
      description: 'hosts that are reached directly (default: localhost,127.0.0.1,::1)',
    },
    ca: { type: 'text', value: 'file', description: 'authority of interception, PEM' },
    bundle: { type: 'text', value: 'file', description: 'public roots and that authority, PEM' },
    format: {
      type: 'text',
      short: 'f',
      value: 'format',
      description: `${Object.keys(forms).join(', ')} (default: shell)`,
    },
  },
  examples: ['eval "$(sallyport env)"', 'sallyport env --format kubernetes'],
  run(given, { directory, terminal }) {
    const name = given.text('format') ?? 'shell'
    const form = Object.hasOwn(forms, name) ? forms[name] : undefined
    if (!form)
      throw new UsageError(`${name} is not a format`, `use one of ${Object.keys(forms).join(', ')}`)
    const path = (option: string): string | undefined => {
      const file = given.text(option)
      return file === undefined ? undefined : file.startsWith('/') ? file : join(directory, file)
    }
    const variables = environmentFor({
      listener: given.text('listener') ?? '127.0.0.1:15001',
      direct: given.text('direct') ?? 'localhost,127.0.0.1,::1',
      ca: path('ca'),
      bundle: path('bundle'),
    })
    terminal.print(form(variables))
    return exitCodes.ok
  },
}
