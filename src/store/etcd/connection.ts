import { connect, type ClientHttp2Session } from 'node:http2'
import type { ConnectionOptions } from 'node:tls'
import { CnmError } from '../../contracts/errors.js'
import { call, DEADLINE_EXCEEDED, GrpcFailure, UNAVAILABLE, type Call } from './grpc.js'
import type { EtcdOptions } from './options.js'

/** How often a server that says nothing is asked for a sign of life; etcd closes connections that ask more often than every 5 s. */
const PING_EVERY_MS = 10_000
const PING_ANSWER_MS = 5_000
const BUSY_MS = 500

/** One connection to a cluster, made when it is needed, to the first endpoint that answers. */
export class Connection {
  readonly #endpoints: readonly string[]
  readonly #tls: ConnectionOptions
  readonly #timeout: number
  #next = 0
  #session: ClientHttp2Session | undefined
  #connecting: Promise<ClientHttp2Session> | undefined
  #underWay = 0
  #closed = false

  constructor({ endpoints, tls, timeout }: Required<Omit<EtcdOptions, 'tls'>> & Pick<EtcdOptions, 'tls'>) {
    this.#endpoints = endpoints
    const { serverName, ...pem } = tls ?? {}
    this.#tls = { ...pem, ...(serverName !== undefined && { servername: serverName }) }
    this.#timeout = timeout
  }

  /**
   * One message there, one back. Tried again as long as there is time and the server cannot have acted on it.
   * @param repeatable it does no harm twice
   * @throws CnmError ERR_CNM_CLUSTER_UNREACHABLE, ERR_CNM_STORE
   */
  async ask(path: string, message: Uint8Array, repeatable: boolean): Promise<Uint8Array> {
    const deadline = performance.now() + this.#timeout
    for (;;) {
      try {
        return await this.#once(path, message, deadline)
      } catch (error) {
        if (!(error instanceof GrpcFailure)) throw error
        const left = deadline - performance.now()
        const mayRepeat = isTooBusy(error) || (isDown(error) && (repeatable || error.unsent))
        if (!mayRepeat || left <= PAUSE_MS || this.#closed) throw storeError(path, error)
        await pause(PAUSE_MS)
      }
    }
  }

  async #once(path: string, message: Uint8Array, deadline: number): Promise<Uint8Array> {
    const session = await this.#connected(deadline)
    return new Promise((resolve, reject) => {
      let answer: Uint8Array | undefined
      this.#hold(session, 1)
      const finish = (settle: () => void): void => {
        clearTimeout(timer)
        this.#hold(session, -1)
        settle()
      }
      const heard = session.socket.bytesRead
      const timer = setTimeout(
        () => {
          asked.cancel()
          // Nothing at all was heard of the server, or of the way to it: the next one may do better. One that has too much
          // to do has no less when everything begins anew.
          if (session.destroyed || session.socket.bytesRead === heard) this.#drop(session)
          finish(() => reject(new GrpcFailure(DEADLINE_EXCEEDED, 'no answer in time')))
        },
        Math.max(0, deadline - performance.now()),
      )
      const asked = call(
        session,
        path,
        {},
        {
          message: (bytes) => (answer = bytes),
          ended: (failure) => {
            // A member without a leader answers so: another one may have one. One that is late is only that.
            if (failure?.status === UNAVAILABLE && failure.message !== LATE) this.#drop(session)
            finish(() => (failure === undefined && answer !== undefined ? resolve(answer) : reject(failure ?? noAnswer())))
          },
        },
      )
      asked.send(message)
      asked.end()
    })
  }

  /** A call that lasts, for as long as the connection does. */
  async stream(path: string, on: { message(bytes: Uint8Array): void; ended(failure: GrpcFailure | undefined): void }): Promise<Call> {
    const session = await this.#connected(performance.now() + this.#timeout)
    return call(
      session,
      path,
      { hasleader: 'true' },
      {
        message: on.message,
        ended: (failure) => {
          this.#drop(session)
          on.ended(failure)
        },
      },
    )
  }

  /** Ends the process's wait for this connection: only calls that somebody waits for keep it alive. */
  #hold(session: ClientHttp2Session, change: 1 | -1): void {
    this.#underWay += change
    if (session.destroyed) return
    if (this.#underWay > 0) session.ref()
    else session.unref()
  }

