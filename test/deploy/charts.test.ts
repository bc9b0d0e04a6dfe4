import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { injectManifests } from '../../src/kubernetes/manifests.ts'
import { listAt, mappingAt, valueAt, type Mapping } from '../../src/kubernetes/pod.ts'
import { injectOptions } from '../kubernetes/options.ts'
import { judgeManifests, objectsOf } from './judge-manifests.ts'
import { findTool } from './tools.ts'

const root = join(import.meta.dirname, '../..')
const chart = join(root, 'deploy/helm/sallyport')
const helm = findTool('helm', 'SALLYPORT_HELM', ['version'])
const kubectl = findTool('kubectl', 'SALLYPORT_KUBECTL', ['version', '--client'])
const types = findTool('kubernetes-types', 'SALLYPORT_KUBERNETES_TYPES', [])

const template = (...values: readonly string[]) =>
  helm!([
    'template',
    'mesh',
    chart,
    '--namespace',
    'sallyport',
    '--kube-version',
    '1.33.0',
    ...values.flatMap((value) => ['--set', value]),
  ])

const everything = [
  'networkPolicy.namespaces={shop,back}',
  'podMonitor.enabled=true',
  'prometheusRule.enabled=true',
  'sidecar.policy=policies',
  'sidecar.apis=apis',
  'podMonitor.namespaces={shop}',
  'podMonitor.labels.release=prometheus',
]

const find = (objects: readonly Mapping[], kind: string): readonly Mapping[] =>
  objects.filter((object) => object['kind'] === kind)

const decodes = (text: string): void => {
  if (!types) return
  const { code, err } = types([], text)
  expect(err).toBe('')
  expect(code).toBe(0)
}

describe.skipIf(helm === undefined)('the chart', () => {
  it('passes the linter', () => {
    expect(helm!(['lint', '--strict', chart])).toMatchObject({ code: 0 })
  })

  it.each([
    ['as it is', []],
    ['with everything', everything],
    ['with cert-manager', ['webhook.certificate.source=cert-manager', 'webhook.replicas=1']],
    [
      'with a secret that is there',
      [
        'webhook.certificate.source=existing',
        'webhook.certificate.secretName=tls',
        'webhook.certificate.caBundle=QQ==',
      ],
    ],
  ])('renders objects that fit together, %s', (_, values) => {
    const { code, out, err } = template(...values)
    expect(err).toBe('')
    expect(code).toBe(0)
    expect(judgeManifests(objectsOf(out))).toEqual([])
    decodes(out)
  })

  it('asks for pods of opted namespaces alone, and never for its own', () => {
    const [configuration] = find(objectsOf(template().out), 'MutatingWebhookConfiguration')
    const [webhook] = listAt(configuration, ['webhooks'])
    expect(webhook).toMatchObject({
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      failurePolicy: 'Fail',
      reinvocationPolicy: 'IfNeeded',
      timeoutSeconds: 5,
      namespaceSelector: { matchLabels: { 'sallyport.dev/inject': 'enabled' } },
      rules: [{ resources: ['pods'], operations: ['CREATE'] }],
    })
    expect(valueAt(webhook, ['namespaceSelector', 'matchExpressions', 0, 'values'])).toContain(
      'sallyport',
    )
  })

  it('lets pods of a closed namespace be reached by the mesh port alone', () => {
    const policies = find(objectsOf(template(...everything).out), 'NetworkPolicy')
    expect(policies).toHaveLength(4)
    const [only] = policies
    expect(mappingAt(only, ['spec'])).toMatchObject({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ports: [{ port: 15_006 }] }, { ports: [{ port: 15_090 }] }],
    })
    const open = listAt(only, ['spec', 'ingress']).filter((rule) => !Object.hasOwn(rule, 'from'))
    expect(open).toEqual([{ ports: [{ protocol: 'TCP', port: 15_006 }] }])
  })

  it('watches the port that the sidecar has', () => {
    const [monitor] = find(objectsOf(template(...everything).out), 'PodMonitor')
    const [endpoint] = listAt(monitor, ['spec', 'podMetricsEndpoints'])
    const pod = injectManifests(
      'kind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - name: a\n',
      injectOptions,
    ).text
    const [sidecar] = listAt(objectsOf(pod)[0], ['spec', 'initContainers'])
    const port = listAt(sidecar, ['ports']).find(({ name }) => name === endpoint!['port'])
    expect(port).toMatchObject({ containerPort: 15_090 })
  })

  it.each([
    ['an unknown value', 'webhok.replicas=2'],
    ['another failure policy', 'webhook.failurePolicy=Maybe'],
    ['no replicas', 'webhook.replicas=0'],
    ['a secret without a name', 'webhook.certificate.source=existing'],
    ['another identity', 'sidecar.identity=vault'],
  ])('refuses %s by its schema', (_, value) => {
    const { code, err } = template(value)
    expect(code).not.toBe(0)
    expect(err).toContain('schema')
  })

  it('carries the alert rules that stand alone', () => {
    expect(readFileSync(join(chart, 'files/alerts.yaml'), 'utf8')).toBe(
      readFileSync(join(root, 'deploy/prometheus/alerts.yaml'), 'utf8'),
    )
  })
})

describe.skipIf(kubectl === undefined)('the kustomizations', () => {
  it.each(readdirSync(join(root, 'deploy/kustomize/examples')))('%s fits together', (name) => {
    const { code, out, err } = kubectl!([
      'kustomize',
      join(root, 'deploy/kustomize/examples', name),
    ])
    expect(err).toBe('')
    expect(code).toBe(0)
    expect(judgeManifests(objectsOf(out))).toEqual([])
    decodes(out)
  })
})

describe('injected manifests', () => {
  const folder = join(root, 'test/kubernetes/manifests')
  it.each(readdirSync(folder))('of %s fit together', (name) => {
    const { text } = injectManifests(readFileSync(join(folder, name), 'utf8'), injectOptions)
    expect(judgeManifests(objectsOf(text).filter(({ kind }) => kind !== 'Service'))).toEqual([])
  })

  it.skipIf(types === undefined)('have no field that Kubernetes does not know', () => {
    for (const name of readdirSync(folder)) {
      decodes(injectManifests(readFileSync(join(folder, name), 'utf8'), injectOptions).text)
    }
  })

  it('are judged: a manifest that does not fit is found out', () => {
    const faults = judgeManifests(
      objectsOf(`kind: Pod
metadata: {name: a}
spec:
  containers:
  - {name: a, volumeMounts: [{name: b}], livenessProbe: {httpGet: {port: c}}}
  - {name: a, image: x}
---
kind: Service
metadata: {name: s}
spec: {selector: {a: b}, ports: [{targetPort: d}]}
`),
    )
    expect(faults).toHaveLength(6)
  })
})
