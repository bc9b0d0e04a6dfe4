/** The open connections of one listener: counted, bounded, and ended together when the sidecar stops. */
import type { Socket } from 'node:net'
import type { ServerConnection } from '../wire/message.ts'

/** Keeps the connections that HTTP is spoken on. */
export class Connections {
  readonly #open = new Set<ServerConnection>()
  /** Sockets that said nothing yet, so that nobody knows what they speak. */
  readonly #silent = new Set<Socket>()
  #draining = false
  #whenEmpty: (() => void) | undefined

  get size(): number {
    return this.#open.size
  }

  /** Requests being handled now. */
  get busy(): number {
    let busy = 0
    for (const connection of this.#open) if (connection.busy) busy += 1
    return busy
  }

  /** Keeps a socket until `add` is called with its connection, or it closes. */
  await(socket: Socket): void {
    if (this.#draining) {
      socket.destroy()
      return
    }
    this.#silent.add(socket)
    socket.once('close', () => this.#silent.delete(socket))
  }

  add(connection: ServerConnection): void {
    this.#silent.delete(connection.socket)
    this.#open.add(connection)
    if (this.#draining) connection.drain()
  }

  remove(connection: ServerConnection): void {
    this.#open.delete(connection)
    if (this.#open.size === 0) this.#whenEmpty?.()
  }

  /** Lets requests in flight finish and closes idle connections; resolves when none is left. */
  drain(): Promise<void> {
    this.#draining = true
    return new Promise((resolve) => {
      this.#whenEmpty = resolve
      this.#endSilent()
      for (const connection of this.#open) connection.drain()
      if (this.#open.size === 0) resolve()
    })
  }

  /** Ends every connection now. */
  destroy(): void {
    this.#endSilent()
    for (const connection of this.#open) connection.destroy()
  }

  #endSilent(): void {
    for (const socket of this.#silent) socket.destroy()
    this.#silent.clear()
  }
}
