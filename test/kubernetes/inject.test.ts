import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import {
  injectManifests,
  ManifestError,
  uninjectManifests,
} from '../../src/kubernetes/manifests.ts'
import { injectOptions } from './options.ts'

const manifests = join(import.meta.dirname, 'manifests')
const read = (name: string): string => readFileSync(join(manifests, name), 'utf8')
const inject = (text: string) => injectManifests(text, injectOptions)

interface Container {
  readonly name: string
  readonly restartPolicy?: string
  readonly env?: readonly { readonly name: string; readonly value?: string }[]
}
interface PodSpec {
  readonly initContainers?: readonly Container[]
  readonly containers: readonly Container[]
  readonly volumes?: readonly { readonly name: string }[]
}

const pod = (annotations = '', spec = '', container = ''): string =>
  `kind: Pod
metadata:
  name: web
  annotations:
    a: b
${annotations}spec:
${spec}  containers:
    - name: app
      image: web
${container}`

const specOf = (text: string): PodSpec => (parse(text) as { readonly spec: PodSpec }).spec

describe('inject', () => {
  it.each(readdirSync(manifests))('is undone byte for byte in %s, and is idempotent', (name) => {
    const original = read(name)
    const once = inject(original)
    expect(once.reports.map(({ outcome }) => outcome)).not.toContain('refused')
    expect(once.text).not.toBe(original)
    expect(inject(once.text).text).toBe(once.text)
    expect(uninjectManifests(once.text).text).toBe(original)
    for (const document of parseAllDocuments(once.text)) expect(document.errors).toEqual([])
  })

  it.each(readdirSync(manifests))('only adds whole lines to %s', (name) => {
    const lines = inject(read(name)).text.split('\n')
    let at = 0
    for (const line of read(name).split('\n')) {
      at = lines.indexOf(line, at) + 1
      expect(at, `lost: ${line}`).toBeGreaterThan(0)
    }
  })

  it('finds the pods of every kind of workload', () => {
    const { reports } = inject(read('kinds.yaml'))
    expect(reports.map(({ title, outcome }) => `${title} ${outcome}`)).toEqual([
      'Deployment web injected',
      'StatefulSet store injected',
      'DaemonSet agent injected',
      'Job once injected',
      'CronJob nightly injected',
      'Pod alone injected',
      'Deployment in-list injected',
    ])
  })

  it('puts a native sidecar before the init containers that there are', () => {
    const { text } = inject(pod('', '  initContainers:\n  - name: migrate\n    image: m\n'))
    const [sidecar, migrate] = specOf(text).initContainers!
    expect(sidecar).toMatchObject({
      name: 'sallyport',
      restartPolicy: 'Always',
      startupProbe: { httpGet: { path: '/startupz', port: 'sp-health' } },
      readinessProbe: { httpGet: { path: '/readyz', port: 'sp-health' } },
      livenessProbe: { httpGet: { path: '/livez', port: 'sp-health' } },
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 15_337,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      },
    })
    expect(migrate!.env!.map(({ name }) => name)).toContain('HTTPS_PROXY')
  })

  it('gives the sidecar a hook that asks it to drain, on loopback', async () => {
    const [sidecar] = specOf(inject(pod()).text).initContainers!
    const { command } = (
      sidecar as unknown as {
        readonly lifecycle: {
          readonly preStop: { readonly exec: { readonly command: readonly string[] } }
        }
      }
    ).lifecycle.preStop.exec
    const asked: string[] = []
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`)
      response.end('drained')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const words = command.slice(1).map((word) => word.replace(':15021', `:${port}`))
    await promisify(execFile)(process.execPath, words)
    server.close()
    expect(asked).toEqual(['GET /drain'])
  })

  it('sends the application through the sidecar, except where it already chose', () => {
    const { text, reports } = inject(
      pod('', '', '      env:\n      - {name: HTTPS_PROXY, value: other}\n'),
    )
    const env = specOf(text).containers[0]!.env!
    expect(env.filter(({ name }) => name === 'HTTPS_PROXY')).toEqual([
      { name: 'HTTPS_PROXY', value: 'other' },
    ])
    expect(env).toContainEqual({ name: 'HTTP_PROXY', value: 'http://127.0.0.1:15001' })
    expect(reports[0]!.notes).toEqual(['container app keeps its own HTTPS_PROXY'])
  })

  it('reads the annotations of the pod', () => {
    const annotations = `    sallyport.dev/config: shop-config
    sallyport.dev/policy: shop-policies
    sallyport.dev/apis: shop-apis
    sallyport.dev/identity: secret:web-svid
    sallyport.dev/exclude-outbound-hosts: .svc, db:5432
    sallyport.dev/exclude-outbound-cidrs: 10.0.0.0/8
    sallyport.dev/app-port: "8080"
    sallyport.dev/memory-limit: 256Mi
`
    const spec = specOf(inject(pod(annotations)).text)
    expect(spec.volumes).toMatchObject([
      { name: 'sallyport-config', configMap: { name: 'shop-config' } },
      { name: 'sallyport-policies', configMap: { name: 'shop-policies' } },
      { name: 'sallyport-apis', configMap: { name: 'shop-apis' } },
      { name: 'sallyport-identity', secret: { secretName: 'web-svid' } },
      { name: 'sallyport-token' },
      { name: 'sallyport-state' },
    ])
    expect(spec.containers[0]!.env).toContainEqual({
      name: 'NO_PROXY',
      value: 'localhost,127.0.0.1,::1,.svc,db:5432,10.0.0.0/8',
    })
    const [sidecar] = spec.initContainers!
    expect(sidecar!.env).toContainEqual({ name: 'SALLYPORT_APP_ADDRESS', value: '127.0.0.1:8080' })
    expect(sidecar).toMatchObject({ resources: { limits: { memory: '256Mi' } } })
  })

  it.each([
    ['sallyport.dev/exclude-outbound-host: db', 'no annotation is called'],
    ['sallyport.dev/mode: permissive', 'expected proxy, got "permissive"'],
    ['sallyport.dev/app-port: 8080', 'expected text in quotes, got 8080'],
    ['sallyport.dev/identity: vault', 'expected spire, cert-manager'],
    ['sallyport.dev/exclude-outbound-ports: "5432"', 'exclude hosts and not ports'],
  ])('refuses the annotation %s', (annotation, reason) => {
    const original = pod(`    ${annotation}\n`)
    const { text, reports } = inject(original)
    expect(text).toBe(original)
    expect(reports[0]).toMatchObject({ outcome: 'refused' })
    expect(reports[0]!.notes.join()).toContain(reason)
  })

  it.each([
    ['an annotation says disabled', pod('    sallyport.dev/inject: disabled\n'), 'disabled'],
    ['it is on the network of its host', pod('', '  hostNetwork: true\n'), 'network of its host'],
  ])('leaves a pod alone when %s, and says so', (_, original, reason) => {
    const { text, reports } = inject(original)
    expect(text).toBe(original)
    expect(reports).toMatchObject([{ title: 'Pod web', outcome: 'left' }])
    expect(reports[0]!.notes.join()).toContain(reason)
  })

  it('takes the sidecar out when the pod is disabled afterwards', () => {
    const original = pod()
    const injected = inject(original).text
    const disabled = injected.replace(
      '    a: b\n',
      '    a: b\n    sallyport.dev/inject: disabled\n',
    )
    expect(inject(disabled).text).toBe(pod('    sallyport.dev/inject: disabled\n'))
  })

  it.each([
    ['a container of the same name', pod('', '', '    - name: sallyport\n      image: x\n')],
    ["the sidecar's user", pod('', '  securityContext:\n    runAsUser: 15337\n')],
  ])('refuses a pod with %s', (_, original) => {
    expect(inject(original)).toMatchObject({ text: original, reports: [{ outcome: 'refused' }] })
  })

  it('writes a manifest of one line anew, with its comments, and takes the parts out again', () => {
    const original =
      '# kept\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: web}]} # too\n'
    const { text } = inject(original)
    expect(text).toContain('# kept')
    expect(text).toContain('# too')
    expect(specOf(text).initContainers).toHaveLength(1)
    expect(inject(text).text).toBe(text)
    expect(parse(uninjectManifests(text).text)).toEqual(parse(original))
  })

  it('answers JSON with JSON', () => {
    const original = {
      kind: 'Pod',
      metadata: { name: 'web' },
      spec: { containers: [{ name: 'a' }] },
    }
    const { text } = inject(JSON.stringify(original))
    expect(specOf(JSON.stringify(JSON.parse(text))).initContainers).toHaveLength(1)
    expect(JSON.parse(uninjectManifests(text).text)).toEqual(original)
  })

  it('takes out what it injected after a tool has dropped the comments', () => {
    const original = read('deployment.yaml')
    const bare = inject(original)
      .text.split('\n')
      .filter((line) => !line.trim().startsWith('#'))
      .join('\n')
    const documents = (text: string) =>
      parseAllDocuments(text).map((each) => each.toJS() as unknown)
    expect(documents(uninjectManifests(bare).text)).toEqual(documents(original))
  })

  it('leaves our marks alone in the texts of other objects', () => {
    const original = `kind: ConfigMap\ndata:\n  a: |\n    # sallyport: begin\n    x\n    # sallyport: end\n`
    expect(inject(original)).toEqual({ text: original, reports: [] })
    expect(uninjectManifests(original).text).toBe(original)
  })

  it('says where a manifest is not YAML', () => {
    const broken = 'kind: Pod\n---\nkind: [\n'
    expect(() => inject(broken)).toThrow(ManifestError)
    expect(() => inject(broken)).toThrow(/^line [34], column/)
  })
})
