/**
 * The settings of HTTP/2 sessions at both ends: every number bounds memory or work that the other end can cause
 * (security §2.6; Envoy's values for edges where it has one).
 */
import type { ClientSessionOptions, ServerOptions } from 'node:http2'
import type { WireLimits } from '../section.ts'

/** Requests at once on one connection. */
export const maxConcurrentStreams = 100
/** Of one stream, and of one connection. */
const streamWindow = 64 * 1024
export const connectionWindow = 1024 * 1024

/** Pseudo fields that a head may hold besides its header fields. */
const pseudoFields = 6

const shared = (limits: WireLimits) => ({
  maxHeaderListPairs: limits.header_count + pseudoFields,
  maxSessionMemory: 10,
  maxSettings: 32,
  maxOutstandingPings: 10,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  strictFieldWhitespaceValidation: true,
})

/** For the end that takes requests. */
export const serverSessionOptions = (limits: WireLimits): ServerOptions => ({
  ...shared(limits),
  streamResetBurst: 200,
  streamResetRate: 20,
  settings: {
    maxConcurrentStreams,
    maxHeaderListSize: limits.head_size,
    initialWindowSize: streamWindow,
    enablePush: false,
    enableConnectProtocol: true,
  },
})

/** For the end that sends them. */
export const clientSessionOptions = (limits: WireLimits): ClientSessionOptions => ({
  ...shared(limits),
  maxReservedRemoteStreams: 0,
  settings: {
    maxHeaderListSize: limits.head_size,
    initialWindowSize: streamWindow,
    enablePush: false,
  },
})