  #connected(deadline: number): Promise<ClientHttp2Session> {
    if (this.#closed) return Promise.reject(new GrpcFailure(UNAVAILABLE, 'closed', true))
    if (this.#session !== undefined) return Promise.resolve(this.#session)
    this.#connecting ??= this.#connect(deadline).finally(() => (this.#connecting = undefined))
    return this.#connecting
  }

  async #connect(deadline: number): Promise<ClientHttp2Session> {
    let reason: unknown
    for (let tried = 0; tried < this.#endpoints.length; tried++) {
      const endpoint = this.#endpoints[this.#next % this.#endpoints.length]!
      const share = (deadline - performance.now()) / (this.#endpoints.length - tried)
      try {
        const session = await open(endpoint, this.#tls, Math.max(PAUSE_MS, share))
        if (this.#closed) session.destroy()
        return this.#keep(session)
      } catch (error) {
        reason = error
        this.#next++
      }
    }
    const text = reason instanceof Error ? reason.message : String(reason)
    throw new GrpcFailure(UNAVAILABLE, `${this.#endpoints.join(', ')}: ${text}`, true)
  }

  #keep(session: ClientHttp2Session): ClientHttp2Session {
    this.#session = session
    const stopPings = keepAsking(session)
    session.on('error', () => undefined)
    session.on('goaway', () => this.#drop(session))
    session.on('close', () => {
      stopPings()
      this.#drop(session)
    })
    session.unref()
    return session
  }

  #drop(session: ClientHttp2Session): void {
    if (this.#session === session) {
      this.#session = undefined
      this.#next++
    }
    // Others may still be answered on it; what never ends by itself is a dead connection.
    if (!session.destroyed) session.destroy()
  }

  close(): void {
    this.#closed = true
    this.#session?.destroy()
    this.#session = undefined
  }
}

/** What etcd says when it has too much to do: nothing came of the request, or not in time. */
const TOO_BUSY = 'etcdserver: too many requests'
const LATE = 'etcdserver: request timed out'

const isDown = ({ status }: GrpcFailure): boolean => status === UNAVAILABLE || status === DEADLINE_EXCEEDED
const isTooBusy = ({ message }: GrpcFailure): boolean => message === TOO_BUSY

const PAUSE_MS = 50
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const noAnswer = (): GrpcFailure => new GrpcFailure(UNAVAILABLE, 'the call ended without an answer')

function open(endpoint: string, tls: ConnectionOptions, limit: number): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connect(endpoint, { ...tls, settings: { enablePush: false, initialWindowSize: 4 << 20 } })
    const timer = setTimeout(() => fail(new Error('no connection in time')), limit)
    const fail = (error: Error): void => {
      clearTimeout(timer)
      session.destroy()
      reject(error)
    }
    session.once('error', fail)
    session.once('close', () => fail(new Error('the connection was closed')))
    // The server's settings are the first thing that it says: before, nobody may be there.
    session.once('remoteSettings', () => {
      clearTimeout(timer)
      session.removeListener('error', fail)
      session.removeAllListeners('close')
      session.setLocalWindowSize(16 << 20)
      resolve(session)
    })
  })
}

/** Ends a session whose server is gone without a word. */
function keepAsking(session: ClientHttp2Session): () => void {
  let late: NodeJS.Timeout | undefined
  const wait = (): void => {
    const due = performance.now() + PING_ANSWER_MS
    const read = session.socket.bytesRead
    late = setTimeout(() => {
      if (session.destroyed) return
      // A program that was busy itself has not read the answer yet, or it is behind much else: it gets its time again.
      if (performance.now() > due + BUSY_MS || session.socket.bytesRead !== read) wait()
      else session.destroy()
    }, PING_ANSWER_MS).unref()
  }
  const timer = setInterval(() => {
    if (session.destroyed || late !== undefined) return
    wait()
    session.ping(() => {
      clearTimeout(late)
      late = undefined
    })
  }, PING_EVERY_MS).unref()
  return () => {
    clearInterval(timer)
    clearTimeout(late)
  }
}

/** What the server or the way to it said, as one of our errors. */
export function storeError(operation: string, failure: GrpcFailure): CnmError {
  const what = operation.slice(operation.lastIndexOf('/') + 1)
  if (!isDown(failure) && !isTooBusy(failure))
    return new CnmError('ERR_CNM_STORE', `etcd: ${what}: ${failure.message}`, { operation: what, cause: failure })
  return new CnmError('ERR_CNM_CLUSTER_UNREACHABLE', `the cluster's store cannot be reached: ${what}: ${failure.message}`, {
    operation: what,
    cause: failure,
  })
}
