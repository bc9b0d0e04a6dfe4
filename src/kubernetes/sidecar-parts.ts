/**
 * What stands in a pod for its sidecar: the container and its volumes.
 *
 * A native sidecar: an init container that restarts always, so that it is ready before the application starts, ends
 * after it, and never keeps a job from finishing. It runs as a user of its own, on a read-only file system, without
 * capabilities.
 */
import type { IdentityMount, InjectSettings } from './annotations.ts'
import type { Mapping } from './pod.ts'

/** Name of the container, and what the names of our volumes begin with. */
export const sidecarName = 'sallyport'

/** User and group of the sidecar; no container of the application may run as this user. */
export const sidecarUser = 15_337

/** Ports of the pod that the sidecar listens on, besides those on loopback. */
export const ports = { mesh: 15_006, health: 15_021, metrics: 15_090 } as const

interface Mount {
  readonly volume: Mapping
  readonly path: string
}

const configMap = (use: string, name: string): Mount => ({
  volume: { name: `${sidecarName}-${use}`, configMap: { name } },
  path: `/etc/sallyport/${use}`,
})

const identityMount = (identity: IdentityMount): readonly Mount[] => {
  const name = `${sidecarName}-identity`
  switch (identity.kind) {
    case 'spire': {
      const csi = { driver: 'csi.spiffe.io', readOnly: true }
      return [{ volume: { name, csi }, path: '/run/spire' }]
    }
    case 'cert-manager': {
      const csi = {
        driver: 'spiffe.csi.cert-manager.io',
        readOnly: true,
        volumeAttributes: { 'spiffe.csi.cert-manager.io/fs-group': String(sidecarUser) },
      }
      return [{ volume: { name, csi }, path: '/var/run/secrets/spiffe.io' }]
    }
    case 'secret': {
      // Owned by root: it can only be read where `identity.key_files` is `unsafe_readable`; no other container mounts it.
      const secret = { secretName: identity.name }
      return [{ volume: { name, secret }, path: '/var/run/secrets/spiffe.io' }]
    }
    case 'none':
      return []
  }
}

const mounts = (settings: InjectSettings): readonly Mount[] => [
  configMap('config', settings.config),
  ...(settings.policy === undefined ? [] : [configMap('policies', settings.policy)]),
  ...(settings.apis === undefined ? [] : [configMap('apis', settings.apis)]),
  ...identityMount(settings.identity),
  {
    volume: {
      name: `${sidecarName}-token`,
      projected: {
        sources: [
          {
            serviceAccountToken: {
              path: 'token',
              audience: settings.tokenAudience,
              expirationSeconds: 3600,
            },
          },
        ],
      },
    },
    path: '/var/run/secrets/tokens',
  },
  {
    volume: { name: `${sidecarName}-state`, emptyDir: { sizeLimit: '256Mi' } },
    path: '/var/lib/sallyport',
  },
]

/** The volumes of the sidecar. */
export const sidecarVolumes = (settings: InjectSettings): readonly Mapping[] =>
  mounts(settings).map(({ volume }) => volume)

const fromField = (name: string, fieldPath: string): Mapping => ({
  name,
  valueFrom: { fieldRef: { fieldPath } },
})

/** What the heap may take of the memory limit, in MiB; the rest is buffers and code. */
const heapMegabytes = (limit: string): number | undefined => {
  const match = /^(\d+)(Mi|Gi)$/.exec(limit)
  if (!match) return undefined
  return Math.floor(Number(match[1]) * (match[2] === 'Gi' ? 1024 : 1) * 0.65)
}

const sidecarEnvironment = (
  settings: InjectSettings,
  service: string | undefined,
): readonly Mapping[] => {
  const heap = heapMegabytes(settings.memoryLimit)
  return [
    { name: 'SALLYPORT_CONFIG', value: '/etc/sallyport/config/sallyport.yaml' },
    ...(service === undefined ? [] : [{ name: 'SALLYPORT_SERVICE_NAME', value: service }]),
    fromField('SALLYPORT_SERVICE_NAMESPACE', 'metadata.namespace'),
    ...(settings.appPort === undefined
      ? []
      : [{ name: 'SALLYPORT_APP_ADDRESS', value: `127.0.0.1:${settings.appPort}` }]),
    ...(settings.identity.kind === 'spire'
      ? [{ name: 'SPIFFE_ENDPOINT_SOCKET', value: 'unix:///run/spire/spire-agent.sock' }]
      : []),
    fromField('POD_NAME', 'metadata.name'),
    fromField('NODE_NAME', 'spec.nodeName'),
    {
      name: 'OTEL_RESOURCE_ATTRIBUTES',
      value: [
        'k8s.pod.name=$(POD_NAME)',
        'k8s.namespace.name=$(SALLYPORT_SERVICE_NAMESPACE)',
        'k8s.node.name=$(NODE_NAME)',
      ].join(','),
    },
    ...(heap === undefined
      ? []
      : [
          {
            name: 'NODE_OPTIONS',
            value: `--enable-source-maps --disable-sigusr1 --max-old-space-size=${heap}`,
          },
        ]),
  ]
}

/** Asks our own health listener to drain: on loopback, since it must not answer that to the pod network. */
const drainScript = `require('node:http').get('http://127.0.0.1:${ports.health}/drain',(answer)=>answer.resume())`

const probe = (path: string, timing: Mapping): Mapping => ({
  httpGet: { path, port: 'sp-health' },
  ...timing,
})

/** The container of the sidecar. */
export const sidecarContainer = (
  settings: InjectSettings,
  service: string | undefined,
): Mapping => ({
  name: sidecarName,
  image: settings.image,
  imagePullPolicy: 'IfNotPresent',
  restartPolicy: 'Always',
  ports: [
    { name: 'sp-mesh', containerPort: ports.mesh },
    { name: 'sp-health', containerPort: ports.health },
    { name: 'sp-metrics', containerPort: ports.metrics },
  ],
  env: sidecarEnvironment(settings, service),
  startupProbe: probe('/startupz', { periodSeconds: 1, failureThreshold: 60 }),
  readinessProbe: probe('/readyz', { periodSeconds: 5 }),
  livenessProbe: probe('/livez', { periodSeconds: 10, timeoutSeconds: 3 }),
  lifecycle: { preStop: { exec: { command: ['/nodejs/bin/node', '-e', drainScript] } } },
  securityContext: {
    runAsNonRoot: true,
    runAsUser: sidecarUser,
    runAsGroup: sidecarUser,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  },
  resources: {
    requests: { cpu: settings.cpu, memory: settings.memory },
    limits: { memory: settings.memoryLimit },
  },
  volumeMounts: mounts(settings).map(({ volume, path }) => ({
    name: volume['name'],
    mountPath: path,
    ...(path === '/var/lib/sallyport' ? {} : { readOnly: true }),
  })),
})
