import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { issueSvid, validFor } from '../../src/identity/authority.ts'
import { injectManifests } from '../../src/kubernetes/manifests.ts'
import { openWebhook, type Webhook } from '../../src/kubernetes/webhook.ts'
import { aTrustDomain } from '../support/certificates.ts'
import { applyPatch, type PatchOperation } from './apply-patch.ts'
import { injectOptions } from './options.ts'

const domain = aTrustDomain('webhook.test')
const other = aTrustDomain('other.test')
const folder = mkdtempSync(join(tmpdir(), 'sallyport-webhook-'))
const told: string[] = []
let plain: Webhook
let guarded: Webhook

const pem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`

const pair = (from = domain) => {
  const { chain, privateKey } = issueSvid(from.intermediate, {
    spiffeId: `spiffe://${from.name}/webhook`,
    dnsNames: ['localhost'],
    validity: validFor(Date.now(), 3_600_000),
  })
  return {
    cert: chain.map((der) => pem(der)).join(''),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}

const write = ({ cert, key }: { readonly cert: string; readonly key: string }): void => {
  for (const [name, text] of [
    ['tls.crt', cert],
    ['tls.key', key],
  ] as const) {
    writeFileSync(join(folder, `${name}.new`), text)
    renameSync(join(folder, `${name}.new`), join(folder, name))
  }
}

const open = (clientAuthorityFile: string | undefined): Promise<Webhook> =>
  openWebhook({
    address: { host: '127.0.0.1', port: 0 },
    certificateFile: join(folder, 'tls.crt'),
    keyFile: join(folder, 'tls.key'),
    clientAuthorityFile,
    checkEveryMs: 20,
    options: injectOptions,
    onAdmission: ({ title, outcome }) => told.push(`${title} ${outcome}`),
    onCertificate: (message, problem) => told.push(`${problem}: ${message}`),
  })

beforeAll(async () => {
  write(pair())
  writeFileSync(join(folder, 'ca.pem'), pem(domain.root.certificate.der))
  plain = await open(undefined)
  guarded = await open(join(folder, 'ca.pem'))
})

afterAll(async () => {
  await Promise.all([plain.close(), guarded.close()])
  rmSync(folder, { recursive: true })
})

interface Answer {
  readonly status: number
  readonly text: string
}

interface Call {
  readonly to?: Webhook
  readonly path?: string
  readonly method?: string
  readonly as?: { readonly cert: string; readonly key: string }
}

const send = (body: unknown, call: Call = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        servername: 'localhost',
        port: (call.to ?? plain).address.port,
        path: call.path ?? '/mutate?timeout=5s',
        method: call.method ?? 'POST',
        ca: pem(domain.root.certificate.der),
        agent: false,
        ...call.as,
      },
      (answer) => {
        let text = ''
        answer.on('data', (chunk: Buffer) => (text += chunk.toString()))
        answer.on('end', () => resolve({ status: answer.statusCode!, text }))
      },
    )
    outgoing.on('error', reject)
    outgoing.end(typeof body === 'string' ? body : JSON.stringify(body))
  })

interface Response {
  readonly uid: string
  readonly allowed: boolean
  readonly patchType?: string
  readonly patch?: string
  readonly warnings?: readonly string[]
  readonly status?: { readonly message: string }
}

const review = async (object: unknown, kind = 'Pod'): Promise<Response> => {
  const { status, text } = await send({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind: { group: '', version: 'v1', kind },
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace: 'shop',
      operation: 'CREATE',
      object,
      dryRun: false,
    },
  })
  expect(status).toBe(200)
  const answer = JSON.parse(text) as {
    readonly apiVersion: string
    readonly kind: string
    readonly response: Response
  }
  expect([answer.apiVersion, answer.kind]).toEqual(['admission.k8s.io/v1', 'AdmissionReview'])
  return answer.response
}

const operations = ({ patch }: Response): readonly PatchOperation[] =>
  JSON.parse(Buffer.from(patch ?? '', 'base64').toString() || '[]') as readonly PatchOperation[]

const pods: Readonly<Record<string, Record<string, unknown>>> = {
  'with nothing but a container': {
    kind: 'Pod',
    metadata: { generateName: 'web-' },
    spec: { containers: [{ name: 'app', image: 'web' }] },
  },
  'with everything': {
    kind: 'Pod',
    metadata: { name: 'web', labels: { app: 'web' }, annotations: { 'a/b': 'c~d' } },
    spec: {
      initContainers: [{ name: 'migrate', image: 'm', env: [{ name: 'A', value: 'b' }] }],
      containers: [
        { name: 'app', image: 'web', env: [{ name: 'NO_PROXY', value: '.svc' }] },
        { name: 'other', image: 'o', env: [] },
      ],
      volumes: [{ name: 'data', emptyDir: {} }],
    },
  },
  'without metadata': { kind: 'Pod', spec: { containers: [{ name: 'app', image: 'web' }] } },
}

describe('the admission webhook', () => {
  it.each(Object.entries(pods))('patches a pod %s to what inject writes', async (_, pod) => {
    const response = await review(pod)
    expect(response).toMatchObject({ allowed: true, patchType: 'JSONPatch' })
    expect(response.uid).toBe('705ab4f5-6393-11e8-b7cc-42010a800002')
    const patched = applyPatch(pod, operations(response))
    const written = parse(injectManifests(JSON.stringify(pod), injectOptions).text) as unknown
    expect(patched).toEqual(written)
    expect(await review(patched)).not.toHaveProperty('patch')
  })

  it('covers a container that another webhook added afterwards', async () => {
    const pod = pods['with everything']!
    const patched = applyPatch(pod, operations(await review(pod))) as typeof pod
    const spec = patched['spec'] as { readonly containers: readonly unknown[] }
    const more = {
      ...patched,
      spec: { ...spec, containers: [...spec.containers, { name: 'late' }] },
    }
    const again = applyPatch(more, operations(await review(more))) as typeof more
    const late = again.spec.containers[2] as { readonly env: readonly { readonly name: string }[] }
    expect(late.env.map(({ name }) => name)).toContain('HTTPS_PROXY')
    expect(await review(again)).not.toHaveProperty('patch')
  })

  it('is not deceived by a pod that only says that it was injected', async () => {
    const pod = {
      ...pods['with nothing but a container'],
      metadata: { annotations: { 'sallyport.dev/status': '{}' } },
    }
    const patched = applyPatch(pod, operations(await review(pod))) as {
      readonly spec: { readonly initContainers: readonly { readonly name: string }[] }
    }
    expect(patched.spec.initContainers.map(({ name }) => name)).toEqual(['sallyport'])
  })

  it('tells whoever creates the pod which variables it keeps', async () => {
    expect((await review(pods['with everything'])).warnings).toEqual([
      'sallyport: container app keeps its own NO_PROXY',
    ])
  })

  it('does not admit a pod whose annotations are wrong, and says why', async () => {
    const pod = {
      ...pods['with nothing but a container'],
      metadata: { annotations: { 'sallyport.dev/mod': 'proxy' } },
    }
    const response = await review(pod)
    expect(response.allowed).toBe(false)
    expect(response.status?.message).toContain('no annotation is called sallyport.dev/mod')
  })

  it('admits as they are pods of the host network, disabled ones, and what is no pod', async () => {
    const host = { kind: 'Pod', spec: { hostNetwork: true, containers: [{ name: 'a' }] } }
    const disabled = {
      ...pods['with nothing but a container'],
      metadata: { annotations: { 'sallyport.dev/inject': 'disabled' } },
    }
    const service = { kind: 'Service', spec: {} }
    for (const [object, kind] of [
      [host, 'Pod'],
      [disabled, 'Pod'],
      [service, 'Service'],
    ] as const) {
      const response = await review(object, kind)
      expect(response).toEqual({ uid: response.uid, allowed: true })
    }
  })

  it.each([
    ['not JSON', '{', 400],
    ['another kind', { kind: 'Pod' }, 400],
    ['another version', { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1beta1' }, 400],
    ['no request', { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1' }, 400],
    ['too much', 'x'.repeat(8 * 1024 * 1024 + 1), 413],
  ])('refuses %s', async (_, body, status) => {
    expect((await send(body)).status).toBe(status)
  })

  it('answers the kubelet, and nothing on other paths', async () => {
    expect((await send('', { method: 'GET', path: '/readyz' })).status).toBe(200)
    expect((await send('', { method: 'GET', path: '/mutate' })).status).toBe(405)
    expect((await send('', { path: '/other' })).status).toBe(404)
  })
})

describe('the certificate of the webhook', () => {
  const serialNow = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(
        {
          host: '127.0.0.1',
          port: plain.address.port,
          servername: 'localhost',
          ca: pem(domain.root.certificate.der),
        },
        () => {
          const { serialNumber } = socket.getPeerCertificate()
          socket.destroy()
          resolve(serialNumber)
        },
      )
      socket.on('error', reject)
    })

  it('changes without a restart, and stays when the new pair does not fit', async () => {
    const first = await serialNow()
    write({ cert: pair().cert, key: pair().key })
    await expect
      .poll(() => told.filter((line) => line.startsWith('kept')).length)
      .toBeGreaterThan(0)
    expect(await serialNow()).toBe(first)
    write(pair())
    await expect.poll(serialNow).not.toBe(first)
  })

  it('may ask that the API server proves itself', async () => {
    const ask = (as: Call['as']) =>
      send('', { to: guarded, method: 'GET', path: '/livez', ...(as ? { as } : {}) })
    expect((await ask(pair())).status).toBe(200)
    await expect(ask(undefined)).rejects.toThrow()
    await expect(ask(pair(other))).rejects.toThrow()
  })

  it('must be one that can be read', async () => {
    await expect(
      openWebhook({
        address: { host: '127.0.0.1', port: 0 },
        certificateFile: join(folder, 'missing.crt'),
        keyFile: join(folder, 'tls.key'),
        clientAuthorityFile: undefined,
        checkEveryMs: 20,
        options: injectOptions,
        onAdmission: () => undefined,
        onCertificate: () => undefined,
      }),
    ).rejects.toThrow('missing.crt')
  })
})
